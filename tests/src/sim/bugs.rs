//! Bugs that are planted to see whether the checks bite.
//!
//! None of them is in the protocol's code: the saboteur sits at the boundary of a node and changes what goes in or out,
//! so that the whole behaves as a program with that bug would.

use super::clocks::EPOCH_US;
use super::ledger::Ledger;
use bytes::Bytes;
use fogline_protocol::clock::{SET_FROM, TimeFlag};
use fogline_protocol::delivery::PAYLOAD_BYTES;
use fogline_protocol::delivery::ranges::RangeSet;
use fogline_protocol::ids::StreamId;
use fogline_protocol::node::Publish;
use fogline_protocol::queue::{QueueAnswer, QueueState};
use fogline_protocol::realm::Realm;
use fogline_protocol::store::{Commit, Points, Recovered};
use fogline_protocol::time::Wall;
use fogline_protocol::topic::{Down, Topic, Up};
use fogline_protocol::window::{DECISION_WIDTH_S, window_start};
use fogline_protocol::wire::{Ack, Batch, Beat, Decision, DecisionAck, Hello, Message, State, StreamAck, TTL_MAX_MS};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// The store says that a commit is done before it is.
    AcknowledgeBeforeWrite,
    /// The agent takes the broker's PUBACK for an acknowledgement.
    ForgetOnPuback,
    /// The agent sends each reading once in its life.
    NoResend,
    /// The ingester writes whatever comes in, again too.
    NoDedup,
    /// The agent does not say where its streams begin.
    NoFloor,
    /// The agent keeps one stream over the openings of its queue.
    OneStream,
    /// The progress is saved in a transaction of its own, before the points.
    ProgressApart,
    /// The agent says hello once in each connection.
    HelloOnce,
    /// The agent does not keep in mind what its full queue dropped.
    GapsForgotten,
    /// The agent sends as much as it likes.
    CreditIgnored,
    /// Readings are averaged by their arrival: late ones steer a limit.
    LateReadingsSteer,
    /// Every ingester starts in term 1, whatever was before.
    TermsStartAgain,
    /// The store takes commits of an ingester that leads no more.
    NoFence,
    /// The agent does not look at the seals of its readings: what damage changed is sent.
    SealsIgnored,
    /// The agent gives new times to readings that it has sent with others.
    RestampAfterSent,
    /// The agent does not end a limit whose time is over.
    TtlIgnored,
    /// The agent keeps a configuration with which it has heard nobody.
    KeptUnheard,
    /// The agent does not go back to the configuration before.
    NoRollback,
    /// Whoever takes over does not look for what operators decided.
    DirectivesForgotten,
    /// Ingesters that have regions in common do not wait for each other.
    RivalsIgnored,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::AcknowledgeBeforeWrite,
        Self::ForgetOnPuback,
        Self::NoResend,
        Self::NoDedup,
        Self::NoFloor,
        Self::OneStream,
        Self::ProgressApart,
        Self::HelloOnce,
        Self::GapsForgotten,
        Self::CreditIgnored,
        Self::LateReadingsSteer,
        Self::TermsStartAgain,
        Self::NoFence,
        Self::SealsIgnored,
        Self::RestampAfterSent,
        Self::TtlIgnored,
        Self::KeptUnheard,
        Self::NoRollback,
        Self::DirectivesForgotten,
        Self::RivalsIgnored,
    ];
}

/// Whoever plants the bug of this run, if there is one.
#[derive(Debug)]
pub struct Saboteur {
    bug: Option<Bug>,
    sent: BTreeMap<(usize, StreamId), RangeSet>,
    hellos: BTreeSet<u64>,
}

impl Saboteur {
    /// Plants `bug`.
    #[must_use]
    pub const fn new(bug: Option<Bug>) -> Self {
        Self { bug, sent: BTreeMap::new(), hellos: BTreeSet::new() }
    }

    fn plants(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether an agent's queue hands out what damage has left.
    #[must_use]
    pub fn ignores_seals(&self) -> bool {
        self.plants(Bug::SealsIgnored)
    }

    /// The entropy of an agent's start: `fresh`, unless it is to be the same each time, and its stream with it.
    #[must_use]
    pub fn entropy(&self, agent: usize, fresh: u64) -> u64 {
        if self.plants(Bug::OneStream) { agent as u64 } else { fresh }
    }

    /// An agent opens its queue.
    pub fn opened(&mut self, agent: usize, state: &mut QueueState) {
        self.sent.retain(|(of, _), _| *of != agent);
        if self.plants(Bug::GapsForgotten) {
            state.gaps.clear();
        }
    }

    /// A queue answers.
    pub fn answered(&self, answer: &mut QueueAnswer) {
        if let (true, QueueAnswer::Appended(Ok(appended))) = (self.plants(Bug::GapsForgotten), answer) {
            appended.dropped.clear();
        }
    }

    /// An agent publishes over its connection with this number: false when the message is to be swallowed.
    pub fn edge_publishes(&mut self, agent: usize, connection: u64, publish: &mut Publish) -> bool {
        match channel(publish) {
            Some(Up::Hello) => {
                self.lower_floor_of_hello(publish);
                !self.plants(Bug::HelloOnce) || self.hellos.insert(connection)
            }
            Some(Up::Readings) => {
                self.lower_floor_of_batch(publish);
                !self.plants(Bug::NoResend) || self.sends_first_time(agent, publish)
            }
            Some(Up::Status | Up::Ack | Up::Request) | None => true,
        }
    }

    /// The broker took a batch: the acknowledgement that the agent takes its PUBACK for.
    #[must_use]
    pub fn puback(&self, publish: &Publish, credit: u64) -> Option<Publish> {
        if !self.plants(Bug::ForgetOnPuback) {
            return None;
        }
        let Ok(Topic::Up(id, Up::Readings)) = Topic::parse(&publish.topic) else { return None };
        let batch = Batch::decode(&publish.payload).ok()?;
        let stored = StreamAck { stream: batch.header.stream, through: 0, ranges: vec![batch.range()] };
        let ack = Ack { hello: None, credit, state: State::Ok, streams: vec![stored], reply: None };
        Some(Publish { topic: Topic::Down(id, Down::Ack).to_string(), payload: ack.encode(), retain: false })
    }

    /// How long an agent tries a configuration.
    #[must_use]
    pub fn trial(&self, lasts: Duration) -> Duration {
        if self.plants(Bug::NoRollback) { Duration::from_secs(86_400) } else { lasts }
    }

    /// An agent says hello: the answer that it takes for one.
    #[must_use]
    pub fn answers_hello(&self, publish: &Publish) -> Option<Publish> {
        let Ok(Topic::Up(id, Up::Hello)) = Topic::parse(&publish.topic) else { return None };
        let hello = Hello::decode(&publish.payload).ok().filter(|_| self.plants(Bug::KeptUnheard))?;
        let (hello, credit) = (Some(hello.hello), PAYLOAD_BYTES);
        let ack = Ack { hello, credit, state: State::Ok, streams: Vec::new(), reply: None };
        Some(Publish { topic: Topic::Down(id, Down::Ack).to_string(), payload: ack.encode(), retain: false })
    }

    /// True when an ingester of this realm does not hear a message: that of a rival.
    #[must_use]
    pub fn is_deaf_to(&self, publish: &Publish, realm: &Realm) -> bool {
        let beat = || Beat::decode(&publish.payload).ok().and_then(|beat| beat.realm);
        self.plants(Bug::RivalsIgnored)
            && matches!(Topic::parse(&publish.topic), Ok(Topic::Ingest(..)))
            && beat().is_some_and(|other| other.is_rival_of(realm))
    }

    /// A message is handed to an agent.
    #[must_use]
    pub fn to_edge(&self, publish: &Publish) -> Bytes {
        match Topic::parse(&publish.topic) {
            Ok(Topic::Down(_, Down::Ack)) if self.plants(Bug::CreditIgnored) => {
                let ack = Ack::decode(&publish.payload).map(|ack| Ack { credit: 1 << 40, ..ack }.encode());
                ack.unwrap_or_default().into()
            }
            Ok(Topic::Down(_, Down::Limit)) if self.plants(Bug::TtlIgnored) => {
                let limit = Decision::decode(&publish.payload);
                let limit = limit.map(|limit| Decision { ttl_ms: TTL_MAX_MS, ..limit }.encode());
                limit.unwrap_or_default().into()
            }
            _ => publish.payload.clone().into(),
        }
    }

    /// A message is handed to the ingester, whose clock shows `now`.
    #[must_use]
    pub fn to_cloud(&self, publish: &Publish, now: Wall) -> Bytes {
        let as_it_is = || publish.payload.clone();
        let changed = match channel(publish) {
            Some(Up::Hello) if self.plants(Bug::TermsStartAgain) => {
                Hello::decode(&publish.payload).map(|hello| Hello { term: None, ..hello }.encode())
            }
            Some(Up::Ack) if self.plants(Bug::TermsStartAgain) => {
                DecisionAck::decode(&publish.payload).map(|ack| DecisionAck { highest: None, ..ack }.encode())
            }
            Some(Up::Readings) if self.plants(Bug::LateReadingsSteer) => {
                Batch::decode(&publish.payload).map(|batch| stamp_late_readings(batch, now))
            }
            _ => Ok(as_it_is()),
        };
        changed.unwrap_or_else(|_| as_it_is()).into()
    }

    /// A batch that was written before is handed to the ingester: what it writes again.
    #[must_use]
    pub fn writes_again(&self, publish: &Publish, ledger: &mut Ledger) -> Option<Commit> {
        if !self.plants(Bug::NoDedup) {
            return None;
        }
        let Ok(Topic::Up(agent, Up::Readings)) = Topic::parse(&publish.topic) else { return None };
        let Batch { header, readings } = Batch::decode(&publish.payload).ok()?;
        let fresh =
            fogline_protocol::delivery::ranges::Range::new(header.first, header.first + readings.len() as u64 - 1);
        let index = ledger.agent(&agent);
        ledger.stream(index, header.stream).stored.covers(fresh).then(|| {
            let (stream, clock, first) = (header.stream, header.clock, header.first);
            let points = Points {
                agent,
                stream,
                clock,
                time: header.time,
                first,
                readings: Arc::new(readings),
                fresh: vec![fresh],
            };
            Commit { points: vec![points], ..Commit::default() }
        })
    }

    /// An ingester finds its state.
    pub fn recovered(&self, recovered: &mut Recovered) {
        if self.plants(Bug::TermsStartAgain) {
            recovered.term = 0;
        }
        if self.plants(Bug::DirectivesForgotten) {
            recovered.directives.clear();
        }
    }

    /// The ingester asks for a commit: readings keep their own times in the store, by whatever time they were averaged.
    #[must_use]
    pub fn commits(&self, commit: Arc<Commit>, ledger: &Ledger) -> Arc<Commit> {
        if !self.plants(Bug::LateReadingsSteer) {
            return commit;
        }
        let mut own_times = (*commit).clone();
        for piece in &mut own_times.points {
            let Some(book) = ledger.streams.get(&(ledger.agent(&piece.agent), piece.stream)) else { continue };
            let readings = Arc::make_mut(&mut piece.readings);
            for (index, seq) in (0..readings.len()).zip(piece.first..) {
                if let Some(row) = book.sent_row(seq) {
                    readings.set_ts(index, row.ts);
                }
            }
        }
        Arc::new(own_times)
    }

    /// An agent whose clock shows `wall` is about to publish.
    pub fn edge_encodes(&self, publish: &mut Publish, wall: Wall) {
        if !self.plants(Bug::RestampAfterSent) || wall < SET_FROM || channel(publish) != Some(Up::Readings) {
            return;
        }
        if let Ok(mut batch) = Batch::decode(&publish.payload)
            && batch.header.time == Some(TimeFlag::Unset)
        {
            for index in 0..batch.readings.len() {
                let ts = batch.readings.get(index).map_or(wall, |reading| reading.ts());
                batch.readings.set_ts(index, ts + Duration::from_micros(EPOCH_US.unsigned_abs()));
            }
            batch.header.time = Some(TimeFlag::Restamped);
            publish.payload = encode(&batch);
        }
    }

    fn lower_floor_of_hello(&self, publish: &mut Publish) {
        if !self.plants(Bug::NoFloor) {
            return;
        }
        if let Ok(mut hello) = Hello::decode(&publish.payload) {
            hello.streams.iter_mut().for_each(|open| open.floor = 1);
            publish.payload = hello.encode();
        }
    }

    fn lower_floor_of_batch(&self, publish: &mut Publish) {
        if !self.plants(Bug::NoFloor) {
            return;
        }
        if let Ok(mut batch) = Batch::decode(&publish.payload) {
            batch.header.floor = 1;
            publish.payload = encode(&batch);
        }
    }

    fn sends_first_time(&mut self, agent: usize, publish: &Publish) -> bool {
        let Ok(batch) = Batch::decode(&publish.payload) else { return true };
        let sent = self.sent.entry((agent, batch.header.stream)).or_default();
        let first_time = !sent.covers(batch.range());
        sent.insert(batch.range());
        first_time
    }
}

fn channel(publish: &Publish) -> Option<Up> {
    match Topic::parse(&publish.topic) {
        Ok(Topic::Up(_, channel)) => Some(channel),
        Ok(Topic::Down(..) | Topic::Peers(..) | Topic::Ingest(..)) | Err(_) => None,
    }
}

/// Readings whose window is closed get the time of their arrival.
fn stamp_late_readings(mut batch: Batch, now: Wall) -> Vec<u8> {
    for index in 0..batch.readings.len() {
        let ts = batch.readings.get(index).map_or(now, |reading| reading.ts());
        let end = window_start(ts, DECISION_WIDTH_S) + Duration::from_secs(u64::from(DECISION_WIDTH_S));
        if end + super::limits::GRACE <= now {
            batch.readings.set_ts(index, now);
        }
    }
    encode(&batch)
}

fn encode(batch: &Batch) -> Vec<u8> {
    let mut json = Vec::new();
    for reading in batch.readings.iter() {
        if !json.is_empty() {
            json.push(b',');
        }
        reading.write_json(&mut json);
    }
    batch.header.encode(&json)
}
