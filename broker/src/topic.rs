//! Topics and filters: what is a valid one, and which matches which (3.1.1, 4.7).

use crate::packet::Malformed;

/// Most levels of a topic or filter (4.7.1 leaves the number to the server), so that a walk through the tree of subscriptions is bounded.
const MAX_LEVELS: usize = 64;
/// `$share/GROUP/FILTER` is a filter whose messages the members of a group share (5.0, 4.8.2).
const SHARE: &str = "$share/";

/// Checks a topic that a client publishes to: not empty, no wildcards [MQTT-3.3.2-2, MQTT-4.7.3-1].
pub(crate) fn check_topic(topic: &str) -> Result<(), Malformed> {
    if topic.bytes().any(|byte| byte == b'+' || byte == b'#') {
        return Err(Malformed("a topic with wildcards"));
    }
    check_size(topic)
}

/// Checks a filter: wildcards fill whole levels, and `#` is the last one [MQTT-4.7.1-2, MQTT-4.7.1-3].
pub(crate) fn check_filter(filter: &str) -> Result<(), Malformed> {
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let misplaced = match level {
            "#" => levels.peek().is_some(),
            "+" => false,
            other => other.contains(['+', '#']),
        };
        if misplaced {
            return Err(Malformed("a filter whose wildcards do not fill a level, or with # before the last"));
        }
    }
    check_size(filter)
}

fn check_size(text: &str) -> Result<(), Malformed> {
    if text.is_empty() {
        return Err(Malformed("an empty topic"));
    }
    if text.bytes().filter(|byte| *byte == b'/').count() >= MAX_LEVELS {
        return Err(Malformed("a topic of more than 64 levels"));
    }
    Ok(())
}

/// The group and the filter of a shared subscription. `None` if it is a plain one.
///
/// # Errors
/// A group without name or with wildcards [MQTT-4.8.2-1, MQTT-4.8.2-2 of 5.0].
pub(crate) fn shared(filter: &str) -> Result<Option<(&str, &str)>, Malformed> {
    let Some(rest) = filter.strip_prefix(SHARE) else { return Ok(None) };
    match rest.split_once('/') {
        Some((group, inner)) if !group.is_empty() && !group.contains(['+', '#']) && !inner.is_empty() => {
            Ok(Some((group, inner)))
        }
        _ => Err(Malformed("a shared subscription without group or filter")),
    }
}

/// Whether a topic matches a filter. Wildcards at the start do not match a topic that begins with `$` [MQTT-4.7.2-1].
pub(crate) fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let (mut topics, mut filters) = (topic.split('/'), filter.split('/'));
    loop {
        match (topics.next(), filters.next()) {
            (_, Some("#")) | (None, None) => return true,
            (Some(_), Some("+")) => {}
            (Some(level), Some(wanted)) if level == wanted => {}
            _ => return false,
        }
    }
}

/// What every topic that matches the filter begins with.
pub(crate) fn literal_prefix(filter: &str) -> &str {
    let end = filter.find(['+', '#']).unwrap_or(filter.len());
    // `sport/#` matches `sport` too, so the last separator is no part of the prefix.
    if filter[end..].starts_with('#') { filter[..end].trim_end_matches('/') } else { &filter[..end] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_checked() {
        for topic in ["a", "/", "a//b", "über/x", "$SYS/x", " "] {
            assert!(check_topic(topic).is_ok(), "{topic}");
        }
        let deep = "/".repeat(64);
        for topic in ["", "+", "a/+", "#", "a#", &deep] {
            assert!(check_topic(topic).is_err(), "{topic}");
        }
    }

    #[test]
    fn filters_are_checked() {
        for filter in ["#", "+", "a/#", "+/+/#", "/+", "a/+/b", "/#"] {
            assert!(check_filter(filter).is_ok(), "{filter}");
        }
        for filter in ["", "a#", "a/#/b", "#/a", "a+", "+a", "a/b+/c", "++"] {
            assert!(check_filter(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn topics_match_filters_as_the_standard_says() {
        for (topic, filter, expected) in [
            ("sport/tennis/player1", "sport/tennis/player1/#", true),
            ("sport", "sport/#", true),
            ("sport/tennis", "sport/tennis/+", false),
            ("sport/tennis/a", "sport/tennis/+", true),
            ("sport", "sport/+", false),
            ("sport/", "sport/+", true),
            ("/finance", "+/+", true),
            ("/finance", "/+", true),
            ("/finance", "+", false),
            ("$SYS/x", "#", false),
            ("$SYS/x", "+/x", false),
            ("$SYS/x", "$SYS/#", true),
            ("a/b", "a", false),
            ("a", "a/b", false),
            ("über/x", "+/x", true),
            ("ACCOUNTS", "accounts", false),
        ] {
            assert_eq!(matches(topic, filter), expected, "{topic} {filter}");
        }
    }

    #[test]
    fn groups_are_told_from_filters() {
        assert_eq!(shared("a/b"), Ok(None));
        assert_eq!(shared("$share/g/a/+"), Ok(Some(("g", "a/+"))));
        for filter in ["$share/g", "$share//a", "$share/g/", "$share/+/a"] {
            assert!(shared(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn a_prefix_begins_all_that_matches() {
        for (filter, prefix) in [("a/b", "a/b"), ("a/+/b", "a/"), ("a/#", "a"), ("#", ""), ("+", ""), ("/#", "")] {
            assert_eq!(literal_prefix(filter), prefix, "{filter}");
        }
    }
}
