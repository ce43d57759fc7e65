//! Counting what is no reading, and showing it once in so many.

use std::fmt::Display;

/// How much of a bad line is shown, in characters.
const SHOWN_CHARS: usize = 80;

/// Counts lines that are no readings. The 1st, 10th, 100th and so on are shown: a broken sensor must be seen, and must
/// not fill the log.
#[derive(Debug)]
pub(crate) struct Skipped {
    count: u64,
    next_shown: u64,
}

impl Skipped {
    pub(crate) fn new() -> Self {
        Self { count: 0, next_shown: 1 }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Counts a message of the source of this name.
    pub(crate) fn note_of(&mut self, source: &str, text: &[u8], why: &dyn Display) {
        self.count += 1;
        if self.count >= self.next_shown {
            self.next_shown = self.next_shown.saturating_mul(10);
            let text: String = String::from_utf8_lossy(text).chars().take(SHOWN_CHARS).collect();
            tracing::warn!(source, skipped = self.count, %why, text = %text.escape_debug(), "what is not a reading was skipped");
        }
    }

    /// Counts line `number`, which says `text`. True when it was shown.
    pub(crate) fn note(&mut self, number: u64, text: &[u8], why: &dyn Display) -> bool {
        self.count += 1;
        if self.count < self.next_shown {
            return false;
        }
        self.next_shown = self.next_shown.saturating_mul(10);
        let text: String = String::from_utf8_lossy(text).chars().take(SHOWN_CHARS).collect();
        tracing::warn!(line = number, skipped = self.count, %why, text = %text.escape_debug(), "a line that is not a reading was skipped");
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_counted_and_few_are_shown() {
        let mut skipped = Skipped::new();
        let shown: Vec<u64> = (1..=1234).filter(|line| skipped.note(*line, b"\xff", &"bad")).collect();
        assert_eq!(shown, [1, 10, 100, 1000]);
        assert_eq!(skipped.count(), 1234);
    }
}
