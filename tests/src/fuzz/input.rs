//! Bytes as a sequence of decisions. When they are used up, all further ones are 0, and [`Input::is_over`] says so.

/// What is left of the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) const fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// A number below `bound`, which is at most 65,536 and not 0.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let small = u64::from(self.byte());
        if bound <= 256 { small % bound } else { (small << 8 | u64::from(self.byte())) % bound }
    }

    /// The next bytes, as many as there are.
    pub(super) fn bytes(&mut self, count: u64) -> &'a [u8] {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.0.len());
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }
}
