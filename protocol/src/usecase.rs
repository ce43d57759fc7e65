//! What each kind of sensor adds to the one delivery protocol. A use case is one file with one struct that implements
//! [`UseCase`], and one line in [`REGISTRY`]. Topics, ingest, storage, averages and simulation go over the registry.

mod city;
pub mod parking;
pub mod power;
mod road;
mod weather;

pub use city::{City, GLOBAL};
pub use parking::Parking;
pub use power::Power;
pub use road::{LimitRule, Road};
pub use weather::Weather;

use crate::ids::{AgentId, Name};
use crate::reading::{ReadingRef, Readings};
use crate::rng::Rng;
use crate::store::Latest;
use crate::time::Wall;
use crate::window::Aggregate;
use std::fmt::Debug;

/// All use cases. A reading of another kind is stored, and neither averaged nor decided upon.
pub const REGISTRY: [&dyn UseCase; 5] = [&Road, &Weather, &Power, &Parking, &City];

/// The use case named `kind`.
#[must_use]
pub fn find(kind: &str) -> Option<&'static dyn UseCase> {
    REGISTRY.into_iter().find(|usecase| usecase.kind() == kind)
}

/// True when a value of the reading cannot be true. Such a reading is stored with a mark, and steers nothing.
#[must_use]
pub fn is_outlier(reading: ReadingRef<'_>) -> bool {
    let Some(usecase) = find(reading.kind()) else { return false };
    usecase.fields().iter().any(|field| reading.number(field.name).is_some_and(|value| !field.admits(value)))
}

/// A field of a use case.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its name, with its unit: `speed_kmh`.
    pub name: &'static str,
    /// Its unit as a person writes it: `km/h`.
    pub unit: &'static str,
    /// The smallest value that can be true.
    pub min: f64,
    /// The largest value that can be true.
    pub max: f64,
    /// Whether it is averaged.
    pub averaged: bool,
}

impl Field {
    /// True when `value` can be true. Others are stored, counted, and steer nothing.
    #[must_use]
    pub fn admits(&self, value: f64) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// The averages of a closed window that a decision may rest on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Averages {
    /// When the window began.
    pub window: Wall,
    /// Of all agents of the region.
    pub region: Aggregate,
    /// Of the agent to whom the decision goes, if it had readings in the window.
    pub agent: Option<Aggregate>,
}

/// What the decisions of a use case rest on, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steering {
    /// The field whose averages are looked at; it must be an averaged one.
    pub field: &'static str,
    /// The register that is written.
    pub key: &'static str,
}

/// A text that names a person. Beyond the ledger only a keyed hash of it is kept, under another name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Personal {
    /// The field as agents send it: `plate`.
    pub field: &'static str,
    /// The field that is stored in its place: `plate_hash`.
    pub stored_as: &'static str,
}

/// What an ingester tells agents of their sensors, beside what it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notices {
    /// The register: `notice/postcode`. Where one message has no room for all sensors of an agent, more follow: `-2`, `-3`...
    pub key: &'static str,
    /// The member of the body that holds what is said of each sensor: `households`.
    pub member: &'static str,
}

/// What a use case decides.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// How long it is in force, in milliseconds.
    pub ttl_ms: u64,
    /// What is decided.
    pub body: serde_json::Value,
}

/// One kind of sensor.
pub trait UseCase: Debug + Sync {
    /// Its name: the `kind` of its readings and the measurement in the database.
    fn kind(&self) -> &'static str;

    /// Its fields.
    fn fields(&self) -> &'static [Field];

    /// What decisions rest on and which register they go to; none when nothing is decided.
    fn steering(&self) -> Option<Steering> {
        None
    }

    /// What follows from the averages of a closed window for one agent. `previous` is the body of the decision before.
    fn decide(
        &self,
        _averages: &Averages,
        _previous: Option<&serde_json::Value>,
        _rule: &LimitRule,
    ) -> Option<Verdict> {
        None
    }

    /// Checks what an operator would set in the register that this use case steers, and gives it in its own words.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    fn overridden(&self, _body: &serde_json::Value, _rule: &LimitRule) -> Result<serde_json::Value, String> {
        Err(format!("nothing is decided of {}", self.kind()))
    }

    /// What its register says when nothing is decided any more.
    fn undecided(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// The field that names a person, if there is one.
    fn personal(&self) -> Option<Personal> {
        None
    }

    /// Whether an agent is told something of its sensors.
    fn notices(&self) -> Option<Notices> {
        None
    }

    /// What an agent is told of one of its sensors.
    fn notice(&self, _places: &power::Places, _agent: &AgentId, _sensor: &str) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Whether sensors belong to groups.
    fn has_groups(&self) -> bool {
        false
    }

    /// The group across regions whose averages the sensor's readings count for: a federal state, for example.
    fn group(&self, _places: &power::Places, _agent: &AgentId, _sensor: &str) -> Option<Name> {
        None
    }

    /// What agents may ask about all sensors of this kind, wherever they are.
    fn question(&self) -> Option<&'static str> {
        None
    }

    /// The answer, from the newest reading of each sensor.
    fn answer(&self, _newest: &mut dyn Iterator<Item = &Latest>) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Adds one simulated reading of `sensor` at `ts`.
    fn simulate(&self, sensor: &str, ts: Wall, rng: &mut Rng, into: &mut Readings);
}
