//! What an operator has set of how the agent samples, in its status.

use fogline_protocol::sensing::Sensing;
use fogline_protocol::trial::{Phase, TrialReport};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How it samples by its operator; nothing where he has never set it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationReport {
    /// What it works with; what is left out is as it was started.
    pub in_force: Sensing,
    /// What was set last.
    pub set: Option<Sensing>,
    /// What became of that: it is being tried, is good and stays, or was rolled back.
    pub phase: Option<Phase>,
    /// Why it was rolled back.
    pub reason: Option<String>,
    /// How often one was, since the start.
    pub rolled_back: u64,
}

impl From<TrialReport> for ConfigurationReport {
    fn from(report: TrialReport) -> Self {
        let TrialReport { set, in_force, reason, rolled_back } = report;
        let (set, phase) = set.unzip();
        Self { in_force, set, phase, reason, rolled_back }
    }
}

impl fmt::Display for ConfigurationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ms: Option<u64>| ms.map_or_else(|| "as started".to_owned(), |ms| format!("{ms} ms"));
        write!(f, "sampling {}, window {}", ms(self.in_force.sampling_ms), ms(self.in_force.window_ms))?;
        match (self.phase, &self.reason) {
            (Some(Phase::Trying), _) => f.write_str(": being tried"),
            (Some(Phase::RolledBack), Some(reason)) => write!(f, ": what was set was rolled back, {reason}"),
            (Some(Phase::Good | Phase::RolledBack) | None, _) => Ok(()),
        }
    }
}
