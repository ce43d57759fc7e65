//! Events, as they are said.

use super::health::{Health, Leading};
use crate::store::query::{DecisionRow, DirectiveRow, WindowRow};
use serde::Serialize;
use serde_json::Value;

/// The names of all events that can be asked for. `lagged` comes whatever is asked for.
pub(crate) const EVENT_NAMES: [&str; 8] =
    ["agent", "reading", "average", "limit", "directive", "invoice", "health", "leader"];

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// One of [`EVENT_NAMES`], or `lagged`.
    pub(crate) name: &'static str,
    /// A JSON object.
    pub(crate) data: String,
}

/// Events that are said together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The number of the first of them: they are counted from 1, since the ingester's start.
    pub(crate) first: u64,
    /// In their order.
    pub(crate) events: Vec<Said>,
}

/// What an event says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Event<'a> {
    Agent(AgentSaid<'a>),
    Reading(ReadingSaid<'a>),
    Average(AverageSaid<'a>),
    Limit(LimitSaid<'a>),
    Directive(DirectiveRow),
    Invoice(InvoiceSaid<'a>),
    Health(&'a Health),
    Leader(&'a Leading),
    Lagged { missed: u64 },
}

#[derive(Debug, Serialize)]
pub(super) struct AgentSaid<'a> {
    pub(super) region: &'a str,
    pub(super) agent: &'a str,
    pub(super) online: bool,
    pub(super) queued: u64,
    pub(super) oldest_us: Option<i64>,
    pub(super) dropped: u64,
    pub(super) heard_us: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct ReadingSaid<'a> {
    pub(super) region: &'a str,
    pub(super) agent: &'a str,
    pub(super) sensor: &'a str,
    pub(super) kind: &'a str,
    pub(super) ts_us: i64,
    pub(super) fields: Value,
    pub(super) flags: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct AverageSaid<'a> {
    pub(super) region: &'a str,
    pub(super) agent: Option<&'a str>,
    pub(super) kind: &'a str,
    pub(super) field: &'a str,
    pub(super) width_s: u32,
    #[serde(flatten)]
    pub(super) window: WindowRow,
}

#[derive(Debug, Serialize)]
pub(super) struct LimitSaid<'a> {
    pub(super) region: &'a str,
    pub(super) agent: &'a str,
    #[serde(flatten)]
    pub(super) decision: DecisionRow,
}

#[derive(Debug, Serialize)]
pub(super) struct InvoiceSaid<'a> {
    pub(super) id: String,
    pub(super) region: &'a str,
    pub(super) garage: &'a str,
    pub(super) entered_us: i64,
    pub(super) left_us: i64,
    pub(super) hours: u64,
    pub(super) cents: u64,
}

impl Event<'_> {
    const fn name(&self) -> &'static str {
        match self {
            Self::Agent(_) => "agent",
            Self::Reading(_) => "reading",
            Self::Average(_) => "average",
            Self::Limit(_) => "limit",
            Self::Directive(_) => "directive",
            Self::Invoice(_) => "invoice",
            Self::Health(_) => "health",
            Self::Leader(_) => "leader",
            Self::Lagged { .. } => "lagged",
        }
    }

    pub(super) fn said(&self) -> Said {
        // Texts, numbers and objects: nothing in them that JSON cannot say.
        Said { name: self.name(), data: serde_json::to_string(self).unwrap_or_default() }
    }
}

impl Said {
    /// How the ingester is.
    pub(crate) fn health(health: &Health) -> Self {
        Event::Health(health).said()
    }

    /// Who leads.
    pub(crate) fn leader(leading: &Leading) -> Self {
        Event::Leader(leading).said()
    }

    /// So many events were left out.
    pub(crate) fn lagged(missed: u64) -> Self {
        Event::Lagged { missed }.said()
    }
}
