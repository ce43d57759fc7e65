//! The ingester: opens its store, runs the cloud node, serves health, metrics and API, and stops in order.

use crate::http::{self, Served};
use crate::journal::Journal;
use crate::settings::{IngestConfig, StoreKind};
use crate::shell::IngestShell;
use crate::store::{InfluxConfig, InfluxStore, NullStore, SqliteStore, StateDb, Store, StoreThread};
use anyhow::Context;
use fogline_protocol::node::{CloudConfig, CloudNode, CloudSnapshot};
use fogline_protocol::topic::up_filter;
use fogline_protocol::window::DECISION_WIDTH_S;
use fogline_runtime::clock::{Clock, entropy, wall};
use fogline_runtime::driver::drive;
use fogline_runtime::link::{Link, LinkConfig, LinkMetrics};
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Messages between the network and the node: what comes beyond is thrown away, counted, and sent again.
const INCOMING_BYTES: usize = 16 << 20;
/// Acknowledgements of some thousand agents that wait for the network.
const OUTGOING_BYTES: usize = 8 << 20;
/// Answers of the store that wait for the node: it has one commit and some recalls outstanding.
const ANSWERS_MAX: usize = 64;
/// How long to say goodbye to the broker.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// What a running ingester can be asked for.
#[derive(Debug, Clone)]
pub struct Running {
    /// Where health, metrics and API are served, `http://ADDRESS:PORT` or `https://ADDRESS:PORT`.
    pub url: String,
    /// The database or the state, for readers.
    pub database: PathBuf,
    /// The node, some ten times a second.
    pub snapshots: watch::Receiver<CloudSnapshot>,
}

/// Runs an ingester until `shutdown` completes. Says through `ready` when it serves; that it is connected and able to
/// store is what `/readyz` says.
///
/// # Errors
/// What kept it from starting, or ended it: each with the file or address that it speaks of.
pub async fn run(
    config: IngestConfig,
    shutdown: impl Future<Output = ()> + Send,
    ready: oneshot::Sender<Running>,
) -> anyhow::Result<()> {
    let clock = Clock::new();
    let run = entropy();
    let database = database(&config);
    let mut store = open_store(&config, &database)?;
    let since = wall() - config.grace - Duration::from_secs(u64::from(DECISION_WIDTH_S));
    let recovered = store.recover(run, since).context("the ingester's state cannot be read")?;

    let mut cloud = CloudConfig::new(config.name.clone(), run);
    cloud.memory_bytes = config.memory_bytes;
    cloud.credit_bytes = config.credit_bytes;
    cloud.grace = config.grace;
    cloud.limit_rule = config.limit_rule;
    let mut node = CloudNode::new(cloud, recovered, clock.now());

    let mut link_config = LinkConfig::new(config.brokers.clone(), config.name.as_str(), entropy());
    link_config.subscriptions = vec![up_filter(config.region.as_ref())];
    link_config.incoming_bytes = INCOMING_BYTES;
    link_config.security = config.security.clone();
    link_config.outgoing_bytes = OUTGOING_BYTES;
    link_config.inflight = fogline_runtime::link::MAX_INFLIGHT;
    let (link, events) = Link::start(link_config, |_| None)?;

    let (sink, answers) = mpsc::channel(ANSWERS_MAX);
    let store = StoreThread::spawn(store, sink).context("no thread for the store")?;
    let (snapshots, watched) = watch::channel(node.snapshot());
    let metrics = link.clone();
    let link_metrics = move || -> LinkMetrics { metrics.metrics() };
    let served = Served::new(database.clone(), watched.clone(), Box::new(link_metrics));
    let door = http::serve(config.http, served).await?;
    // Nobody may be waiting to hear it.
    ready.send(Running { url: door.url(), database, snapshots: watched }).ok();
    tracing::info!(name = %config.name, http = %door.address, store = ?config.store, "ingester started");

    let mut shell = IngestShell {
        link,
        events,
        store,
        answers,
        snapshots,
        next_snapshot: Instant::now(),
        store_closed: false,
        link_closed: false,
        connected: false,
        journal: Journal::default(),
    };
    drive(&mut node, &mut shell, &clock, shutdown).await;
    door.stop().await;
    stop(shell).await
}

/// Lets the store finish what it was given: what is stored and not acknowledged would only be sent again.
async fn stop(shell: IngestShell) -> anyhow::Result<()> {
    let IngestShell { link, events, store, answers, store_closed, link_closed, .. } = shell;
    drop(events);
    drop(answers);
    link.close(CLOSE_DEADLINE).await;
    tokio::task::spawn_blocking(move || store.stop()).await??;
    anyhow::ensure!(
        !store_closed,
        "the store's thread ended: restart the ingester; agents send again what was not stored"
    );
    anyhow::ensure!(!link_closed, "the MQTT link ended: restart the ingester; agents send again what was not stored");
    tracing::info!("ingester stopped");
    Ok(())
}

/// The database, or the state of an ingester whose readings go elsewhere.
fn database(config: &IngestConfig) -> PathBuf {
    config.data_dir.join(match config.store {
        StoreKind::Sqlite => "fogline.db",
        StoreKind::Influxdb | StoreKind::Null => "state.db",
    })
}

fn open_store(config: &IngestConfig, database: &std::path::Path) -> anyhow::Result<Box<dyn Store>> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the data directory {}", dir.display()))?;
    let state = StateDb::open(database, config.synchronous)?;
    let store: Box<dyn Store> = match (config.store, &config.influxdb) {
        (StoreKind::Influxdb, Some(influx)) => {
            let (url, org) = (influx.url.clone(), influx.org.clone());
            let (bucket, token) = (influx.bucket.clone(), influx.token.clone());
            Box::new(InfluxStore::new(state, &InfluxConfig { url, org, bucket, token, ..InfluxConfig::default() })?)
        }
        (StoreKind::Null, _) => Box::new(NullStore::new(state)),
        (StoreKind::Sqlite | StoreKind::Influxdb, _) => Box::new(SqliteStore::new(state)),
    };
    Ok(store)
}
