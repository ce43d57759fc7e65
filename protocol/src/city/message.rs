//! What nodes and sensors of a city say to each other, below `fogline/v1/{region}/peers/`. Who speaks is in the topic. Every
//! message has the token that the city's API gives: without it nobody is listened to.

use super::grid::{NODES_MAX, Place};
use crate::election::Word;
use crate::ids::{Name, StreamId, Term};
use crate::time::Wall;
use crate::wire::{Message, Role, WireError};
use serde::{Deserialize, Serialize};

/// The longest token, in bytes.
pub const TOKEN_MAX_BYTES: usize = 256;
/// The longest name of a sensor, in bytes.
pub const SENSOR_MAX_BYTES: usize = 63;
/// The most samples of one sensor in a message, and averages of a node.
pub const BATCH_MAX: usize = 32;
/// The most sensors in a message: with [`BATCH_MAX`] samples of 40 bytes each it stays below what brokers let through.
pub const PARTS_MAX: usize = 32;
/// The most particulate matter that can be true, in µg/m³; what is more is counted and averaged with nothing.
pub const PM10_MAX: f64 = 2000.0;

/// `peers/{node}/node`: what a node is. Said about once a second, and at once when it changes or when a newcomer says hello.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeWord {
    /// The city's.
    pub token: String,
    /// It has just joined: the others answer at once.
    #[serde(default)]
    pub hello: bool,
    /// What it is in the election.
    pub role: Role,
    /// Its term if it is the coordinator, else the highest that it has heard of.
    pub term: Option<Term>,
    /// Who is the coordinator, as far as it knows.
    pub coordinator: Option<Name>,
    /// Where it stands.
    pub place: Place,
    /// How many sensors stream to it.
    #[serde(default)]
    pub sensors: u32,
    /// Its newest average, for whoever watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<Average>,
}

impl NodeWord {
    /// What it says for the election.
    #[must_use]
    pub fn word(&self) -> Word {
        Word { role: self.role, term: self.term.clone(), rank: 0, reach: 1 }
    }
}

/// `peers/{client}/samples/{node}`: what sensors of one client have sampled, resent until taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Samples {
    /// The city's.
    pub token: String,
    /// By sensor.
    pub parts: Vec<SensorPart>,
}

/// The oldest samples of one sensor that are not acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SensorPart {
    /// Its name, unique in its client.
    pub sensor: String,
    /// The numbers of this start of the sensor.
    pub stream: StreamId,
    /// The number of the first sample.
    pub first: u64,
    /// When, in microseconds since 1970, and how much PM-10, in µg/m³. Perhaps none: it says that the sensor is here.
    pub samples: Vec<(i64, f64)>,
}

/// `peers/{node}/alive/{client}`: the node lives, and has taken samples. Every two seconds at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// The city's.
    pub token: String,
    /// It stops: ask for another one.
    #[serde(default)]
    pub leaving: bool,
    /// What it has taken.
    pub taken: Vec<SensorTaken>,
}

/// Which samples of a sensor a node has taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensorTaken {
    /// The sensor.
    pub sensor: String,
    /// Which numbers.
    pub stream: StreamId,
    /// All up to this one.
    pub through: u64,
}

/// The average over a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Average {
    /// When the window began.
    pub from_us: i64,
    /// When it ended: what the reading in the store has as its time. Less than a second later where it is of late samples
    /// only, or of a window that was not completed, so that it is not taken for the average of the whole window.
    pub ts_us: i64,
    /// The mean, in µg/m³.
    pub mean: f64,
    /// Of how many samples.
    pub n: u64,
}

/// `peers/{node}/averages/{coordinator}`: the oldest averages of a node that are not acknowledged, resent until taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// The city's.
    pub token: String,
    /// The numbers of this start of the node.
    pub stream: StreamId,
    /// The number of the first.
    pub first: u64,
    /// In the order of their numbers.
    pub averages: Vec<Average>,
}

/// `peers/{coordinator}/taken/{node}`: averages are in the coordinator's queue, on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakenThrough {
    /// Which numbers.
    pub stream: StreamId,
    /// All up to this one.
    pub through: u64,
}

/// [`TakenThrough`] with the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The city's.
    pub token: String,
    /// What is in the queue.
    #[serde(flatten)]
    pub taken: TakenThrough,
}

/// `peers/{coordinator}/global`: the average over all nodes, every five seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Global {
    /// The city's.
    pub token: String,
    /// The coordinator's term.
    pub term: Option<Term>,
    /// The average; none when no node had one.
    pub average: Option<Average>,
    /// The nodes whose averages are in it.
    pub nodes: Vec<Name>,
    /// What is in the coordinator's queue, by node: a successor does not take it again.
    pub taken: Vec<(Name, TakenThrough)>,
}

/// Who is in the books of a coordinator, at most: each node with two starts.
pub const BOOKS_MAX: usize = 2 * NODES_MAX;

fn check_token(token: &str) -> Result<(), WireError> {
    if token.len() > TOKEN_MAX_BYTES { Err(WireError::Value { what: "token" }) } else { Ok(()) }
}

fn check_count(what: &'static str, count: usize, most: usize) -> Result<(), WireError> {
    if count > most { Err(WireError::TooMany { what, count, most }) } else { Ok(()) }
}

fn check_sensor(sensor: &str) -> Result<(), WireError> {
    let good = sensor.len() <= SENSOR_MAX_BYTES && crate::ids::is_name(sensor);
    if good { Ok(()) } else { Err(WireError::Value { what: "sensor" }) }
}

const fn check_time(what: &'static str, us: i64) -> Result<(), WireError> {
    if us < Wall::MIN.us() || us > Wall::MAX.us() { Err(WireError::Value { what }) } else { Ok(()) }
}

const fn check_number(what: &'static str, seq: u64) -> Result<(), WireError> {
    if seq > crate::ids::SEQ_MAX { Err(WireError::Sequence { what, seq }) } else { Ok(()) }
}

impl Average {
    fn check(&self) -> Result<(), WireError> {
        check_time("from_us", self.from_us)?;
        check_time("ts_us", self.ts_us)?;
        check_number("n", self.n)?;
        let good = self.from_us <= self.ts_us && self.n > 0 && (0.0..=PM10_MAX).contains(&self.mean);
        if good { Ok(()) } else { Err(WireError::Value { what: "an average" }) }
    }
}

impl Message for NodeWord {
    fn check(&self) -> Result<(), WireError> {
        check_token(&self.token)?;
        check_number("term", self.term.as_ref().map_or(0, |term| term.counter))?;
        self.local.as_ref().map_or(Ok(()), Average::check)?;
        if self.place.is_on_grid() { Ok(()) } else { Err(WireError::Value { what: "place" }) }
    }
}

impl Message for Samples {
    fn check(&self) -> Result<(), WireError> {
        check_token(&self.token)?;
        check_count("sensors", self.parts.len(), PARTS_MAX)?;
        for part in &self.parts {
            check_sensor(&part.sensor)?;
            check_number("first", part.first)?;
            check_count("samples", part.samples.len(), BATCH_MAX)?;
            part.samples.iter().try_for_each(|(us, _)| check_time("the time of a sample", *us))?;
        }
        Ok(())
    }
}

impl Message for Alive {
    fn check(&self) -> Result<(), WireError> {
        check_token(&self.token)?;
        check_count("sensors", self.taken.len(), PARTS_MAX)?;
        self.taken.iter().try_for_each(|taken| {
            check_sensor(&taken.sensor)?;
            check_number("through", taken.through)
        })
    }
}

impl Message for Averages {
    fn check(&self) -> Result<(), WireError> {
        check_token(&self.token)?;
        check_number("first", self.first)?;
        check_count("averages", self.averages.len(), BATCH_MAX)?;
        self.averages.iter().try_for_each(Average::check)
    }
}

impl Message for Taken {
    fn check(&self) -> Result<(), WireError> {
        check_token(&self.token)?;
        check_number("through", self.taken.through)
    }
}

impl Message for Global {
    fn check(&self) -> Result<(), WireError> {
        check_token(&self.token)?;
        check_number("term", self.term.as_ref().map_or(0, |term| term.counter))?;
        check_count("nodes", self.nodes.len(), NODES_MAX)?;
        check_count("taken", self.taken.len(), BOOKS_MAX)?;
        self.taken.iter().try_for_each(|(_, taken)| check_number("through", taken.through))?;
        self.average.as_ref().map_or(Ok(()), Average::check)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn average() -> Average {
        Average { from_us: 5_000_000, ts_us: 15_000_000, mean: 21.5, n: 40 }
    }

    #[test]
    fn messages_as_they_travel() {
        let token = "t".to_owned();
        let stream = StreamId::from_bits(7);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let term = Some(Term { counter: 3, ingester: name("node-9") });
        let word = NodeWord {
            token: token.clone(),
            hello: true,
            role: Role::StandingBy,
            term: term.clone(),
            coordinator: Some(name("node-9")),
            place: Place { u: 1, v: 2 },
            sensors: 4,
            local: None,
        };
        insta::assert_snapshot!(text(word.encode()), @r#"{"v":1,"token":"t","hello":true,"role":"standing_by","term":{"counter":3,"ingester":"node-9"},"coordinator":"node-9","place":{"u":1,"v":2},"sensors":4}"#);
        let part = SensorPart { sensor: "pm-1".to_owned(), stream, first: 8, samples: vec![(5_000_001, 20.5)] };
        insta::assert_snapshot!(text(Samples { token: token.clone(), parts: vec![part] }.encode()), @r#"{"v":1,"token":"t","parts":[{"sensor":"pm-1","stream":"0000000000000007","first":8,"samples":[[5000001,20.5]]}]}"#);
        let taken = SensorTaken { sensor: "pm-1".to_owned(), stream, through: 8 };
        insta::assert_snapshot!(text(Alive { token: token.clone(), leaving: false, taken: vec![taken] }.encode()), @r#"{"v":1,"token":"t","leaving":false,"taken":[{"sensor":"pm-1","stream":"0000000000000007","through":8}]}"#);
        let averages = Averages { token: token.clone(), stream, first: 1, averages: vec![average()] };
        insta::assert_snapshot!(text(averages.encode()), @r#"{"v":1,"token":"t","stream":"0000000000000007","first":1,"averages":[{"from_us":5000000,"ts_us":15000000,"mean":21.5,"n":40}]}"#);
        let taken = TakenThrough { stream, through: 1 };
        insta::assert_snapshot!(text(Taken { token: token.clone(), taken }.encode()), @r#"{"v":1,"token":"t","stream":"0000000000000007","through":1}"#);
        let global =
            Global { token, term, average: Some(average()), nodes: vec![name("a")], taken: vec![(name("a"), taken)] };
        insta::assert_snapshot!(text(global.encode()), @r#"{"v":1,"token":"t","term":{"counter":3,"ingester":"node-9"},"average":{"from_us":5000000,"ts_us":15000000,"mean":21.5,"n":40},"nodes":["a"],"taken":[["a",{"stream":"0000000000000007","through":1}]]}"#);
        assert_eq!(Global::decode(&global.encode()), Ok(global));
    }

    #[test]
    fn the_longest_message_passes_a_broker() {
        let part = |number: usize| SensorPart {
            sensor: format!("{}{number:02}", "s".repeat(61)),
            stream: StreamId::from_bits(u64::MAX),
            first: crate::ids::SEQ_MAX,
            samples: vec![(Wall::MAX.us(), 1999.123); BATCH_MAX],
        };
        let samples = Samples { token: "t".repeat(TOKEN_MAX_BYTES), parts: (0..PARTS_MAX).map(part).collect() };
        assert_eq!(samples.check(), Ok(()));
        assert!(samples.encode().len() < 48 * 1024, "{}", samples.encode().len());
        let taken = |_| (name(&"n".repeat(63)), TakenThrough { stream: StreamId::from_bits(9), through: 1 << 52 });
        let global = Global {
            token: "t".repeat(TOKEN_MAX_BYTES),
            term: None,
            average: None,
            nodes: (0..NODES_MAX).map(|_| name(&"n".repeat(63))).collect(),
            taken: (0..BOOKS_MAX).map(taken).collect(),
        };
        assert_eq!(global.check(), Ok(()));
        assert!(global.encode().len() < 48 * 1024, "{}", global.encode().len());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let good =
            Averages { token: String::new(), stream: StreamId::from_bits(1), first: 1, averages: vec![average()] };
        let with = |average: Average| Averages { averages: vec![average], ..good.clone() }.check();
        assert_eq!(good.check(), Ok(()));
        assert!(with(Average { mean: -1.0, ..average() }).is_err());
        assert!(with(Average { mean: f64::NAN, ..average() }).is_err());
        assert!(with(Average { n: 0, ..average() }).is_err());
        assert!(with(Average { ts_us: 4_000_000, ..average() }).is_err());
        assert!(with(Average { from_us: -1, ..average() }).is_err());
        assert!(Averages { averages: vec![average(); 33], ..good.clone() }.check().is_err());
        assert!(Averages { token: "t".repeat(257), ..good }.check().is_err());
    }
}
