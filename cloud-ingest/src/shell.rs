//! What the site node is connected to: a link to each broker, and the store's thread.

use crate::directing::Asked;
use crate::journal::Journal;
use crate::live::{Feed, Whereabouts};
use crate::store::StoreThread;
use crate::traced::Traced;
use bytes::Bytes;
use fogline_protocol::ids::Name;
use fogline_protocol::node::{self, CloudTuning, SiteEffect, SiteInput, SiteNode, SiteSnapshot};
use fogline_protocol::realm::Realm;
use fogline_protocol::store::StoreAnswer;
use fogline_protocol::topic::region_of;
use fogline_runtime::clock::Clock;
use fogline_runtime::driver::Shell;
use fogline_runtime::link::{LinkEvent, LinkEvents, LinkHandle, Publish};
use fogline_service::notify::Heart;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// How often a snapshot is shown to the outside.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// Why an ingester cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ending {
    /// Nothing can be stored any more.
    #[error("the store's thread ended: restart the ingester; agents send again what was not stored")]
    Store,
    /// Nobody is heard any more at one of the brokers.
    #[error("the MQTT link ended: restart the ingester; agents send again what was not stored")]
    Link,
    /// Another ingester takes the same agents' readings to another store.
    #[error(
        "{peer} takes the same agents' readings and writes to another store ({store}): sites must share one. Give both the \
         same InfluxDB (--store influxdb; --store-name where they reach it under different addresses), or on one machine the \
         same --data-dir with --shared, or each regions (--region) or a share (--share) of its own"
    )]
    Conflict {
        /// The other one.
        peer: Name,
        /// Its store.
        store: String,
    },
}

/// The shell.
pub(crate) struct IngestShell {
    /// One for each broker, in their order.
    pub(crate) links: Vec<LinkHandle>,
    pub(crate) events: Vec<LinkEvents>,
    /// What to hear while it leads.
    pub(crate) agents: Vec<String>,
    pub(crate) store: StoreThread,
    pub(crate) answers: mpsc::Receiver<StoreAnswer>,
    /// What operators decide.
    pub(crate) asked: Asked,
    pub(crate) snapshots: watch::Sender<SiteSnapshot>,
    pub(crate) next_snapshot: Instant,
    pub(crate) clock: Clock,
    pub(crate) journal: Journal,
    pub(crate) traced: Traced,
    /// What the store has taken, for those who watch.
    pub(crate) feed: Feed,
    pub(crate) whereabouts: Whereabouts,
    /// Whose agents it takes.
    pub(crate) realm: Realm,
    pub(crate) ending: Option<Ending>,
    /// Done when an orderly stop has nothing left to wait for.
    pub(crate) left: watch::Sender<bool>,
    pub(crate) heart: Heart,
    /// Bounds and rules to take over.
    pub(crate) tunings: mpsc::Receiver<CloudTuning>,
}

impl Shell<SiteNode> for IngestShell {
    fn start(&mut self, effect: SiteEffect) {
        self.traced.asked(&effect, || self.clock.now().wall);
        match effect {
            SiteEffect::Publish { broker, publish } => self.publish(broker, publish),
            SiteEffect::Store(command) => {
                self.feed.asked(&command);
                if self.store.send(command).is_err() {
                    self.ending = Some(Ending::Store);
                }
            }
            SiteEffect::Listen(listens) => {
                let filters = if listens { self.agents.clone() } else { Vec::new() };
                self.links.iter().for_each(|link| link.listen(filters.clone()));
                if !listens {
                    self.asked.forget();
                }
            }
            SiteEffect::Directed { ticket, result } => self.asked.answered(ticket, result),
            SiteEffect::Conflict { peer, store } => self.ending = Some(Ending::Conflict { peer, store }),
        }
    }

    async fn next(&mut self, _: &SiteNode) -> Option<SiteInput> {
        if self.ending.is_some() {
            return None;
        }
        tokio::select! {
            biased;
            answer = self.answers.recv() => {
                if answer.is_none() {
                    self.ending = Some(Ending::Store);
                }
                answer.map(|answer| {
                    self.feed.answered(&answer, self.clock.now().wall);
                    self.told(SiteInput::Store(answer))
                })
            }
            question = self.asked.next() => Some(question),
            Some(tuning) = self.tunings.recv() => Some(SiteInput::Tune(tuning)),
            (broker, event) = any(&mut self.events) => {
                if event.is_none() {
                    self.ending = Some(Ending::Link);
                }
                event.map(|event| self.heard(broker, event))
            }
        }
    }

    fn observe(&mut self, node: &mut SiteNode) {
        if node.has_left() {
            self.left.send_replace(true);
        }
        let now = Instant::now();
        if self.next_snapshot <= now {
            self.next_snapshot = now + SNAPSHOT_EVERY;
            let snapshot = node.snapshot(self.clock.now().mono);
            self.journal.look(&snapshot, now);
            self.snapshots.send_replace(snapshot);
        }
    }

    fn beat(&mut self, node: &SiteNode) -> Option<std::time::Instant> {
        let now = self.clock.now().mono;
        self.heart.beat(|| {
            let SiteSnapshot { role, connected, .. } = node.snapshot(now);
            format!("{role}, connected to {} brokers", connected.len())
        })
    }
}

impl IngestShell {
    /// What the node is told, seen by those who trace it.
    fn told(&mut self, input: SiteInput) -> SiteInput {
        self.traced.told(&input, || self.clock.now().wall);
        input
    }

    fn publish(&self, broker: usize, publish: node::Publish) {
        let payload = Bytes::from(publish.payload);
        let message = Publish { topic: publish.topic, payload, retain: publish.retain };
        // What the link has no room for is said again: acknowledgements every 2 s, decisions until answered, beats twice a
        // second. The link counts it.
        if let Some(link) = self.links.get(broker) {
            link.publish(message).ok();
        }
    }

    fn heard(&mut self, broker: usize, event: LinkEvent) -> SiteInput {
        match event {
            LinkEvent::Connected { .. } => {
                self.journal.connected(broker);
                SiteInput::Connected { broker }
            }
            LinkEvent::Disconnected { reason } => {
                self.journal.disconnected(broker, &reason);
                SiteInput::Disconnected { broker }
            }
            LinkEvent::Message { topic, payload } => {
                // To one of many shares most is of others.
                let own = region_of(&topic).is_some_and(|region| self.realm.takes(region));
                if own {
                    self.whereabouts.heard(&topic, broker);
                }
                let input = SiteInput::Message { broker, topic, payload };
                if own { self.told(input) } else { input }
            }
        }
    }
}

/// The next event of any link, and which link's it is. Cancel-safe, as each of them is.
async fn any(events: &mut [LinkEvents]) -> (usize, Option<LinkEvent>) {
    poll_fn(|context| {
        for (broker, events) in events.iter_mut().enumerate() {
            if let Poll::Ready(event) = pin!(events.recv()).poll(context) {
                return Poll::Ready((broker, event));
            }
        }
        Poll::Pending
    })
    .await
}
