//! The configuration that follows from settings.

use super::{InfluxSettings, StoreKind};
use crate::store::Synchronous;
use fogline_door::http::HttpConfig;
use fogline_protocol::ids::Name;
use fogline_protocol::node::CloudTuning;
use fogline_protocol::realm::Realm;
use fogline_protocol::usecase::LimitRule;
use fogline_protocol::usecase::power::Places;
use fogline_runtime::link::{BrokerAddress, LinkSecurity};
use fogline_runtime::settings::TracesSettings;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An ingester's configuration, complete and checked.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// The brokers of all sites: it is connected to each of them. Of a cluster: to one of them.
    pub brokers: Vec<BrokerAddress>,
    /// Whether the brokers are one cluster, which has what is said to any of them.
    pub cluster: bool,
    /// Whom it trusts, and who it says it is.
    pub security: LinkSecurity,
    /// Its name.
    pub name: Name,
    /// Whose agents it takes.
    pub realm: Realm,
    /// Of several that would lead the highest does.
    pub rank: u32,
    /// Whether another ingester of this machine uses the same SQLite file.
    pub shared: bool,
    /// What those that share its InfluxDB call it.
    pub store_name: Option<String>,
    /// Where its files are.
    pub data_dir: PathBuf,
    /// Where readings go.
    pub store: StoreKind,
    /// When a write counts as done.
    pub synchronous: Synchronous,
    /// Where InfluxDB is; only for that store.
    pub influxdb: Option<InfluxSettings>,
    /// Where health, metrics and API are served, and to whom.
    pub http: HttpConfig,
    /// Most bytes of readings between the network and the store, 1 MiB to 1 GiB.
    pub memory_bytes: u64,
    /// Bytes that all agents together may have unacknowledged, 64 KiB to 1 GiB.
    pub credit_bytes: u64,
    /// The most readings that the store is given a second: for measurements. None: as many as it takes.
    pub store_rate: Option<u32>,
    /// Where traces go.
    pub traces: TracesSettings,
    /// How long a window stays open after its end, at most 60 s.
    pub grace: Duration,
    /// How limits follow from averages.
    pub limit_rule: LimitRule,
    /// Where households are.
    pub places: Arc<Places>,
    /// What a kilowatt-hour costs, in euros.
    pub price_eur_per_kwh: f64,
}

impl IngestConfig {
    /// The brokers of each connection that it keeps up, to one of them at a time.
    pub(crate) fn connections(&self) -> Vec<Vec<BrokerAddress>> {
        if self.cluster {
            vec![self.brokers.clone()]
        } else {
            self.brokers.iter().map(|one| vec![one.clone()]).collect()
        }
    }

    /// What of it can change while it runs.
    #[must_use]
    pub const fn tuning(&self) -> CloudTuning {
        let Self { memory_bytes, credit_bytes, limit_rule, .. } = *self;
        CloudTuning { memory_bytes, credit_bytes, limit_rule }
    }
}
