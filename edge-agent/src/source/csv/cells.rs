//! The cells of one line.

/// Splits a line at `delimiter`. A cell may stand in double quotes, and may then hold the delimiter; the quotes are taken
/// off, and doubled quotes inside stay doubled: times and numbers have none. A line is always one row, so that a stray
/// quote costs one row and not the rest of the file.
pub(super) fn cells(line: &str, delimiter: char) -> impl Iterator<Item = &str> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = cell_end(text, delimiter);
        let (cell, after) = text.split_at_checked(end).unwrap_or((text, ""));
        rest = after.strip_prefix(delimiter);
        let cell = cell.trim();
        Some(cell.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(cell))
    })
}

/// Where the first cell ends: at the first delimiter that is not in quotes, or at the end.
fn cell_end(text: &str, delimiter: char) -> usize {
    if !text.trim_start_matches(|c: char| c.is_whitespace() && c != delimiter).starts_with('"') {
        return text.find(delimiter).unwrap_or(text.len());
    }
    let mut quoted = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            _ if character == delimiter && !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_and_spaces_are_taken_off() {
        let split = |line| cells(line, ',').collect::<Vec<_>>();
        assert_eq!(split("a,b ,,\"c,d\",\" e\""), ["a", "b", "", "c,d", " e"]);
        assert_eq!(split(""), [""]);
        assert_eq!(split("a,"), ["a", ""]);
        assert_eq!(split("\"never closed,b"), ["\"never closed,b"]);
        assert_eq!(cells("1;2,5", ';').collect::<Vec<_>>(), ["1", "2,5"]);
        assert_eq!(cells("1\t\t\"2\"", '\t').collect::<Vec<_>>(), ["1", "", "2"]);
    }

    proptest! {
        #[test]
        fn agrees_with_the_csv_crate(row in prop::collection::vec("[a-z0-9.,;é]{0,6}", 1..8)) {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            writer.write_record(&row).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            let found: Vec<&str> = cells(line.trim_end_matches('\n'), ',').collect();
            prop_assert_eq!(found, row);
        }

        #[test]
        fn any_line_splits(line in ".{0,60}") {
            prop_assert!(cells(&line, ',').count() <= line.matches(',').count() + 1);
        }
    }
}
