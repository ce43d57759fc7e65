//! From a place in a text to its line.

/// Where the lines of a text end.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The line of a byte, counted from 1.
    pub(super) fn at(&self, byte: usize) -> usize {
        self.0.partition_point(|end| *end < byte) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn a_line_ends_with_its_line_feed() {
        let lines = Lines::of("ab\n\nc");
        let at: Vec<usize> = (0..6).map(|byte| lines.at(byte)).collect();
        assert_eq!(at, [1, 1, 1, 2, 3, 3]);
    }
}
