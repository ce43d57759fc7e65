//! Where the households stand, in words that survive a restart.

use super::super::SourceError;
use super::super::csv::position::fnv;
use super::HouseholdsConfig;
use super::recording::Recording;
use fogline_protocol::time::Wall;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What was given: all windows before this one, and of it so much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// When the window begins by the simulation clock, in microseconds since 1970.
    pub(super) window_us: i64,
    /// The household whose turn it is, from 0.
    pub(super) home: u64,
    /// How many of its rows in the window were given already; raw only.
    pub(super) rows: u64,
}

#[derive(Serialize, Deserialize)]
struct Written {
    /// Of what the position speaks.
    of: String,
    #[serde(flatten)]
    at: Position,
}

impl Position {
    pub(super) const fn first(window: Wall) -> Self {
        Self { window_us: window.us(), home: 0, rows: 0 }
    }

    pub(super) fn to_json(self, identity: &str) -> String {
        // Numbers and a text always become JSON.
        serde_json::to_string(&Written { of: identity.to_owned(), at: self }).unwrap_or_default()
    }

    /// The saved position, if it speaks of the same households.
    pub(super) fn resume(saved: &str, identity: &str) -> Result<Option<Self>, SourceError> {
        let saved: Written =
            serde_json::from_str(saved).map_err(|error| SourceError::Position { name: super::KEY, error })?;
        if saved.of != identity {
            tracing::warn!(
                "other files, times or another seed than before: the households begin with the first window"
            );
            return Ok(None);
        }
        tracing::info!(window_us = saved.at.window_us, "the households go on where they stopped");
        Ok(Some(saved.at))
    }
}

/// What must be the same for a position to mean the same.
pub(super) fn identity(
    config: &HouseholdsConfig,
    recordings: &[Arc<Recording>],
    from: Wall,
    to: Option<Wall>,
) -> String {
    let files: Vec<&str> = recordings.iter().map(|recording| recording.name.as_str()).collect();
    let to = to.map(Wall::us);
    let all = format!("{files:?} {} {to:?} {} {} {}", from.us(), config.seed, config.sensor, config.raw);
    fnv(all.as_bytes())
}
