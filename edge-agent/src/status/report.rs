//! The status as it is handed out, as JSON too.

use super::configuration::ConfigurationReport;
use super::households::HouseholdsReport;
use super::tuples::{TupleReport, TuplesReport};
use crate::latency::{Latencies, LatencySummary};
use crate::limit::Limit;
use crate::shell::AgentSnapshot;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::node::{Answer, Tuple};
use fogline_protocol::queue::QueueUsage;
use fogline_protocol::wire::{Decision, State};
use serde::{Deserialize, Serialize};

/// The version of the report. It grows when something in it changes its meaning.
pub(crate) const VERSION: u32 = 1;

/// An agent at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The version of this report: 1.
    pub v: u32,
    /// An agent has the queue open.
    pub running: bool,
    /// How full the queue is.
    pub queue: QueueReport,
    /// Readings acknowledged since the queue was made.
    pub acknowledged: u64,
    /// Streams with readings in the queue.
    pub streams: usize,
    /// Sequence numbers that never come, and are not acknowledged yet: pairs of first and last.
    pub gaps: Vec<Range>,
    /// The speed limit that holds. Of a stopped agent only that of a decision in force: its default is not known.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// Where the households are, as the decisions in force say.
    #[serde(default)]
    pub households: HouseholdsReport,
    /// The decisions in force.
    pub in_force: Vec<Decision>,
    /// What only a running agent knows; none when no agent answers.
    pub live: Option<LiveReport>,
}

/// How full a queue is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueReport {
    /// Readings in it.
    pub readings: u64,
    /// Their bytes as JSON.
    pub bytes: u64,
    /// The time of the oldest one, in microseconds since 1970.
    pub oldest_us: Option<i64>,
    /// Readings dropped for want of room or for age, since the queue was made.
    pub dropped: u64,
    /// Readings that damage to the file took, since it was made.
    #[serde(default)]
    pub damaged: u64,
    /// When damage was last found, in microseconds since 1970.
    #[serde(default)]
    pub damaged_us: Option<i64>,
    /// Bytes of its file on the disk, where they are known.
    pub file_bytes: Option<u64>,
}

/// What only a running agent knows. Counts are since its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveReport {
    /// `region/name`.
    pub agent: String,
    /// The program's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// Connected to a broker and subscribed.
    pub connected: bool,
    /// The broker that it is connected to.
    pub broker: Option<BrokerReport>,
    /// How often it left a broker that was connected: because its ingester was silent, or to return to the first one.
    #[serde(default)]
    pub moves: u64,
    /// The ingester's state, as last heard on this connection.
    pub ingester: Option<State>,
    /// How many milliseconds ago an ingester last said something, on this connection or one before: it answers a status every 10
    /// s. None when it never did since the start.
    #[serde(default)]
    pub heard_ms_ago: Option<u64>,
    /// Readings that wait to be sent.
    pub unsent: u64,
    /// Readings sent and not acknowledged.
    pub in_flight: u64,
    /// Their bytes.
    pub in_flight_bytes: u64,
    /// Bytes that may be in flight.
    pub credit_bytes: u64,
    /// Readings acknowledged since the start.
    pub acknowledged: u64,
    /// Readings sent more than once.
    pub resent: u64,
    /// Readings whose time was moved by a microsecond, to tell them from one of the same time.
    pub moved_times: u64,
    /// Its clock.
    #[serde(default)]
    pub clock: ClockReport,
    /// How it samples, by its operator.
    #[serde(default)]
    pub configuration: ConfigurationReport,
    /// The newest answers of the ingester to the agent's questions.
    #[serde(default)]
    pub answers: Vec<AnswerReport>,
    /// Messages from the broker that made no sense.
    pub refused_messages: u64,
    /// Why the disk does not do what it is asked for.
    pub fault: Option<String>,
    /// The source.
    pub source: SourceReport,
    /// The readings by their state.
    #[serde(default)]
    pub tuples: TuplesReport,
    /// From the sensor to the acknowledgement.
    pub latency: LatencyReport,
}

/// An answer of the ingester.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerReport {
    /// What was asked: `occupancy`.
    pub what: String,
    /// The answer.
    pub body: serde_json::Value,
    /// When it came, in microseconds since 1970.
    pub received_us: i64,
}

/// The agent's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReport {
    /// False while it shows a time at which Fogline was not yet: nobody has set it since the device started.
    pub set: bool,
    /// Readings that wait until it is.
    pub held: u64,
    /// For how long they still do at most; none while nothing could be sent anyway.
    pub hold_left_ms: Option<u64>,
}

impl Default for ClockReport {
    fn default() -> Self {
        Self { set: true, held: 0, hold_left_ms: None }
    }
}

/// A broker of the agent's list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerReport {
    /// As it was configured: `host:port`, with `mqtts://` before it for TLS.
    pub address: String,
    /// Its place in the list, from 1: the first is the preferred one.
    pub place: usize,
    /// Brokers in the list.
    pub of: usize,
}

/// What the sources did since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceReport {
    /// Whether it still gives readings.
    pub state: SourceState,
    /// Readings handed over.
    pub offered: u64,
    /// Readings in the queue or beyond: the offers that are committed.
    pub accepted: u64,
    /// Lines that were no readings.
    pub skipped: u64,
    /// Each of several; empty when there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<EachSourceReport>,
}

/// What one of several sources did since the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EachSourceReport {
    /// Its name.
    pub name: String,
    /// Whether it still gives readings.
    pub state: SourceState,
    /// Readings handed over.
    pub offered: u64,
    /// Lines, samples or messages that were no readings.
    pub skipped: u64,
}

/// How a source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// There is none.
    None,
    /// More may come.
    Running,
    /// Nothing more comes.
    Ended,
}

/// How long readings took from the sensor to their acknowledgement, of those that were taken since the agent started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyReport {
    /// In few words.
    #[serde(flatten)]
    pub summary: LatencySummary,
    /// All of it, as pairs of microseconds and how many: [`Latencies::record_n`](crate::latency::Latencies::record_n) makes
    /// the same distribution of them.
    pub counts: Vec<(u64, u64)>,
}

impl SourceReport {
    /// Nothing has come yet; with `none` nothing ever does.
    pub(crate) const fn at_start(none: bool) -> Self {
        let state = if none { SourceState::None } else { SourceState::Running };
        Self { state, offered: 0, accepted: 0, skipped: 0, each: Vec::new() }
    }
}

impl LatencyReport {
    pub(crate) fn new(latencies: &Latencies) -> Self {
        Self { summary: latencies.summary(), counts: latencies.counts() }
    }
}

impl QueueReport {
    pub(crate) fn new(usage: QueueUsage, file_bytes: Option<u64>) -> Self {
        let QueueUsage { readings, bytes, oldest, dropped, damaged, damaged_at } = usage;
        let [oldest_us, damaged_us] = [oldest, damaged_at].map(|time| time.map(|time| time.us()));
        Self { readings, bytes, oldest_us, dropped, damaged, damaged_us, file_bytes }
    }
}

impl StatusReport {
    /// The report of the running agent `agent`, which has these `brokers`.
    pub(crate) fn live(agent: String, brokers: &[String], snapshot: AgentSnapshot, latency: LatencyReport) -> Self {
        let AgentSnapshot { edge, acknowledged_before, source, limit, at } = snapshot;
        let heard_ago = edge.heard.map(|heard| at.since(heard));
        let broker = edge.broker.and_then(|index| {
            let address = brokers.get(index)?.clone();
            Some(BrokerReport { address, place: index + 1, of: brokers.len() })
        });
        let live = LiveReport {
            agent,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            connected: edge.connected,
            broker,
            moves: edge.moves,
            ingester: edge.state,
            heard_ms_ago: heard_ago.map(|ago| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX)),
            unsent: edge.unsent,
            in_flight: edge.in_flight,
            in_flight_bytes: edge.in_flight_bytes,
            credit_bytes: edge.credit,
            acknowledged: edge.acknowledged,
            resent: edge.resent,
            moved_times: edge.moved_times,
            clock: ClockReport { set: edge.clock_set, held: edge.held, hold_left_ms: edge.hold_left_ms },
            configuration: edge.configuration.into(),
            answers: edge.answers.iter().map(AnswerReport::from).collect(),
            refused_messages: edge.refused_messages,
            fault: edge.fault.map(|fault| fault.to_string()),
            source,
            tuples: TuplesReport {
                new: edge.unsent,
                sent: edge.in_flight,
                acknowledged: acknowledged_before + edge.acknowledged,
                newest: Vec::new(),
            },
            latency,
        };
        Self {
            v: VERSION,
            running: true,
            queue: QueueReport::new(edge.usage, None),
            acknowledged: acknowledged_before + live.acknowledged,
            streams: edge.streams,
            gaps: edge.gaps,
            limit: Some(limit),
            households: HouseholdsReport::of(&edge.in_force),
            in_force: edge.in_force,
            live: Some(live),
        }
    }

    /// Adds the newest readings.
    pub(crate) fn show_tuples(&mut self, tuples: &[Tuple]) {
        if let Some(live) = &mut self.live {
            live.tuples.newest = tuples.iter().filter_map(TupleReport::new).collect();
        }
    }
}

impl From<&Answer> for AnswerReport {
    fn from(answer: &Answer) -> Self {
        Self { what: answer.what.clone(), body: answer.body.clone(), received_us: answer.received.us() }
    }
}
