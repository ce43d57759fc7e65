//! The time of the data that is played.

use fogline_protocol::time::Wall;

/// From a time, included, to another one, excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Wall,
    pub(super) to: Wall,
}

impl Span {
    /// Its length in microseconds.
    pub(super) const fn us(self) -> i64 {
        self.to.us() - self.from.us()
    }
}
