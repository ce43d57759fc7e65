//! Where the replay of a file stands, in words that survive a restart.

use super::super::lines::Place;
use serde::{Deserialize, Serialize};
use std::io::Read;

/// How much of the beginning of a file tells it from another one, in bytes: with the times of its first rows in it.
const HEAD_BYTES: u64 = 1024;

/// The position that is committed with the readings before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::source) struct Position {
    /// Where the next row begins.
    byte: u64,
    /// The number of its line.
    line: u64,
    /// The file that is meant is the one whose first bytes, so many, have this hash.
    head_bytes: u64,
    head: String,
}

/// The beginning of a file.
#[derive(Debug)]
pub(in crate::source) struct Head(Vec<u8>);

impl Head {
    pub(in crate::source) fn read(file: &mut impl Read) -> std::io::Result<Self> {
        let mut head = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
        Ok(Self(head))
    }

    /// The position `place`. Only what lies before it counts as the beginning: a file may still grow.
    pub(in crate::source) fn position(&self, place: Place) -> Position {
        let head_bytes = place.byte.min(self.0.len() as u64);
        Position { byte: place.byte, line: place.line, head_bytes, head: self.hash(head_bytes).unwrap_or_default() }
    }

    /// The place of a saved position, if it speaks of this file.
    pub(in crate::source) fn place(&self, saved: &Position) -> Option<Place> {
        let same = self.hash(saved.head_bytes).is_some_and(|hash| hash == saved.head);
        same.then_some(Place { byte: saved.byte, line: saved.line })
    }

    /// The same on every machine and in every version.
    fn hash(&self, bytes: u64) -> Option<String> {
        Some(fnv(self.0.get(..usize::try_from(bytes).ok()?)?))
    }

    /// What tells the file from another one that does not grow.
    pub(in crate::source) fn name(&self) -> String {
        fnv(&self.0)
    }
}

/// FNV-1a (Fowler, Noll, Vo), 64 bits, in hexadecimal digits.
pub(in crate::source) fn fnv(bytes: &[u8]) -> String {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
    format!("{:016x}", bytes.iter().fold(0xCBF2_9CE4_8422_2325, mix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::read(&mut text.as_bytes()).unwrap()
    }

    #[test]
    fn a_file_that_grew_is_the_same_and_another_is_not() {
        let place = Place { byte: 6, line: 3 };
        let saved = head("a\nb\n1\n2").position(place);
        assert_eq!(head("a\nb\n1\n2\n3\n").place(&saved), Some(place));
        assert_eq!(head("a\nb\n9\n2\n3\n").place(&saved), None);
        assert_eq!(head("a\nb").place(&saved), None);
        let text = serde_json::to_string(&saved).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&text).unwrap(), saved);
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(head("foobar").hash(6).unwrap(), "85944171f73967e8");
    }
}
