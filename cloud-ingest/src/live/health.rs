//! How the ingester is, in one object.

use super::meter::{Latency, Meter};
use fogline_protocol::ids::Name;
use fogline_protocol::node::SiteSnapshot;
use fogline_protocol::realm::Realm;
use fogline_protocol::wire::Role;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::time::Instant;
use utoipa::ToSchema;

/// What health is made from. Cheap to share.
#[derive(Clone)]
pub(crate) struct Vitals {
    /// This ingester's name.
    pub(crate) ingester: String,
    /// The addresses of the brokers, in their order.
    pub(crate) brokers: Vec<String>,
    /// The node, some ten times a second.
    pub(crate) snapshots: watch::Receiver<SiteSnapshot>,
    /// What is stored, and how late.
    pub(crate) meter: Arc<Mutex<Meter>>,
}

/// How the ingester is. Counts are since its start.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Health {
    /// The program's version.
    version: &'static str,
    /// Its name.
    ingester: String,
    #[serde(flatten)]
    leading: Leading,
    /// Whose agents it takes: `*` for all, regions with commas between them, or a share like `2/4`.
    takes: String,
    /// Other ingesters that take some of its regions and not the same ones, of which only one may lead: a mistake in the settings.
    rivals: Vec<Rival>,
    /// The counter of its term; while it stands by the highest that it has heard of.
    term: u64,
    /// Addresses of the brokers that it is connected to.
    connected: Vec<String>,
    /// Addresses of all of its brokers.
    brokers: Vec<String>,
    /// Why the store does not do what it is asked for; null: it does.
    store_down: Option<String>,
    /// Agents in memory.
    agents: usize,
    /// Readings received, duplicates included.
    readings_total: u64,
    /// Readings written to the store.
    stored_total: u64,
    /// Readings that were received before.
    duplicates_total: u64,
    /// Readings that the store refuses for good.
    dead_total: u64,
    /// Values that cannot be true: stored, not averaged.
    out_of_range_total: u64,
    /// Commits and look-ups that failed and are tried again.
    store_errors_total: u64,
    /// Readings stored a second, of the last 10 s.
    readings_per_s: f64,
    /// From a reading's time to its being stored, of the last minute, in milliseconds. Clocks of edge and ingester may differ, and by
    /// as much it is wrong. Null: nothing was stored.
    latency_ms: Option<Latency>,
    /// Bytes of readings between the network and the store.
    held_bytes: u64,
    billing: Billing,
}

/// Who leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Leading {
    /// What it is among those of its realm.
    #[schema(value_type = RoleSchema)]
    pub(crate) role: Role,
    /// The name of the ingester that leads; null: none is known.
    pub(crate) leader: Option<String>,
}

/// The part of an ingester.
#[derive(ToSchema)]
#[schema(as = Role, rename_all = "snake_case")]
#[allow(dead_code, reason = "for the document only")]
enum RoleSchema {
    /// It takes readings and decides.
    Leading,
    /// Another one leads, or it waits to hear of one.
    StandingBy,
    /// It will lead, unless one of higher rank would.
    Claiming,
    /// It was leading, and leads no more of its own accord.
    Leaving,
}

/// Another ingester that takes some of the same regions, and not the same ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RivalIngester)]
struct Rival {
    /// Its name.
    ingester: String,
    /// What it takes.
    takes: String,
    /// Whether this one does not lead because the other one does.
    waited_for: bool,
}

impl Rival {
    fn new(name: &Name, takes: &Realm, site: &SiteSnapshot) -> Self {
        let waited_for = site.waits_for.as_ref() == Some(name);
        Self { ingester: name.to_string(), takes: takes.to_string(), waited_for }
    }
}

/// How bills are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
struct Billing {
    /// Whether another ingester keeps them too; null: it does not lead.
    standby: Option<bool>,
}

impl Vitals {
    /// Who leads now.
    pub(crate) fn leading(&self) -> Leading {
        leading(&self.snapshots.borrow())
    }

    /// How it is now.
    pub(crate) fn health(&self) -> Health {
        let now = Instant::now();
        let (readings_per_s, latency_ms) = {
            let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
            (meter.per_s(now), meter.latency(now))
        };
        let site = self.snapshots.borrow();
        let (cloud, counters) = (&site.cloud, &site.cloud.counters);
        Health {
            version: env!("CARGO_PKG_VERSION"),
            ingester: self.ingester.clone(),
            leading: leading(&site),
            takes: site.realm.to_string(),
            rivals: site.rivals.iter().map(|(name, takes)| Rival::new(name, takes, &site)).collect(),
            term: site.term.as_ref().map_or(0, |term| term.counter),
            connected: site.connected.iter().filter_map(|at| self.brokers.get(*at).cloned()).collect(),
            brokers: self.brokers.clone(),
            store_down: cloud.store_down.as_ref().map(ToString::to_string),
            agents: cloud.agents,
            readings_total: counters.readings,
            stored_total: counters.stored,
            duplicates_total: counters.duplicates,
            dead_total: counters.dead,
            out_of_range_total: counters.out_of_range,
            store_errors_total: counters.store_errors,
            readings_per_s,
            latency_ms,
            held_bytes: cloud.held_bytes,
            billing: Billing { standby: site.standby },
        }
    }
}

fn leading(site: &SiteSnapshot) -> Leading {
    Leading { role: site.role, leader: site.leader.as_ref().map(ToString::to_string) }
}
