//! Lines of bounded length from what is read without blocking: a child's pipe, a serial port.

use super::lines::LINE_MAX_BYTES;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What is read at once.
const CHUNK_BYTES: usize = 8 * 1024;

/// A line, or that one was too long and thrown away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TextLine {
    /// Without its line ending.
    Whole(Vec<u8>),
    /// Longer than [`LINE_MAX_BYTES`].
    TooLong,
}

/// Cuts lines out of what comes. Nothing is lost when [`AsyncLines::fill`] is cancelled.
#[derive(Debug)]
pub(crate) struct AsyncLines<R> {
    input: R,
    buffer: Vec<u8>,
    /// The line that is coming is too long already.
    dropping: bool,
}

impl<R: AsyncRead + Unpin> AsyncLines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), dropping: false }
    }

    /// Waits for more. False at the end of the input.
    pub(crate) async fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; CHUNK_BYTES];
        let count = self.input.read(&mut chunk).await?;
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count > 0)
    }

    /// The next line that has come whole.
    pub(crate) fn pop(&mut self) -> Option<TextLine> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            if self.buffer.len() > LINE_MAX_BYTES {
                self.buffer.clear();
                self.dropping = true;
            }
            return None;
        };
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let too_long = std::mem::take(&mut self.dropping) || line.len() > LINE_MAX_BYTES;
        Some(if too_long { TextLine::TooLong } else { TextLine::Whole(line) })
    }

    /// The last line, when it has no line ending.
    pub(crate) fn rest(&mut self) -> Option<TextLine> {
        if self.buffer.is_empty() && !self.dropping {
            return None;
        }
        self.buffer.push(b'\n');
        self.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_become_lines_and_long_ones_are_thrown_away() {
        let text = format!("a\r\n{}\nb\n\nrest", "x".repeat(3 * LINE_MAX_BYTES));
        let mut lines = AsyncLines::new(text.as_bytes());
        let mut found = Vec::new();
        while lines.fill().await.unwrap() {
            found.extend(std::iter::from_fn(|| lines.pop()));
            assert!(lines.buffer.len() <= LINE_MAX_BYTES + CHUNK_BYTES);
        }
        found.extend(lines.rest());
        let whole = |text: &str| TextLine::Whole(text.as_bytes().to_vec());
        assert_eq!(found, [whole("a"), TextLine::TooLong, whole("b"), whole(""), whole("rest")]);
        assert_eq!(lines.rest(), None);
    }
}
