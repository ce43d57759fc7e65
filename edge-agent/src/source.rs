//! Where readings come from. A source is a machine that is asked for its next step; `pump` runs it on a
//! thread of its own, because files and pipes block.

mod async_lines;
mod averaging;
mod collector;
pub mod csv;
pub mod exec;
mod feed;
pub mod garage;
pub mod households;
mod lines;
pub mod mapping;
pub mod modbus;
pub mod mqtt;
mod open;
pub mod push;
mod receipt;
pub mod serial;
pub mod simulate;
mod skipped;
pub mod stdin;
pub mod system;

pub use averaging::AVERAGED_KIND;
pub use csv::CsvSource;
pub use garage::GarageSource;
pub use households::HouseholdsSource;
pub(crate) use open::open_sources;
pub use receipt::Receipt;
pub use simulate::SimulateSource;
pub(crate) use skipped::Skipped;
pub use stdin::StdinSource;

use fogline_protocol::queue::SourcePosition;
use fogline_protocol::reading::Readings;
use fogline_protocol::time::{Monotonic, Now};
use std::path::PathBuf;

/// Readings that a source hands over. They count as taken once the queue has committed them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Offer {
    /// In the order in which they were taken; may be empty when only the position moved.
    pub readings: Readings,
    /// Where the source goes on after these readings; committed together with them.
    pub position: Option<SourcePosition>,
    /// Who is to be told when these readings are committed.
    pub receipts: Vec<Receipt>,
}

/// What a source does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// These are ready.
    Offer(Offer),
    /// Nothing is ready before this time. A time that has passed means: ask again.
    Wait(Monotonic),
    /// Nothing will ever come again.
    End,
}

/// Gives readings, one step at a time.
pub trait Source: Send {
    /// The next step. May block for at most half a second, so that a stop is noticed.
    ///
    /// # Errors
    /// [`SourceError`] when the source cannot go on.
    fn step(&mut self, now: Now) -> Result<Step, SourceError>;

    /// Called when the agent stops before the source has ended, until there is nothing more: what was taken from outside
    /// and cannot be taken again. A source with positions has nothing to give here.
    fn finish(&mut self, _now: Now) -> Option<Offer> {
        None
    }

    /// Lines or samples that were no readings and were skipped, since the start.
    fn skipped(&self) -> u64;
}

/// Why a source cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be opened or read: check the path and its permissions.
    #[error("cannot read {path}: {error}", path = path.display())]
    File {
        /// As given.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is not what the options say it is: change the options.
    #[error("{path}: {problem}", path = path.display())]
    Format {
        /// As given.
        path: PathBuf,
        /// What does not fit, and what would.
        problem: String,
    },
    /// The position that the queue holds is not understood: begin again with `from_start`.
    #[error("the saved position of the source {name} is not understood ({error}): begin again with from_start")]
    Position {
        /// Which source.
        name: &'static str,
        /// What is wrong with it.
        error: serde_json::Error,
    },
    /// The system does not give what a source waits with.
    #[error("no runtime for the source: {0}")]
    Runtime(std::io::Error),
    /// What a source needs from outside cannot be had, and waiting does not help.
    #[error("the source {name}: {problem}")]
    Peer {
        /// Which source.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Standard input broke.
    #[error("cannot read standard input: {0}")]
    Stdin(std::io::Error),
}

#[cfg(test)]
mod tests;
