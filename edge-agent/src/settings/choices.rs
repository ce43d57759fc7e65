//! What some settings choose between.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Where readings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// Simulated sensors of a use case
    Simulate,
    /// JSON, a reading a line
    Stdin,
    /// A recording in a CSV file
    Csv,
    /// Many households: recordings, or simulated, by a clock of their own
    Households,
    /// Simulated parking garages
    Garage,
    /// Nowhere: only send what is queued
    None,
}

/// What gives way when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// The oldest readings
    DropOldest,
    /// New readings
    DropNewest,
    /// The source waits
    Block,
}

/// When a commit counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// When the disk has it: outlives a loss of power
    Full,
    /// When the system has it: outlives the death of the process
    Normal,
}

/// How the times in a CSV file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeFormat {
    /// Microseconds since 1970
    Us,
    /// Milliseconds since 1970
    Ms,
    /// Seconds since 1970
    S,
    /// As in 2019-12-24T00:00:01.42+01:00
    Rfc3339,
}
