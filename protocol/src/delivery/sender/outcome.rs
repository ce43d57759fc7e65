//! What a sender gives: a batch to publish, and what an acknowledgement did.

use crate::time::Wall;
use crate::wire::BatchHeader;

/// A batch to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingBatch {
    /// What it says besides its readings.
    pub header: BatchHeader,
    /// Its readings as JSON, joined by commas.
    pub readings: Vec<u8>,
}

/// What an acknowledgement did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// How many readings are done that were not before.
    pub readings: u64,
    /// The times of the readings of batches that are done, for measuring how long delivery took.
    pub times: Vec<Wall>,
}
