//! The ledger of the garages: each stay of a car is a row, and becomes its invoice when the car leaves. Rows are only added and
//! completed, so that another ingester has the same ledger once it has the same rows, in whatever order they came.

use super::Owner;
use crate::ids::{Seq, StreamId};
use serde::{Deserialize, Serialize};

/// What a commit changes in the ledger: whole rows, as they are then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bills {
    /// Stays that began or ended.
    pub stays: Vec<Stay>,
    /// What somebody has to look at.
    pub clarifications: Vec<Clarification>,
}

impl Bills {
    /// True when nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.stays.is_empty() && self.clarifications.is_empty()
    }

    /// Adds the changes of another.
    pub fn append(&mut self, mut other: Self) {
        self.stays.append(&mut other.stays);
        self.clarifications.append(&mut other.clarifications);
    }
}

/// A car in a garage. Its name is the reading that said that it drove in: there is one invoice for it, whatever is repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stay {
    /// The agent that speaks for the garage.
    #[serde(flatten)]
    pub owner: Owner,
    /// The garage.
    pub garage: String,
    /// The stream of the entry.
    pub stream: StreamId,
    /// Its sequence number.
    pub seq: Seq,
    /// The plate, as the camera read it.
    pub plate: String,
    /// As [`crate::usecase::parking::PlateKey::hash`].
    pub plate_hash: String,
    /// When it drove in, in microseconds since 1970.
    pub entered_us: i64,
    /// The price of a started hour, in cents, as it was then.
    pub tariff_cents: u32,
    /// The end, and with it the invoice; none while the car is in the garage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Departure>,
    /// The car drove in again without having left: there will be no invoice.
    #[serde(default)]
    pub unresolved: bool,
}

/// The end of a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departure {
    /// The stream of the exit.
    pub stream: StreamId,
    /// Its sequence number.
    pub seq: Seq,
    /// When it drove out, in microseconds since 1970.
    pub left_us: i64,
    /// Started hours, from 1.
    pub hours: u64,
    /// The price, in cents.
    pub cents: u64,
}

/// What did not fit: somebody has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clarification {
    /// The agent that speaks for the garage.
    #[serde(flatten)]
    pub owner: Owner,
    /// The garage.
    pub garage: String,
    /// The stream of the reading that did not fit.
    pub stream: StreamId,
    /// Its sequence number.
    pub seq: Seq,
    /// What did not fit.
    pub what: Unclear,
    /// When it happened, in microseconds since 1970.
    pub ts_us: i64,
    /// The plate.
    pub plate: String,
    /// Its hash.
    pub plate_hash: String,
}

/// What did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unclear {
    /// A car left that never came.
    ExitWithoutEntry,
    /// A car came that was there.
    SecondEntry,
}

impl Unclear {
    /// As in JSON and in databases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ExitWithoutEntry => "exit_without_entry",
            Self::SecondEntry => "second_entry",
        }
    }
}
