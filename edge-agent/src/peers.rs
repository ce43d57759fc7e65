//! What lets an agent speak to the others of its region: a machine beside the agent that uses its connection and its queue.
//!
//! An agent has one connection, because two clients with its name would throw each other out; and one queue, because what is
//! committed there is sent until it is stored.

use bytes::Bytes;
use fogline_protocol::reading::Readings;
use fogline_runtime::link::{LinkEvent, Publish};
use tokio::sync::mpsc::{self, Receiver, Sender, UnboundedReceiver, UnboundedSender};

/// Messages that wait in each direction. Beyond, they are dropped: those who speak repeat what is not answered.
const MESSAGES_MAX: usize = 1024;
/// Tickets from here on are those of peers: below are those of the source, which counts from 1, and above those of orders.
const FIRST_TICKET: u64 = 1 << 62;
const LAST_TICKET: u64 = (1 << 63) - 1;
/// The level of the topics of peers.
const LEVEL: &str = "/peers/";

/// What happens, for the machine beside the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// The broker has accepted the connection and the subscriptions.
    Connected,
    /// The connection is gone.
    Disconnected,
    /// A message of another agent.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Bytes,
    },
    /// The readings of this ticket are in the queue, on disk.
    Committed {
        /// As it was given to [`PeerHandle::append`].
        ticket: u64,
    },
}

/// The agent's end: for [`program::run_with`](crate::program::run_with).
#[derive(Debug)]
pub struct Peers {
    pub(crate) filters: Vec<String>,
    messages: Sender<(String, Bytes)>,
    // Bounded by what is appended, and by how often a link connects.
    signals: UnboundedSender<PeerEvent>,
    publishes: Receiver<Publish>,
    // Bounded by the machine: it has a limit of tickets that are not answered.
    appends: UnboundedReceiver<(u64, Readings)>,
}

/// The machine's end.
#[derive(Debug)]
pub struct PeerHandle {
    messages: Receiver<(String, Bytes)>,
    signals: UnboundedReceiver<PeerEvent>,
    publishes: Sender<Publish>,
    appends: UnboundedSender<(u64, Readings)>,
}

/// Both ends, for messages of these topic filters.
#[must_use]
pub fn peers(filters: Vec<String>) -> (Peers, PeerHandle) {
    let (heard, messages) = mpsc::channel(MESSAGES_MAX);
    let (signal, signals) = mpsc::unbounded_channel();
    let (publish, publishes) = mpsc::channel(MESSAGES_MAX);
    let (append, appends) = mpsc::unbounded_channel();
    let agent = Peers { filters, messages: heard, signals: signal, publishes, appends };
    (agent, PeerHandle { messages, signals, publishes: publish, appends: append })
}

impl PeerHandle {
    /// The next event; none when the agent has ended. Cancel-safe.
    pub async fn next(&mut self) -> Option<PeerEvent> {
        tokio::select! {
            biased;
            signal = self.signals.recv() => signal,
            Some((topic, payload)) = self.messages.recv() => Some(PeerEvent::Message { topic, payload }),
        }
    }

    /// Publishes over the agent's connection. What cannot be sent is dropped.
    pub fn publish(&self, publish: Publish) {
        self.publishes.try_send(publish).ok();
    }

    /// Appends to the agent's queue, answered by [`PeerEvent::Committed`]. Tickets below 2^62.
    pub fn append(&self, ticket: u64, readings: Readings) {
        // Nobody answers when the agent has ended: then its queue has not taken them.
        self.appends.send((ticket, readings)).ok();
    }
}

impl Peers {
    /// True when the event is for the peers only.
    pub(crate) fn heard(&self, event: &LinkEvent) -> bool {
        match event {
            LinkEvent::Connected { .. } => drop(self.signals.send(PeerEvent::Connected)),
            LinkEvent::Disconnected { .. } => drop(self.signals.send(PeerEvent::Disconnected)),
            LinkEvent::Message { topic, payload } if topic.contains(LEVEL) => {
                self.messages.try_send((topic.clone(), payload.clone())).ok();
                return true;
            }
            LinkEvent::Message { .. } => {}
        }
        false
    }

    /// The next message that was handed over before the agent was told to end.
    pub(crate) fn unsaid(&mut self) -> Option<Publish> {
        self.publishes.try_recv().ok()
    }

    /// The readings of a ticket are durable: true when it was one of the peers.
    pub(crate) fn committed(&self, ticket: u64) -> bool {
        let ours = (FIRST_TICKET..=LAST_TICKET).contains(&ticket);
        if ours {
            self.signals.send(PeerEvent::Committed { ticket: ticket - FIRST_TICKET }).ok();
        }
        ours
    }
}

/// What the machine beside the agent wants.
#[derive(Debug)]
pub(crate) enum PeerRequest {
    Publish(Publish),
    /// With the node's ticket.
    Append(u64, Readings),
}

/// The next request; appends only while the queue `takes` them. Waits for ever without peers.
pub(crate) async fn next_request(peers: Option<&mut Peers>, takes: bool) -> PeerRequest {
    let Some(peers) = peers else { return std::future::pending().await };
    tokio::select! {
        Some(publish) = peers.publishes.recv() => PeerRequest::Publish(publish),
        Some((ticket, readings)) = peers.appends.recv(), if takes => {
            PeerRequest::Append(FIRST_TICKET + ticket % FIRST_TICKET, readings)
        }
        else => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_of_peers_are_for_the_peers_and_others_for_the_agent() {
        let (agent, mut handle) = peers(Vec::new());
        let message = |topic: &str| LinkEvent::Message { topic: topic.to_owned(), payload: Bytes::new() };
        assert!(!agent.heard(&LinkEvent::Connected { broker: 0, connection: 1 }));
        assert!(!agent.heard(&message("fogline/v1/city/a/down/ack")));
        assert!(agent.heard(&message("fogline/v1/city/peers/b/node")));
        assert_eq!(handle.next().await, Some(PeerEvent::Connected));
        assert!(matches!(handle.next().await, Some(PeerEvent::Message { topic, .. }) if topic.ends_with("node")));
        drop(agent);
        assert_eq!(handle.next().await, None);
    }

    #[tokio::test]
    async fn tickets_come_back_as_they_were_given() {
        let (mut agent, mut handle) = peers(Vec::new());
        handle.append(7, Readings::new());
        let PeerRequest::Append(ticket, _) = next_request(Some(&mut agent), true).await else { panic!("no append") };
        assert!(agent.committed(ticket) && !agent.committed(7) && !agent.committed(1 << 63));
        assert_eq!(handle.next().await, Some(PeerEvent::Committed { ticket: 7 }));
    }

    #[tokio::test]
    async fn more_messages_than_may_wait_are_dropped() {
        let (agent, mut handle) = peers(Vec::new());
        for _ in 0..MESSAGES_MAX + 10 {
            let payload = Bytes::new();
            assert!(agent.heard(&LinkEvent::Message { topic: "a/peers/b".to_owned(), payload }));
        }
        let mut count = 0;
        drop(agent);
        while handle.messages.recv().await.is_some() {
            count += 1;
        }
        assert_eq!(count, MESSAGES_MAX);
    }
}
