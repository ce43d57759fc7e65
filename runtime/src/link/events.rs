//! What the owner of a link reads.
//!
//! The owner may be slow, and the link must go on reading: PINGRESP and PUBACK come on the same stream as messages, and rumqttc sends
//! its pings from the same poll that reads. Not to read for a while would only move the waiting messages into the broker, which
//! drops what is too much without telling anyone. So the link always reads; messages wait here up to a bound in bytes,
//! and what comes beyond is thrown away and counted. The levels above resend what they have no answer for, and keep
//! the flow under the bound by credit.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::budget::Budget;

/// Charged for each waiting event on top of its topic and payload: the event itself, its queue slot and allocations.
const OVERHEAD_BYTES: usize = 128;

/// Something that happened on a link. `Connected` and `Disconnected` alternate, and messages come only between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The link is connected and every subscription is acknowledged.
    Connected {
        /// Index of the broker in the configured list.
        broker: usize,
        /// The number that the last will of this connection was made for. It grows with each attempt.
        connection: u64,
    },
    /// The connection ended. Publishes without PUBACK are forgotten: resend after the next `Connected` what matters.
    Disconnected {
        /// Why, for a person.
        reason: String,
    },
    /// A message arrived, and is already acknowledged to the broker.
    Message {
        /// Its topic, as sent: to be checked like its payload.
        topic: String,
        /// Its payload.
        payload: Bytes,
    },
}

impl LinkEvent {
    fn cost(&self) -> usize {
        OVERHEAD_BYTES
            + match self {
                Self::Message { topic, payload } => topic.len() + payload.len(),
                Self::Disconnected { reason } => reason.len(),
                Self::Connected { .. } => 0,
            }
    }
}

/// The owner's end. Dropping it ends the link.
#[derive(Debug)]
pub struct LinkEvents {
    queue: mpsc::UnboundedReceiver<LinkEvent>,
    budget: Arc<Budget>,
}

impl LinkEvents {
    /// Waits for the next event; `None` when the link has ended (without a last `Disconnected` if a deadline cut its end short).
    /// Cancel-safe.
    pub async fn recv(&mut self) -> Option<LinkEvent> {
        let event = self.queue.recv().await;
        self.release(event)
    }

    /// The next event, if one waits.
    pub fn try_recv(&mut self) -> Option<LinkEvent> {
        let event = self.queue.try_recv().ok();
        self.release(event)
    }

    fn release(&self, event: Option<LinkEvent>) -> Option<LinkEvent> {
        if let Some(event) = &event {
            self.budget.release(event.cost());
        }
        event
    }
}

/// The link's end.
#[derive(Debug)]
pub(super) struct EventSender {
    queue: mpsc::UnboundedSender<LinkEvent>,
    budget: Arc<Budget>,
}

impl EventSender {
    /// Queues a message, unless that would exceed the bound.
    #[must_use]
    pub(super) fn offer(&self, message: LinkEvent) -> bool {
        let cost = message.cost();
        if !self.budget.try_take(cost) {
            return false;
        }
        self.put(message, cost);
        true
    }

    /// Queues a change of state, which must not be lost. Bounded, because the link does not reconnect while this is full.
    pub(super) fn send(&self, event: LinkEvent) {
        let cost = event.cost();
        self.budget.take(cost);
        self.put(event, cost);
    }

    /// Whether the owner has fallen behind by all that is allowed.
    pub(super) fn is_full(&self) -> bool {
        self.budget.is_exhausted()
    }

    /// Resolves when the owner has dropped its end.
    pub(super) async fn closed(&self) {
        self.queue.closed().await;
    }

    /// Whether the owner has dropped its end.
    pub(super) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    fn put(&self, event: LinkEvent, cost: usize) {
        if self.queue.send(event).is_err() {
            self.budget.release(cost);
        }
    }
}

/// A queue of events that holds at most what `budget` allows.
pub(super) fn channel(budget: Arc<Budget>) -> (EventSender, LinkEvents) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let events = LinkEvents { queue: receiver, budget: Arc::clone(&budget) };
    let sender = EventSender { queue: sender, budget };
    (sender, events)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(payload: usize) -> LinkEvent {
        LinkEvent::Message { topic: "a/b".to_owned(), payload: Bytes::from(vec![0; payload]) }
    }

    #[test]
    fn messages_beyond_the_bound_are_refused_until_others_are_read() {
        let budget = Arc::new(Budget::new(1000));
        let (sender, mut events) = channel(Arc::clone(&budget));
        assert!(sender.offer(message(500)));
        assert!(!sender.offer(message(500)));
        assert_eq!(events.try_recv(), Some(message(500)));
        assert!(sender.offer(message(500)));
        assert!(events.try_recv().is_some() && events.try_recv().is_none());
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn a_change_of_state_is_never_refused() {
        let (sender, mut events) = channel(Arc::new(Budget::new(100)));
        let reason = "cut".to_owned();
        sender.send(LinkEvent::Disconnected { reason });
        assert!(sender.is_full());
        assert!(matches!(events.try_recv(), Some(LinkEvent::Disconnected { .. })));
        assert!(!sender.is_full());
    }

    #[tokio::test]
    async fn the_end_of_the_link_is_the_end_of_the_events() {
        let (sender, mut events) = channel(Arc::new(Budget::new(1000)));
        assert!(sender.offer(message(1)));
        drop(sender);
        assert_eq!(events.recv().await, Some(message(1)));
        assert_eq!(events.recv().await, None);
    }
}
