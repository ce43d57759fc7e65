//! Sets of the numbers that the lab's readings carry: dense, from 0.

/// The largest number that is kept, so that a wrong one out of a store cannot fill the memory: 12 days at 100 a second.
const NUMBER_MAX: u64 = 100_000_000;

/// A set of numbers, one bit each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    words: Vec<u64>,
    count: u64,
}

impl Numbers {
    /// Adds a number. False when it was there, or is none of the lab's.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let Some((word, bit)) = place(number) else { return false };
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        let Some(found) = self.words.get_mut(word) else { return false };
        let new = *found & bit == 0;
        *found |= bit;
        self.count += u64::from(new);
        new
    }

    /// Whether a number is in it.
    pub(crate) fn contains(&self, number: u64) -> bool {
        place(number).is_some_and(|(word, bit)| self.words.get(word).is_some_and(|found| found & bit != 0))
    }

    /// How many are in it.
    pub(crate) fn len(&self) -> u64 {
        self.count
    }
}

fn place(number: u64) -> Option<(usize, u64)> {
    let word = usize::try_from(number / 64).ok()?;
    (number <= NUMBER_MAX).then_some((word, 1 << (number % 64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_in_it_once() {
        let mut numbers = Numbers::default();
        assert!(numbers.insert(0) && numbers.insert(64) && numbers.insert(1_000) && !numbers.insert(64));
        assert_eq!((numbers.len(), numbers.contains(64), numbers.contains(65)), (3, true, false));
    }

    #[test]
    fn a_wrong_number_takes_no_memory() {
        let mut numbers = Numbers::default();
        assert!(!numbers.insert(u64::MAX) && !numbers.insert(NUMBER_MAX + 1));
        assert!(numbers.words.is_empty());
    }
}
