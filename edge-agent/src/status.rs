//! What an agent tells of itself: over a socket while it runs, and through its queue when it does not.

mod configuration;
mod households;
mod render;
mod report;
mod socket;
mod tuples;

pub use configuration::ConfigurationReport;
pub use households::{HouseholdReport, HouseholdsReport};
pub use report::{
    BrokerReport, ClockReport, EachSourceReport, LatencyReport, LiveReport, QueueReport, SourceReport, SourceState,
    StatusReport,
};
pub(crate) use socket::{Order, OrderReport, Question, give_order, serve};
pub(crate) use tuples::TUPLES_SHOWN;
pub use tuples::{TupleReport, TuplesReport};

use crate::limit::{self, Limit};
use anyhow::Context;
use fogline_protocol::queue::SavedDecision;
use fogline_protocol::sensing;
use fogline_protocol::time::Wall;
use fogline_protocol::wire::Decision;
use fogline_runtime::clock::wall;
use fogline_runtime::outbox::{Inspection, inspect};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The queue of an agent whose data directory is `data_dir`.
#[must_use]
pub fn queue_path(data_dir: &Path) -> PathBuf {
    data_dir.join("queue.db")
}

/// The socket on which a running agent answers.
#[must_use]
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("agent.sock")
}

/// Asks the agent whose data directory is `data_dir`; when none answers, looks into its queue. Blocks for at most some
/// seconds.
///
/// # Errors
/// When there is no queue, or when it cannot be read: the text says why.
pub fn ask(data_dir: &Path) -> anyhow::Result<StatusReport> {
    ask_with(data_dir, 0)
}

/// The same with the newest readings of a running agent, at most so many and at most
/// [`TUPLES_MAX`](fogline_protocol::node::TUPLES_MAX).
///
/// # Errors
/// As [`ask`].
pub fn ask_with(data_dir: &Path, tuples: usize) -> anyhow::Result<StatusReport> {
    match socket::ask(&socket_path(data_dir), tuples) {
        Ok(report) => Ok(report),
        Err(error) => {
            tracing::debug!(%error, "no agent answers: looking into its queue");
            let inspection =
                inspect(&queue_path(data_dir)).context("no agent answers, and its queue cannot be shown")?;
            Ok(report_of(inspection, wall()))
        }
    }
}

/// What a queue shows of an agent that does not answer.
fn report_of(inspection: Inspection, now: Wall) -> StatusReport {
    let Inspection { state, running, acknowledged, file_bytes } = inspection;
    let until = |saved: &SavedDecision| saved.received + Duration::from_millis(saved.decision.ttl_ms);
    // A configuration is kept with what became of it: only the agent itself tells of that.
    let shown = |saved: &SavedDecision| until(saved) > now && saved.decision.key != sensing::KEY;
    let saved: Vec<SavedDecision> = state.decisions.into_iter().filter(shown).collect();
    let limit = saved.iter().find(|saved| saved.decision.key == limit::KEY);
    let limit = limit.and_then(|saved| Limit::of(&saved.decision, until(saved)));
    let in_force: Vec<Decision> = saved.into_iter().map(|saved| saved.decision).collect();
    StatusReport {
        v: report::VERSION,
        running,
        queue: QueueReport::new(state.usage, Some(file_bytes)),
        acknowledged,
        streams: state.segments.len(),
        gaps: state.gaps,
        limit,
        households: HouseholdsReport::of(&in_force),
        in_force,
        live: None,
    }
}

#[cfg(test)]
mod tests;
