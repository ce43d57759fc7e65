//! Numbers for inboxes, used again when an inbox is gone: the router keeps what it knows of a name for ever.

use std::sync::{Arc, Mutex, PoisonError};

/// The filter, in the router's settings, of all large inboxes.
pub(super) const LARGE_FILTER: &str = "large/+";

/// How much an inbox holds between two looks of its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// For the few messages that go to one agent.
    Small,
    /// For those who read what many publish.
    Large,
}

/// The numbers that are free, for each size: the log of a number has the size that it was made with.
#[derive(Debug, Default)]
pub(super) struct Slots {
    small: Mutex<Numbers>,
    large: Mutex<Numbers>,
}

#[derive(Debug, Default)]
struct Numbers {
    free: Vec<u32>,
    next: u32,
}

/// A number in use; free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    size: Size,
    number: u32,
}

impl Slots {
    fn of(&self, size: Size) -> &Mutex<Numbers> {
        match size {
            Size::Small => &self.small,
            Size::Large => &self.large,
        }
    }

    pub(super) fn take(self: &Arc<Self>, size: Size) -> Slot {
        let mut numbers = self.of(size).lock().unwrap_or_else(PoisonError::into_inner);
        let number = numbers.free.pop().unwrap_or_else(|| {
            numbers.next += 1;
            numbers.next
        });
        Slot { slots: Arc::clone(self), size, number }
    }
}

impl Slot {
    /// The client id of the link at the router.
    pub(super) fn client_id(&self) -> String {
        format!("{}-{}", self.prefix(), self.number)
    }

    /// The topic, at the router, of what goes to this inbox.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.prefix(), self.number)
    }

    fn prefix(&self) -> &'static str {
        match self.size {
            Size::Small => "small",
            Size::Large => "large",
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.of(self.size).lock().unwrap_or_else(PoisonError::into_inner).free.push(self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_used_again() {
        let slots = Arc::new(Slots::default());
        let (first, second) = (slots.take(Size::Small), slots.take(Size::Small));
        assert_eq!((first.name(), second.name()), ("small/1".to_owned(), "small/2".to_owned()));
        drop(first);
        assert_eq!(slots.take(Size::Large).name(), "large/1");
        assert_eq!(slots.take(Size::Small).name(), "small/1");
    }
}
