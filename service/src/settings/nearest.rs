//! What somebody may have meant.

/// From here on two names are taken for the same one, mistyped: `nmae` is, and `rate` for `name` is not.
const ALIKE: f64 = 0.84;

/// The known name that is most like a given one.
pub(super) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase().replace('-', "_");
    let alike = known.into_iter().map(|name| (strsim::jaro_winkler(&given, name), name));
    let best = alike.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(alike, _)| *alike >= ALIKE).map(|(_, name)| name)
}

/// The names between backticks in an error of serde: those that it expected.
pub(super) fn expected(message: &str) -> impl Iterator<Item = &str> {
    let list = message.split_once("expected ").map_or("", |(_, list)| list);
    list.split('`').skip(1).step_by(2)
}

/// The unknown key of which an error of serde speaks.
pub(super) fn unknown(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        let known = ["name", "rate", "queue_bytes", "queue_readings", "commit_every"];
        for (given, meant) in [("nmae", "name"), ("Queue-Bytes", "queue_bytes"), ("comit_every", "commit_every")] {
            assert_eq!(nearest(given, known), Some(meant));
        }
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn what_serde_expected_is_found() {
        let message = "unknown field `nmae`, expected `name` or `rate`";
        assert_eq!(unknown(message), Some("nmae"));
        assert_eq!(expected(message).collect::<Vec<_>>(), ["name", "rate"]);
        assert_eq!(expected("unknown field `x`").count(), 0);
    }
}
