//! What the cloud node is connected to: the MQTT link and the store's thread.

use crate::journal::Journal;
use crate::store::StoreThread;
use bytes::Bytes;
use fogline_protocol::node::{CloudEffect, CloudInput, CloudNode, CloudSnapshot};
use fogline_protocol::store::StoreAnswer;
use fogline_runtime::driver::Shell;
use fogline_runtime::link::{LinkEvent, LinkEvents, LinkHandle, Publish};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How often a snapshot is shown to the outside.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// The shell.
pub(crate) struct IngestShell {
    pub(crate) link: LinkHandle,
    pub(crate) events: LinkEvents,
    pub(crate) store: StoreThread,
    pub(crate) answers: mpsc::Receiver<StoreAnswer>,
    pub(crate) snapshots: watch::Sender<CloudSnapshot>,
    pub(crate) next_snapshot: Instant,
    /// The store's thread has ended: nothing can be stored any more.
    pub(crate) store_closed: bool,
    /// The link's task has ended: nobody is heard any more.
    pub(crate) link_closed: bool,
    pub(crate) connected: bool,
    pub(crate) journal: Journal,
}

impl Shell<CloudNode> for IngestShell {
    fn start(&mut self, effect: CloudEffect) {
        match effect {
            CloudEffect::Publish(publish) => {
                let payload = Bytes::from(publish.payload);
                let message = Publish { topic: publish.topic, payload, retain: publish.retain };
                // What the link has no room for is said again: acknowledgements every 2 s, decisions until answered.
                // The link counts it.
                self.link.publish(message).ok();
            }
            CloudEffect::Store(command) => self.store_closed |= self.store.send(command).is_err(),
        }
    }

    async fn next(&mut self, _: &CloudNode) -> Option<CloudInput> {
        if self.store_closed {
            return None;
        }
        tokio::select! {
            biased;
            answer = self.answers.recv() => {
                self.store_closed = answer.is_none();
                answer.map(CloudInput::Store)
            }
            event = self.events.recv() => {
                self.link_closed = event.is_none();
                event.map(|event| self.heard(event))
            }
        }
    }

    fn observe(&mut self, node: &mut CloudNode) {
        let now = Instant::now();
        if self.next_snapshot <= now {
            self.next_snapshot = now + SNAPSHOT_EVERY;
            let snapshot = node.snapshot();
            self.journal.look(&snapshot.counters, now);
            self.snapshots.send_replace(snapshot);
        }
    }
}

impl IngestShell {
    fn heard(&mut self, event: LinkEvent) -> CloudInput {
        match event {
            LinkEvent::Connected { broker, .. } => {
                self.connected = true;
                tracing::info!(broker, "connected and subscribed");
                CloudInput::Connected
            }
            LinkEvent::Disconnected { reason } => {
                if std::mem::take(&mut self.connected) {
                    tracing::warn!(reason, "the connection to the broker ended; connecting again");
                }
                CloudInput::Disconnected
            }
            LinkEvent::Message { topic, payload } => CloudInput::Message { topic, payload },
        }
    }
}
