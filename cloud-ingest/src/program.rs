//! The ingester: opens its store, runs the cloud node, serves health, metrics and API, and stops in order.

use crate::directing::Directing;
use crate::http::{self, Served};
use crate::journal::Journal;
use crate::live::{LiveTask, Meter, Vitals, Whereabouts};
use crate::settings::{IngestConfig, StoreKind};
use crate::shell::{Ending, IngestShell};
use crate::store::{
    InfluxConfig, InfluxStore, NullStore, Sharing, SlowStore, SqliteStore, StateDb, Store, StoreThread, share_as,
};
use crate::telemetry::Telemetry;
use crate::traced::Traced;
use anyhow::Context;
use fogline_protocol::node::{CloudConfig, CloudTuning, Keeping, SiteConfig, SiteNode, SiteSnapshot};
use fogline_protocol::realm::Realm;
use fogline_protocol::topic::{peer_filters, up_filters};
use fogline_runtime::clock::{Clock, entropy};
use fogline_runtime::driver::drive;
use fogline_runtime::link::{BrokerAddress, Link, LinkConfig, LinkEvents, LinkHandle, LinkMetrics};
use fogline_service::notify::Heart;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// Messages between the network and the node: what comes beyond is thrown away, counted, and sent again.
const INCOMING_BYTES: usize = 16 << 20;
/// Acknowledgements of some thousand agents that wait for the network.
const OUTGOING_BYTES: usize = 8 << 20;
/// Answers of the store that wait for the node: it has one commit and some recalls outstanding.
const ANSWERS_MAX: usize = 64;
/// Bounds and rules that wait for the node: a person sends them.
const TUNINGS_MAX: usize = 1;
/// How long an orderly stop waits for the store and for what followers lack.
const LEAVE_DEADLINE: Duration = Duration::from_millis(1500);
/// How long to say goodbye to a broker.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// Ingesters are few, and a leader that finds a broker later than the others stands aside for them after a lease of 3 s.
const RETRY_WITHIN: Duration = Duration::from_secs(1);

/// What a running ingester can be asked for.
#[derive(Debug, Clone)]
pub struct Running {
    /// Where health, metrics and API are served, `http://ADDRESS:PORT` or `https://ADDRESS:PORT`.
    pub url: String,
    /// The database or the state, for readers.
    pub database: PathBuf,
    /// The node, some ten times a second.
    pub snapshots: watch::Receiver<SiteSnapshot>,
    /// Takes other bounds and another rule.
    pub tunings: mpsc::Sender<CloudTuning>,
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
    let traced = Traced::start(&config.traces, config.name.as_str())?;
    let database = database(&config);
    let (store, identity) = open_store(&config, &database)?;
    let _same_agents = config.shared.then(|| share_as(&database, &config.realm)).transpose()?;
    let realm = config.realm.clone();
    let mut node = SiteNode::new(site(&config, realm.clone(), identity), clock.now());
    let (links, events) = connect(&config, &realm)?;

    let ((sink, answers), (left, has_left)) = (mpsc::channel(ANSWERS_MAX), watch::channel(false));
    let store = StoreThread::spawn(store, sink).context("no thread for the store")?;
    let (snapshots, watched) = watch::channel(node.snapshot(clock.now().mono));
    let brokers: Vec<String> = config.connections().iter().map(|brokers| listed(brokers)).collect();
    let meter = Arc::new(Mutex::new(Meter::new(Instant::now())));
    let (ingester, whereabouts) = (config.name.to_string(), Whereabouts::default());
    let vitals = Vitals { ingester, brokers: brokers.clone(), snapshots: watched.clone(), meter };
    let telemetry = influxdb(&config).map(|influx| Telemetry::start(vitals.clone(), &influx, database.clone()));
    let telemetry = telemetry.transpose()?;
    let (mut feed, live, live_task) = LiveTask::start(vitals, database.clone());
    feed.tally = telemetry.as_ref().map(|telemetry| Arc::clone(&telemetry.tally));
    let ((directing, asked), (tune, tunings)) = (Directing::new(), mpsc::channel(TUNINGS_MAX));
    let served = Served {
        database: database.clone(),
        snapshots: watched.clone(),
        link: Box::new(counts_of(links.clone())),
        brokers: brokers.clone(),
        whereabouts: whereabouts.clone(),
        live,
        shares: config.shared,
        places: Arc::clone(&config.places),
        price_eur_per_kwh: config.price_eur_per_kwh,
        seekers: http::Seekers::default(),
        changes: store.changes(),
        telemetry: telemetry.as_ref().map(|telemetry| Arc::clone(&telemetry.counts)),
        directing,
    };
    let door = http::serve(config.http, served).await?;
    // Nobody may be waiting to hear it.
    ready.send(Running { url: door.url(), database, snapshots: watched, tunings: tune }).ok();
    tracing::info!(name = %config.name, takes = %realm, http = %door.address, store = ?config.store, "ingester started");

    let mut shell = IngestShell {
        traced,
        links,
        events,
        agents: up_filters(&realm),
        store,
        answers,
        asked,
        snapshots,
        next_snapshot: Instant::now(),
        clock,
        journal: Journal::new(brokers),
        feed,
        whereabouts,
        realm,
        ending: None,
        left,
        heart: Heart::new(),
        tunings,
    };
    drive(&mut node, &mut shell, &clock, shutdown).await;
    if shell.ending.is_none() {
        node.leave(clock.now());
        drive(&mut node, &mut shell, &clock, left_or_late(has_left)).await;
    }
    drop(telemetry);
    // Whoever watches would keep the door waiting.
    live_task.stop();
    door.stop().await;
    stop(shell).await
}

/// What all connections have counted together.
fn counts_of(links: Vec<LinkHandle>) -> impl Fn() -> LinkMetrics {
    move || links.iter().map(LinkHandle::metrics).fold(LinkMetrics::default(), LinkMetrics::and)
}

/// The rules and limits of the node.
fn site(config: &IngestConfig, realm: Realm, store: String) -> SiteConfig {
    let mut cloud = CloudConfig::new(config.name.clone(), entropy());
    cloud.memory_bytes = config.memory_bytes;
    cloud.credit_bytes = config.credit_bytes;
    cloud.grace = config.grace;
    cloud.limit_rule = config.limit_rule;
    cloud.places = config.places.clone();
    let keeping = match config.store {
        StoreKind::Sqlite | StoreKind::Null => Keeping::Together,
        StoreKind::Influxdb => Keeping::Apart,
    };
    let (rank, brokers) = (config.rank, config.connections().len());
    SiteConfig { realm, rank, brokers, store, keeping, ..SiteConfig::new(cloud) }
}

/// The brokers of a cluster as one.
fn listed(brokers: &[BrokerAddress]) -> String {
    brokers.iter().map(BrokerAddress::to_string).collect::<Vec<_>>().join(",")
}

/// A link to each broker, or one to a cluster. What agents say is heard only by the one that leads.
fn connect(config: &IngestConfig, realm: &Realm) -> anyhow::Result<(Vec<LinkHandle>, Vec<LinkEvents>)> {
    let (mut links, mut events) = (Vec::new(), Vec::new());
    let connections = config.connections();
    let share = connections.len().max(1);
    for brokers in connections {
        let mut link = LinkConfig::new(brokers, config.name.as_str(), entropy());
        link.subscriptions = peer_filters(realm);
        // A cluster makes something to be elected of each subscription at QoS 1, which takes long when a server is gone.
        link.at_most_once = config.cluster;
        link.incoming_bytes = INCOMING_BYTES / share;
        link.security = config.security.clone();
        link.outgoing_bytes = OUTGOING_BYTES / share;
        link.retry_within = RETRY_WITHIN;
        link.inflight = fogline_runtime::link::MAX_INFLIGHT;
        let (handle, heard) = Link::start(link, |_| None)?;
        links.push(handle);
        events.push(heard);
    }
    Ok((links, events))
}

async fn left_or_late(mut left: watch::Receiver<bool>) {
    // The sender is in the shell, which outlives this wait.
    tokio::time::timeout(LEAVE_DEADLINE, left.wait_for(|left| *left)).await.ok();
}

/// Lets the store finish what it was given: what is stored and not acknowledged would only be sent again.
async fn stop(shell: IngestShell) -> anyhow::Result<()> {
    let IngestShell { links, events, store, answers, ending, .. } = shell;
    drop(events);
    drop(answers);
    for link in links {
        link.close(CLOSE_DEADLINE).await;
    }
    tokio::task::spawn_blocking(move || store.stop()).await?.map_err(|_| Ending::Store)?;
    if let Some(ending) = ending {
        return Err(ending.into());
    }
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

/// The database that readings and points for boards go to, if it is InfluxDB.
fn influxdb(config: &IngestConfig) -> Option<InfluxConfig> {
    let influx = config.influxdb.as_ref().filter(|_| config.store == StoreKind::Influxdb)?;
    let (url, org) = (influx.url.clone(), influx.org.clone());
    let (bucket, token) = (influx.bucket.clone(), influx.token.clone());
    let takes = (config.realm != Realm::Everywhere).then(|| config.realm.to_string());
    Some(InfluxConfig { url, org, bucket, token, takes, ..InfluxConfig::default() })
}

/// The store, and what tells it from any other.
fn open_store(config: &IngestConfig, database: &std::path::Path) -> anyhow::Result<(Box<dyn Store>, String)> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the data directory {}", dir.display()))?;
    let sharing = if config.shared { Sharing::OneFile } else { Sharing::Alone };
    let state = StateDb::open(database, config.synchronous, sharing)?;
    let file = format!("sqlite:{}", state.identity());
    let (store, identity): (Box<dyn Store>, String) = match (config.store, influxdb(config)) {
        (StoreKind::Influxdb, Some(influx)) => {
            let named = config.store_name.as_ref().map(|name| format!("influxdb:{name}"));
            (Box::new(InfluxStore::new(state, &influx)?), named.unwrap_or_else(|| influx.identity()))
        }
        (StoreKind::Null, _) => (Box::new(NullStore::new(state)), file.replace("sqlite", "null")),
        (StoreKind::Sqlite | StoreKind::Influxdb, _) => (Box::new(SqliteStore::new(state)), file),
    };
    let store = match config.store_rate {
        Some(per_s) => Box::new(SlowStore::new(store, per_s)),
        None => store,
    };
    Ok((store, identity))
}
