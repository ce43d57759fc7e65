//! `ingest/{ingester}/log` and `ingest/{ingester}/ask`: what one needs to take over from a leader.

use super::beat::LogPlace;
use super::{Message, WireError};
use crate::ids::Name;
use crate::store::Rows;
use serde::{Deserialize, Serialize};

/// The most messages that carry one entry of a log.
pub const PARTS_MAX: u32 = 4096;
/// The longest name of a place between pages.
const PLACE_MAX_BYTES: usize = 256;

/// Rows of a leader's state: those that changed, or a page of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// The entry of which these are rows; of a page: the last entry that it contains.
    pub place: LogPlace,
    /// Which message of the entry this is, from 0.
    pub part: u32,
    /// How many it has.
    pub parts: u32,
    /// An acknowledgement waits until somebody keeps this entry: who does says so at once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waits: bool,
    /// For whom, if it is a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<PageOf>,
    /// The rows.
    pub rows: Rows,
}

/// A page, for the one that asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageOf {
    /// Who asked.
    pub to: Name,
    /// What it asked for, as in [`Ask::after`].
    pub after: Option<String>,
    /// Where the next page begins; none: this is the last.
    pub next: Option<String>,
}

/// A follower that has missed something asks for all, page by page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Whose: the leader that took over in the term of this counter.
    pub lead: u64,
    /// After which place; none: from the beginning.
    pub after: Option<String>,
}

impl Message for Log {
    fn check(&self) -> Result<(), WireError> {
        if self.parts == 0 || self.parts > PARTS_MAX || self.part >= self.parts {
            return Err(WireError::Value { what: "part" });
        }
        let places = self.page.iter().flat_map(|page| [&page.after, &page.next]).flatten();
        check_places(places)
    }
}

impl Message for Ask {
    fn check(&self) -> Result<(), WireError> {
        check_places(self.after.iter())
    }
}

fn check_places<'a>(mut places: impl Iterator<Item = &'a String>) -> Result<(), WireError> {
    if places.any(|place| place.len() > PLACE_MAX_BYTES) { Err(WireError::Value { what: "place" }) } else { Ok(()) }
}
