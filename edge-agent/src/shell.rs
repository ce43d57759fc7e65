//! What the edge node is connected to: the queue's thread, the MQTT link, the source, and those who ask how it is.

use crate::journal::Journal;
use crate::latency::Latencies;
use crate::limit::{self, Limit, LimitWatch};
use crate::orders::Orders;
use crate::peers::{PeerRequest, Peers, next_request};
use crate::pump::{Delivery, Pump};
use crate::settings::{AgentConfig, Until};
use crate::source::{Receipt, SourceError};
use crate::status::{EachSourceReport, LatencyReport, Question, SourceReport, SourceState, StatusReport};
use crate::traced::Traced;
use crate::tuning::{Tuning, Tunings};
use bytes::Bytes;
use fogline_protocol::node::{EdgeEffect, EdgeInput, EdgeNode, EdgeSnapshot};
use fogline_protocol::queue::QueueAnswer;
use fogline_protocol::time::Monotonic;
use fogline_runtime::clock::Clock;
use fogline_runtime::driver::Shell;
use fogline_runtime::link::{LinkEvent, LinkEvents, LinkHandle, Publish};
use fogline_runtime::outbox::OutboxHandle;
use fogline_service::notify::Heart;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// How often a snapshot is shown to the outside, when something changed.
const SNAPSHOT_EVERY: Duration = Duration::from_millis(100);

/// An agent at one moment, for those who watch it in this process.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSnapshot {
    /// The edge node.
    pub edge: EdgeSnapshot,
    /// Readings acknowledged before this start, since the queue was made.
    pub acknowledged_before: u64,
    /// The source.
    pub source: SourceReport,
    /// The speed limit that holds.
    pub limit: Limit,
    /// When this was, on the same clock as [`EdgeSnapshot::heard`].
    pub at: Monotonic,
}

/// Why the loop ended, other than by being told to.
#[derive(Debug)]
pub(crate) enum Ending {
    /// What [`Until`] waits for has come.
    Done,
    /// The source failed.
    Source(SourceError),
    /// The queue's thread has ended.
    Queue,
    /// The link has ended.
    Link,
}

/// The readings of the source that are on their way into the queue.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    next: u64,
    open: BTreeMap<u64, Ticket>,
    accepted_readings: u64,
}

#[derive(Debug)]
struct Ticket {
    weight: usize,
    readings: usize,
    receipts: Vec<Receipt>,
}

/// The shell.
pub(crate) struct AgentShell {
    pub(crate) agent: String,
    pub(crate) brokers: Vec<String>,
    pub(crate) link: LinkHandle,
    pub(crate) events: LinkEvents,
    pub(crate) queue: OutboxHandle,
    pub(crate) answers: mpsc::UnboundedReceiver<QueueAnswer>,
    pub(crate) pump: Option<Pump>,
    pub(crate) source_ended: bool,
    pub(crate) tickets: Tickets,
    pub(crate) until: Until,
    pub(crate) questions: mpsc::Receiver<Question>,
    pub(crate) orders: Orders,
    pub(crate) peers: Option<Peers>,
    pub(crate) snapshots: watch::Sender<AgentSnapshot>,
    pub(crate) acknowledged_before: u64,
    pub(crate) started: Instant,
    pub(crate) latencies: Latencies,
    pub(crate) journal: Journal,
    pub(crate) traced: Traced,
    pub(crate) clock: Clock,
    pub(crate) limit: LimitWatch,
    /// What an operator changes of the sources.
    pub(crate) tunings: Tunings,
    /// The register of the limit holds another decision, or none any more.
    pub(crate) limit_decided: bool,
    pub(crate) connection: u64,
    pub(crate) next_snapshot: Instant,
    pub(crate) changed: bool,
    pub(crate) ending: Option<Ending>,
    pub(crate) heart: Heart,
    /// Configurations to take over while it runs, as far as that is possible.
    pub(crate) reloads: mpsc::Receiver<Box<AgentConfig>>,
}

impl Tickets {
    fn issue(&mut self, weight: usize, readings: usize, receipts: Vec<Receipt>) -> u64 {
        self.next += 1;
        self.open.insert(self.next, Ticket { weight, readings, receipts });
        self.next
    }

    /// What the offer of this ticket weighed. Whoever waits for it is told.
    fn accept(&mut self, ticket: u64) -> Option<usize> {
        let Ticket { weight, readings, receipts } = self.open.remove(&ticket)?;
        receipts.iter().for_each(Receipt::give);
        self.accepted_readings += readings as u64;
        Some(weight)
    }

    /// Readings that are handed over and not committed.
    pub(crate) fn open_readings(&self) -> usize {
        self.open.values().map(|ticket| ticket.readings).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl Shell<EdgeNode> for AgentShell {
    fn start(&mut self, effect: EdgeEffect) {
        self.traced.asked(&effect, || self.clock.now().wall);
        match effect {
            EdgeEffect::Queue(command) => self.queue.send(command),
            EdgeEffect::Publish(publish) => {
                let payload = Bytes::from(publish.payload);
                // What the link does not take the node sends again; the link counts it.
                self.link.publish(Publish { topic: publish.topic, payload, retain: publish.retain }).ok();
            }
            EdgeEffect::UseBroker(to) => {
                self.journal.moves(self.brokers.get(to.broker).map_or("", String::as_str), to.reason);
                self.link.use_broker(to.broker);
            }
            EdgeEffect::Accepted { ticket } if self.orders.accepted(ticket) => {}
            EdgeEffect::Accepted { ticket } if self.peers.as_ref().is_some_and(|peers| peers.committed(ticket)) => {}
            EdgeEffect::Accepted { ticket } => {
                if let (Some(weight), Some(pump)) = (self.tickets.accept(ticket), &self.pump) {
                    pump.accepted(weight);
                }
            }
            EdgeEffect::Tune(sensing) => {
                self.tunings.set(None, Tuning::from(sensing));
                self.journal.tuned(sensing);
            }
            EdgeEffect::InForce { key, decision } => {
                self.limit_decided |= key == limit::KEY;
                self.journal.decision(&key, decision.as_ref());
            }
        }
    }

    async fn next(&mut self, node: &EdgeNode) -> Option<EdgeInput> {
        while self.ending.is_none() {
            let takes = node.wants_readings() && !self.source_ended;
            let (next_snapshot, changed) = (self.next_snapshot, self.changed);
            tokio::select! {
                biased;
                answer = self.answers.recv() => match answer {
                    Some(answer) => {
                        self.orders.answered(&answer);
                        return Some(self.told(EdgeInput::Queue(answer)));
                    }
                    None => self.ending = Some(Ending::Queue),
                },
                event = self.events.recv() => match event {
                    Some(event) if self.peers.as_ref().is_some_and(|peers| peers.heard(&event)) => {}
                    Some(event) => return Some(self.heard(event)),
                    None => self.ending = Some(Ending::Link),
                },
                Some(config) = self.reloads.recv() => return Some(self.reloaded(&config)),
                Some(question) = self.questions.recv() => match question {
                    Question::Status { tuples, asker } => self.answer(tuples, asker, node),
                    Question::Order(order, asker) => {
                        if let Some(input) = self.orders.take(order, asker, node) {
                            return Some(input);
                        }
                    }
                },
                request = next_request(self.peers.as_mut(), node.wants_readings()) => match request {
                    // What the link does not take the peers' machine says again.
                    PeerRequest::Publish(publish) => drop(self.link.publish(publish)),
                    PeerRequest::Append(ticket, readings) => {
                        return Some(EdgeInput::Readings { ticket, readings, position: None });
                    }
                },
                delivery = next_delivery(self.pump.as_mut()), if takes => {
                    if let Some(input) = self.delivered(delivery) {
                        return Some(input);
                    }
                    self.check_end(node);
                }
                () = tokio::time::sleep_until(next_snapshot), if changed => self.show(node),
            }
        }
        None
    }

    fn observe(&mut self, node: &mut EdgeNode) {
        // What took longer than the agent runs waited in the queue before: an outage's length, and no speed of anything.
        let running_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        for us in node.take_latencies().into_iter().filter(|us| *us <= running_us) {
            self.latencies.record(us);
        }
        if std::mem::take(&mut self.limit_decided) {
            self.limit.decided(node.decision(limit::KEY), self.clock.now());
        }
        self.changed = true;
        self.check_end(node);
    }

    fn beat(&mut self, node: &EdgeNode) -> Option<std::time::Instant> {
        self.heart.beat(|| {
            let EdgeSnapshot { usage, connected, .. } = node.snapshot();
            let link = if connected { "connected" } else { "not connected" };
            format!("{} readings queued, {link}", usage.readings)
        })
    }
}

impl AgentShell {
    /// A machine beside the agent may have said its last words and ended the agent before its loop turned again.
    pub(crate) fn say_rest(&mut self) {
        while let Some(publish) = self.peers.as_mut().and_then(Peers::unsaid) {
            self.link.publish(publish).ok();
        }
    }

    /// What the node is told, seen by those who trace it.
    fn told(&mut self, input: EdgeInput) -> EdgeInput {
        self.traced.told(&input, || self.clock.now().wall);
        input
    }

    /// Takes over what can change while it runs.
    fn reloaded(&mut self, config: &AgentConfig) -> EdgeInput {
        self.queue.bound(config.limits);
        self.limit.set_default(config.default_limit_kmh);
        self.limit_decided = true;
        EdgeInput::Tune { limits: config.limits, commit_every: config.commit_every }
    }

    fn heard(&mut self, event: LinkEvent) -> EdgeInput {
        match event {
            LinkEvent::Connected { broker, connection } => {
                self.connection = connection;
                let named = self.brokers.get(broker).map_or("", String::as_str);
                self.journal.connected(named, broker + 1, self.brokers.len());
                EdgeInput::Connected { broker, connection }
            }
            LinkEvent::Disconnected { reason } => {
                self.journal.disconnected(&reason);
                EdgeInput::Disconnected
            }
            LinkEvent::Message { topic, payload } => self.told(EdgeInput::Message { topic, payload }),
        }
    }

    fn delivered(&mut self, delivery: Option<Delivery>) -> Option<EdgeInput> {
        match delivery {
            Some(Delivery::Offer { offer, weight }) => {
                let ticket = self.tickets.issue(weight, offer.readings.len(), offer.receipts);
                return Some(EdgeInput::Readings { ticket, readings: offer.readings, position: offer.position });
            }
            Some(Delivery::End(Ok(()))) => tracing::info!("the source has ended"),
            Some(Delivery::End(Err(error))) => self.ending = Some(Ending::Source(error)),
            None => {}
        }
        self.source_ended = true;
        None
    }

    /// Ends the loop when what [`Until`] waits for has come.
    fn check_end(&mut self, node: &EdgeNode) {
        if !self.source_ended || !self.tickets.is_empty() || self.ending.is_some() {
            return;
        }
        let done = match self.until {
            Until::Stopped => false,
            Until::Queued => true,
            Until::Acknowledged => node.snapshot().usage.readings == 0,
        };
        if done {
            self.ending = Some(Ending::Done);
        }
    }

    /// The agent now.
    pub(crate) fn snapshot(&self, node: &EdgeNode) -> AgentSnapshot {
        let (offered, skipped) = self.pump.as_ref().map_or((0, 0), Pump::counts);
        let state = match (&self.pump, self.source_ended) {
            (None, _) => SourceState::None,
            (Some(_), false) => SourceState::Running,
            (Some(_), true) => SourceState::Ended,
        };
        AgentSnapshot {
            edge: node.snapshot(),
            acknowledged_before: self.acknowledged_before,
            source: SourceReport {
                state,
                offered,
                accepted: self.tickets.accepted_readings,
                skipped,
                each: self.each_source(),
            },
            limit: self.limit.get(),
            at: self.clock.now().mono,
        }
    }

    /// One source is told of as a whole.
    fn each_source(&self) -> Vec<EachSourceReport> {
        let state = |ended| if ended { SourceState::Ended } else { SourceState::Running };
        let each: Vec<EachSourceReport> = self
            .pump
            .iter()
            .flat_map(Pump::each)
            .map(|source| EachSourceReport {
                state: state(source.ended),
                name: source.name,
                offered: source.offered,
                skipped: source.skipped,
            })
            .collect();
        if each.len() > 1 { each } else { Vec::new() }
    }

    fn answer(&self, tuples: usize, asker: oneshot::Sender<StatusReport>, node: &EdgeNode) {
        let latency = LatencyReport::new(&self.latencies);
        let mut report = StatusReport::live(self.agent.clone(), &self.brokers, self.snapshot(node), latency);
        report.show_tuples(&node.tuples(tuples));
        // Whoever asked may have gone.
        asker.send(report).ok();
    }

    pub(crate) fn show(&mut self, node: &EdgeNode) {
        self.changed = false;
        self.next_snapshot = Instant::now() + SNAPSHOT_EVERY;
        let snapshot = self.snapshot(node);
        self.journal.look(&snapshot.edge);
        self.snapshots.send_replace(snapshot);
    }
}

/// Waits for ever when there is no source.
async fn next_delivery(pump: Option<&mut Pump>) -> Option<Delivery> {
    match pump {
        Some(pump) => pump.next().await,
        None => std::future::pending().await,
    }
}
