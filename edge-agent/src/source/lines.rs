//! Lines of bounded length from anything that can be read, with their places.

use std::io::{ErrorKind, Read};

/// The longest line, in bytes. Twice the longest reading: what is longer is no line of a sensor, and must not fill memory.
pub(crate) const LINE_MAX_BYTES: usize = 16 * 1024;
/// What is read at once. At least two of the longest lines.
const BUFFER_BYTES: usize = 64 * 1024;

/// Where a line begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// In bytes from the beginning of the input.
    pub(crate) byte: u64,
    /// The number of the line, from 1.
    pub(crate) line: u64,
}

impl Place {
    pub(crate) const START: Self = Self { byte: 0, line: 1 };
}

/// A line without its line ending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Where it begins.
    pub(crate) place: Place,
    /// What it says; none when it is too long.
    pub(crate) text: Option<&'a [u8]>,
}

/// Reads lines. An error of the input, `WouldBlock` among them, loses nothing: the next call goes on.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    /// The longest line, in bytes; the buffer holds at least two of them.
    line_max: usize,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    begin: usize,
    end: usize,
    /// How much of the unread part is known to hold no line ending.
    searched: usize,
    ended: bool,
    /// The line that begins at `place` is too long, and what came of it so far is thrown away: so many bytes.
    dropped: u64,
    place: Place,
}

impl<R: Read> Lines<R> {
    /// Reads lines of an input that stands at `place`.
    pub(crate) fn new(input: R, place: Place) -> Self {
        Self::bounded(input, place, LINE_MAX_BYTES)
    }

    /// The same for lines of at most `line_max` bytes, in four times that memory: for many inputs at a time.
    pub(crate) fn bounded(input: R, place: Place, line_max: usize) -> Self {
        let buffer = vec![0; line_max * BUFFER_BYTES / LINE_MAX_BYTES];
        Self { input, line_max, buffer, begin: 0, end: 0, searched: 0, ended: false, dropped: 0, place }
    }

    /// Where the next line begins.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    pub(crate) fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// The next line; none at the end. A last line without a line ending is a line.
    pub(crate) fn next(&mut self) -> std::io::Result<Option<Line<'_>>> {
        loop {
            let unread = self.buffer.get(self.begin..self.end).unwrap_or_default();
            let fresh = unread.get(self.searched..).unwrap_or_default();
            if let Some(at) = fresh.iter().position(|byte| *byte == b'\n') {
                let length = self.searched + at;
                return Ok(Some(self.take(length, 1)));
            }
            self.searched = unread.len();
            if self.ended {
                let rest = self.searched;
                return Ok((rest > 0 || self.dropped > 0).then(|| self.take(rest, 0)));
            }
            if self.searched > self.line_max {
                self.dropped += self.searched as u64;
                (self.begin, self.searched) = (self.end, 0);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> std::io::Result<()> {
        self.buffer.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end - self.begin);
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        match self.input.read(room) {
            Ok(0) => self.ended = true,
            Ok(count) => self.end += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Hands out the next `length` bytes as a line, and passes over `ending` bytes after it.
    fn take(&mut self, length: usize, ending: usize) -> Line<'_> {
        let place = self.place;
        let first = self.begin;
        let whole = self.dropped == 0 && length <= self.line_max;
        self.place.byte += self.dropped + (length + ending) as u64;
        self.place.line += 1;
        self.begin += length + ending;
        (self.searched, self.dropped) = (0, 0);
        let text = self.buffer.get(first..first + length).unwrap_or_default();
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        Line { place, text: whole.then_some(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    /// Gives its pieces one at a time, with a `WouldBlock` between them.
    struct Pieces(VecDeque<Option<Vec<u8>>>);

    impl Read for Pieces {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            match self.0.pop_front() {
                None => Ok(0),
                Some(None) => Err(ErrorKind::WouldBlock.into()),
                Some(Some(piece)) => {
                    let count = piece.len().min(into.len());
                    into[..count].copy_from_slice(&piece[..count]);
                    if count < piece.len() {
                        self.0.push_front(Some(piece[count..].to_vec()));
                    }
                    Ok(count)
                }
            }
        }
    }

    type Owned = (u64, u64, Option<Vec<u8>>);

    fn all<R: Read>(mut lines: Lines<R>) -> Vec<Owned> {
        let mut found = Vec::new();
        loop {
            match lines.next() {
                Ok(Some(line)) => found.push((line.place.byte, line.place.line, line.text.map(<[u8]>::to_vec))),
                Ok(None) => return found,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }

    #[test]
    fn line_endings_of_both_kinds_and_a_last_line_without_one() {
        let found = all(Lines::new(&b"a\r\n\nbc\nd"[..], Place::START));
        let line = |start, number, text: &str| (start, number, Some(text.as_bytes().to_vec()));
        assert_eq!(found, [line(0, 1, "a"), line(3, 2, ""), line(4, 3, "bc"), line(7, 4, "d")]);
    }

    #[test]
    fn a_line_without_end_is_passed_over_in_bounded_memory() {
        let mut text = vec![b'x'; 10 * BUFFER_BYTES];
        text.extend_from_slice(b"\nnext\n");
        let mut lines = Lines::new(&text[..], Place::START);
        let long = lines.next().unwrap().unwrap();
        assert_eq!((long.place, long.text), (Place::START, None));
        let next = lines.next().unwrap().unwrap();
        let place = Place { byte: 10 * BUFFER_BYTES as u64 + 1, line: 2 };
        assert_eq!((next.place, next.text), (place, Some(&b"next"[..])));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.buffer.len(), BUFFER_BYTES);
    }

    #[test]
    fn a_shorter_bound_takes_less_memory() {
        let text = format!("{}\nshort\n", "x".repeat(5000));
        let mut lines = Lines::bounded(text.as_bytes(), Place::START, 1024);
        assert_eq!(lines.next().unwrap().unwrap().text, None);
        assert_eq!(lines.next().unwrap().unwrap().text, Some(&b"short"[..]));
        assert_eq!(lines.next().unwrap(), None);
        assert_eq!(lines.buffer.len(), 4096);
    }

    proptest! {
        #[test]
        fn pieces_and_pauses_change_nothing(
            lengths in prop::collection::vec(prop_oneof![0_usize..40, LINE_MAX_BYTES - 2..LINE_MAX_BYTES + 3, 60_000_usize..70_000], 0..12),
            cuts in prop::collection::vec(1_usize..50_000, 1..20),
            last_ended in any::<bool>(),
        ) {
            let mut text: Vec<u8> = lengths.iter().flat_map(|n| [vec![b'x'; *n], vec![b'\n']].concat()).collect();
            if !last_ended {
                text.pop();
            }
            let mut pieces = VecDeque::new();
            let (mut rest, mut cuts) = (&text[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                pieces.extend([Some(piece.to_vec()), None]);
                rest = after;
            }
            let found = all(Lines::new(Pieces(pieces), Place::START));
            let mut start = 0;
            let mut expected: Vec<Owned> = Vec::new();
            let ended_lines = text.split_inclusive(|byte| *byte == b'\n');
            for (number, line) in ended_lines.enumerate() {
                let content = line.strip_suffix(b"\n").unwrap_or(line);
                expected.push((start, number as u64 + 1, (content.len() <= LINE_MAX_BYTES).then(|| content.to_vec())));
                start += line.len() as u64;
            }
            prop_assert_eq!(found, expected);
        }
    }
}
