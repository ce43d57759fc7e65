//! Numbered things that are kept until they are acknowledged, oldest dropped when there are too many.

use std::collections::VecDeque;

/// Numbered from 1, without holes: an acknowledgement of one is one of all before it.
#[derive(Debug, Clone)]
pub(super) struct Kept<T> {
    items: VecDeque<T>,
    /// The number of the first.
    first: u64,
    most: usize,
    dropped: u64,
}

impl<T> Kept<T> {
    /// Keeps at most `most`.
    pub(super) const fn new(most: usize) -> Self {
        Self { items: VecDeque::new(), first: 1, most, dropped: 0 }
    }

    /// Adds one.
    pub(super) fn push(&mut self, item: T) {
        if self.items.len() >= self.most {
            self.items.pop_front();
            self.first += 1;
            self.dropped += 1;
        }
        self.items.push_back(item);
    }

    /// Forgets all up to the number `through`. True when there were any.
    pub(super) fn acknowledged(&mut self, through: u64) -> bool {
        let count = (through + 1).saturating_sub(self.first);
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.items.len());
        self.items.drain(..count);
        self.first += count as u64;
        count > 0
    }

    /// The number of the first, whether it is there already or not.
    pub(super) const fn first(&self) -> u64 {
        self.first
    }

    /// The oldest `most`.
    pub(super) fn oldest(&self, most: usize) -> impl Iterator<Item = &T> {
        self.items.iter().take(most)
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many had to go before they were acknowledged.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_until_acknowledged_and_the_oldest_dropped() {
        let mut kept = Kept::new(3);
        (1..=5).for_each(|item| kept.push(item));
        assert_eq!((kept.first(), kept.len(), kept.dropped()), (3, 3, 2));
        assert!(!kept.acknowledged(2), "dropped already");
        assert!(kept.acknowledged(4));
        assert_eq!(kept.oldest(9).copied().collect::<Vec<_>>(), [5]);
        assert!(kept.acknowledged(u64::from(u32::MAX)));
        assert_eq!((kept.first(), kept.is_empty()), (6, true), "what does not exist yet is not acknowledged");
    }
}
