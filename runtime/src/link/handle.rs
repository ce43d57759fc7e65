//! The owner's side of a link: publish, close, count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::budget::Budget;
use super::metrics::{Counters, LinkMetrics};
use super::publish::{Publish, PublishError};

/// Stands for "no connection" where a connection number is kept; the first connection is number 1.
const OFFLINE: u64 = 0;

/// What handles and the link's task share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) counters: Counters,
    pub(super) outgoing: Budget,
    pub(super) incoming: Arc<Budget>,
    pub(super) max_packet_bytes: usize,
    /// Beside the commands, which wait when a connection takes nothing more: that is when it is to be left.
    pub(super) wanted: watch::Sender<Wanted>,
    connection: AtomicU64,
}

/// To leave the connection of this number for this broker of the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) broker: usize,
    pub(super) connection: u64,
}

/// What handles ask of the link's task.
#[derive(Debug)]
pub(super) enum Command {
    /// To be sent on the connection of the given number, or else thrown away.
    Publish { publish: Publish, connection: u64 },
    /// To subscribe these filters too, now and on each connection to come, and no others that came like this.
    Listen(Vec<String>),
    /// To send what is queued, disconnect, and say whether all of it was acknowledged.
    Close(oneshot::Sender<bool>),
}

impl Shared {
    pub(super) fn new(outgoing: Budget, incoming: Arc<Budget>, max_packet_bytes: usize) -> Self {
        Self {
            counters: Counters::default(),
            outgoing,
            incoming,
            max_packet_bytes,
            wanted: watch::Sender::new(Wanted { broker: 0, connection: OFFLINE }),
            connection: AtomicU64::new(OFFLINE),
        }
    }

    pub(super) fn set_online(&self, connection: u64) {
        self.connection.store(connection, Ordering::Release);
    }

    pub(super) fn set_offline(&self) {
        self.connection.store(OFFLINE, Ordering::Release);
    }

    /// The number of the connection that publishes go to now.
    fn online(&self) -> Option<u64> {
        let connection = self.connection.load(Ordering::Acquire);
        (connection != OFFLINE).then_some(connection)
    }
}

/// Publishes through a link. Clones share it; when the last is dropped the link ends at once, without a DISCONNECT, so that the
/// broker publishes the last will.
#[derive(Debug, Clone)]
pub struct LinkHandle {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl LinkHandle {
    pub(super) fn new(commands: mpsc::UnboundedSender<Command>, shared: Arc<Shared>, task: AbortHandle) -> Self {
        Self { commands, shared, task }
    }

    /// Queues a message for the current connection. Never waits. Ok promises nothing: the message is forgotten if the connection
    /// ends, and only an answer from the far end shows that it arrived.
    ///
    /// # Errors
    /// See [`PublishError`]: each refusal leaves nothing queued, and is counted.
    pub fn publish(&self, publish: Publish) -> Result<(), PublishError> {
        self.queue(publish).inspect_err(|_| self.shared.counters.refused.increment())
    }

    /// Leaves the current connection at once and connects to the broker at this place in the list, from 0, without a wait. There is no
    /// DISCONNECT: what the old broker then publishes is the last will, which says under its number that the client is gone from there,
    /// also when nothing more gets through to it. What has no PUBACK is forgotten, as with every connection. If the broker cannot be
    /// reached the next of the list is tried. Does nothing without a connection, or for a place that the list does not have.
    pub fn use_broker(&self, broker: usize) {
        if let Some(connection) = self.shared.online() {
            self.shared.wanted.send_replace(Wanted { broker, connection });
        }
    }

    /// Subscribes to these filters beside those of the configuration, now and after each connect; none: to those only. They take
    /// the place of those before; what is in both stays. They go into one SUBSCRIBE: some dozens at most. A broker that refuses
    /// one ends the connection.
    pub fn listen(&self, filters: Vec<String>) {
        // A link that has ended hears nothing in any case.
        self.commands.send(Command::Listen(filters)).ok();
    }

    /// Sends what is queued, waits for its PUBACKs, sends DISCONNECT (so that no last will is published), and ends the link,
    /// all within `deadline`. True if all of that was done; false if the deadline cut it short, or there was no connection.
    pub async fn close(self, deadline: Duration) -> bool {
        let (done, outcome) = oneshot::channel();
        if self.commands.send(Command::Close(done)).is_err() {
            return false;
        }
        let outcome = tokio::time::timeout(deadline, outcome).await;
        self.task.abort();
        matches!(outcome, Ok(Ok(true)))
    }

    /// The counters now.
    #[must_use]
    pub fn metrics(&self) -> LinkMetrics {
        LinkMetrics {
            connected: self.shared.online().is_some() && !self.commands.is_closed(),
            outgoing_bytes: self.shared.outgoing.used(),
            incoming_bytes: self.shared.incoming.used(),
            ..self.shared.counters.snapshot()
        }
    }

    fn queue(&self, publish: Publish) -> Result<(), PublishError> {
        publish.check(self.shared.max_packet_bytes)?;
        if self.commands.is_closed() {
            return Err(PublishError::Closed);
        }
        let connection = self.shared.online().ok_or(PublishError::Offline)?;
        let cost = publish.cost();
        if !self.shared.outgoing.try_take(cost) {
            return Err(PublishError::Full);
        }
        let command = Command::Publish { publish, connection };
        self.commands.send(command).map_err(|_| {
            self.shared.outgoing.release(cost);
            PublishError::Closed
        })
    }
}

/// Waits until the owner wants another broker instead of this connection. Cancel-safe.
pub(super) async fn another_broker(wanted: &mut watch::Receiver<Wanted>, connection: u64) -> usize {
    while wanted.changed().await.is_ok() {
        let wanted = *wanted.borrow_and_update();
        // What was wanted of a connection that has ended by itself meanwhile says nothing of this one.
        if wanted.connection == connection {
            return wanted.broker;
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wish_counts_for_its_own_connection_only() {
        let (sender, mut receiver) = watch::channel(Wanted { broker: 0, connection: OFFLINE });
        sender.send_replace(Wanted { broker: 1, connection: 6 });
        let patience = Duration::from_secs(1);
        assert!(tokio::time::timeout(patience, another_broker(&mut receiver, 7)).await.is_err());
        sender.send_replace(Wanted { broker: 2, connection: 7 });
        assert_eq!(tokio::time::timeout(patience, another_broker(&mut receiver, 7)).await, Ok(2));
    }
}
