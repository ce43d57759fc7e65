//! The agent: opens its queue, runs the edge node, and stops in order.

pub use crate::shell::AgentSnapshot;

use crate::http;
use crate::journal::Journal;
use crate::latency::Latencies;
use crate::limit::{self, Limit, LimitWatch, Told};
use crate::orders::Orders;
use crate::peers::Peers;
use crate::pump::{NamedSource, Pump};
use crate::settings::AgentConfig;
use crate::shell::{AgentShell, Ending, Tickets};
use crate::source::open_sources;
use crate::status::{self, Question, queue_path, socket_path};
use crate::traced::Traced;
use anyhow::{Context, bail};
use bytes::Bytes;
use fogline_door::http::{Door, DoorError};
use fogline_protocol::failover::FailoverConfig;
use fogline_protocol::ids::AgentId;
use fogline_protocol::node::{ClockConfig, EdgeConfig, EdgeNode};
use fogline_protocol::queue::{QueueCommand, QueueState};
use fogline_protocol::topic::down_filter;
use fogline_runtime::clock::{Clock, boot_id, entropy};
use fogline_runtime::driver::drive;
use fogline_runtime::link::{Link, LinkConfig, LinkEvents, LinkHandle, Publish};
use fogline_runtime::outbox::{Outbox, OutboxConfig};
use fogline_service::notify::Heart;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Acknowledgements and decisions that wait for the node: they are small, and said again when one is thrown away.
const INCOMING_BYTES: usize = 512 * 1024;
/// Questions about the status that wait for the node.
const QUESTIONS_MAX: usize = 8;
/// Configurations that wait for the node: a person sends them.
const RELOADS_MAX: usize = 1;
/// How long the source's last readings may take to be committed at a stop.
const COMMIT_DEADLINE: Duration = Duration::from_secs(2);
/// How long to say goodbye to the broker.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// What a running agent can be asked for.
#[derive(Debug, Clone)]
pub struct Running {
    /// The agent, some ten times a second while something changes.
    pub snapshots: watch::Receiver<AgentSnapshot>,
    /// Its queue, for [`inspect`](fogline_runtime::outbox::inspect()).
    pub queue: PathBuf,
    /// Where health and metrics are served, `http://ADDRESS:PORT` or `https://ADDRESS:PORT`, if they are.
    pub url: Option<String>,
    /// Takes other configurations. What can change while it runs is taken over: the bounds of the queue, how long readings gather,
    /// and the default limit.
    pub reloads: mpsc::Sender<Box<AgentConfig>>,
}

/// Runs an agent until `shutdown` completes, or until what [`AgentConfig::until`] waits for has come. Says through `ready`
/// when its queue is open and its source has started; whether it is connected is in the snapshots. Must run on a runtime of
/// one thread or more; opens its queue before the first wait, which takes some milliseconds.
///
/// # Errors
/// What kept it from starting, or ended it: each with the file or address that it speaks of.
pub async fn run(
    config: AgentConfig,
    shutdown: impl Future<Output = ()> + Send,
    ready: oneshot::Sender<Running>,
) -> anyhow::Result<()> {
    run_with(config, None, shutdown, ready).await
}

/// The same for one that speaks to other agents of its region as well, over its own connection and queue.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: AgentConfig,
    peers: Option<Peers>,
    shutdown: impl Future<Output = ()> + Send,
    ready: oneshot::Sender<Running>,
) -> anyhow::Result<()> {
    let (traced, clock) = (Traced::start(&config.traces, &config.id.to_string())?, Clock::new());
    make_dir(&config.data_dir)?;
    let queue = queue_path(&config.data_dir);
    let Outbox { state, handle, answers } = open_queue(&config, &queue)?;
    let sources: Vec<NamedSource> = open_sources(&config, &state.positions)?;
    let pump = Pump::start(sources).context("no thread for the source")?;

    let mut node = EdgeNode::new(edge_config(&config, &clock), &state, clock.now());
    let (link, events) = connect(&config, peers.as_ref(), state.opening, clock)?;
    let ((asking, questions), (reload, reloads)) = (mpsc::channel(QUESTIONS_MAX), mpsc::channel(RELOADS_MAX));
    let socket = Socket::open(&config.data_dir, asking.clone());
    let door = open_door(&config, asking).await?;
    let limit = LimitWatch::new(config.default_limit_kmh);
    limit.decided(node.decision(limit::KEY), clock.now());
    let told = Told::start(config.limit_sinks.clone(), config.id.agent.as_str(), &limit)?;

    let (started, latencies) = (Instant::now(), Latencies::new()?);
    let (acknowledged_before, source_ended) = (acknowledged(&state), pump.is_none());
    let source = status::SourceReport::at_start(source_ended);
    let (at, holds) = (clock.now().mono, limit.get());
    let first = AgentSnapshot { edge: node.snapshot(), acknowledged_before, source, limit: holds, at };
    let (snapshots, watched) = watch::channel(first);
    let url = door.as_ref().map(Door::url);
    say_started(&config, &queue, &state, url.as_deref(), limit.get());
    // Nobody may be waiting to hear it.
    ready.send(Running { snapshots: watched, queue, url, reloads: reload }).ok();

    let mut shell = AgentShell {
        traced,
        agent: config.id.to_string(),
        brokers: config.brokers.iter().map(ToString::to_string).collect(),
        link,
        events,
        queue: handle,
        answers,
        pump,
        source_ended,
        tickets: Tickets::default(),
        until: config.until,
        questions,
        orders: Orders::default(),
        peers,
        snapshots,
        acknowledged_before,
        started,
        latencies,
        journal: Journal::default(),
        clock,
        limit,
        tunings: config.tunings.clone(),
        limit_decided: false,
        connection: 0,
        next_snapshot: Instant::now(),
        changed: true,
        ending: None,
        heart: Heart::new(),
        reloads,
    };
    drive(&mut node, &mut shell, &clock, shutdown).await;
    let ending = shell.ending.take();
    commit_rest(&mut node, &mut shell, &clock, ending.as_ref()).await;
    shell.say_rest();
    drop(socket);
    if let Some(door) = door {
        door.stop().await;
    }
    if let Some(free) = node.last_free() {
        shell.queue.send(QueueCommand::Free(free));
    }
    close(shell, &config.id, node.opening(), clock).await?;
    told.stop().await;
    end(ending)
}

fn open_queue(config: &AgentConfig, path: &Path) -> anyhow::Result<Outbox> {
    let mut outbox = OutboxConfig::new(path, config.limits);
    outbox.synchronous = config.synchronous;
    outbox.owner = Some(config.id.to_string());
    Ok(Outbox::open(outbox)?)
}

fn say_started(config: &AgentConfig, queue: &Path, state: &QueueState, http: Option<&str>, limit: Limit) {
    let (path, queued) = (queue.display(), state.usage.readings);
    tracing::info!(agent = %config.id, queue = %path, queued, http, limit = %limit, "agent started");
}

fn edge_config(config: &AgentConfig, clock: &Clock) -> EdgeConfig {
    EdgeConfig {
        id: config.id.clone(),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        limits: config.limits,
        commit_every: config.commit_every,
        failover: FailoverConfig {
            brokers: config.brokers.len(),
            failover_after: config.failover_after,
            prefer_primary_after: config.prefer_primary_after,
        },
        clock: ClockConfig { boot: boot_id(), uptime: clock.uptime_at_origin(), hold: config.clock_hold },
        order: config.order,
        questions: config.questions.clone(),
        trial: config.config_trial,
        seed: entropy(),
    }
}

/// Readable by the agent's user only: the queue holds what sensors saw.
fn make_dir(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the data directory {}", path.display()))
}

async fn open_door(config: &AgentConfig, asking: mpsc::Sender<Question>) -> Result<Option<Door>, DoorError> {
    match config.http.clone() {
        Some(config) => http::open(config, asking).await.map(Some),
        None => Ok(None),
    }
}

fn connect(
    config: &AgentConfig,
    peers: Option<&Peers>,
    opening: u64,
    clock: Clock,
) -> anyhow::Result<(LinkHandle, LinkEvents)> {
    let mut link = LinkConfig::new(config.brokers.clone(), config.id.agent.as_str(), entropy());
    link.subscriptions = vec![down_filter(&config.id)];
    link.subscriptions.extend(peers.into_iter().flat_map(|peers| peers.filters.clone()));
    link.incoming_bytes = INCOMING_BYTES;
    link.security = config.security.clone();
    let id = config.id.clone();
    Ok(Link::start(link, move |connection| Some(offline(&id, opening, connection, clock)))?)
}

/// The status that says that the agent is gone: last will, and last word.
fn offline(id: &AgentId, opening: u64, connection: u64, clock: Clock) -> Publish {
    let status = EdgeNode::offline_status(id, (opening, connection), clock.now());
    Publish { topic: status.topic, payload: Bytes::from(status.payload), retain: status.retain }
}

/// Readings acknowledged before this opening: those that were given a number, and neither wait nor were dropped.
fn acknowledged(state: &QueueState) -> u64 {
    let given = state.next.saturating_sub(1);
    given.saturating_sub(state.usage.dropped).saturating_sub(state.usage.readings)
}

/// Stops the source, and lets what it has handed over be committed.
async fn commit_rest(node: &mut EdgeNode, shell: &mut AgentShell, clock: &Clock, ending: Option<&Ending>) {
    if matches!(ending, Some(Ending::Queue | Ending::Link)) {
        return;
    }
    let Some(pump) = &shell.pump else { return };
    pump.stop();
    tracing::info!("stopping: committing the last readings");
    shell.until = crate::settings::Until::Queued;
    drive(node, shell, clock, tokio::time::sleep(COMMIT_DEADLINE)).await;
    let lost = shell.tickets.open_readings();
    if lost > 0 {
        tracing::warn!(readings = lost, "not committed in time: a source without positions cannot give them again");
    }
    shell.show(node);
}

/// Says goodbye to the broker and closes the queue.
async fn close(shell: AgentShell, id: &AgentId, opening: u64, clock: Clock) -> anyhow::Result<()> {
    let AgentShell { link, events, queue, answers, connection, .. } = shell;
    // Without a connection there is nobody to tell, and the last will was published when it ended.
    link.publish(offline(id, opening, connection, clock)).ok();
    link.close(CLOSE_DEADLINE).await;
    drop(events);
    drop(answers);
    tokio::task::spawn_blocking(move || queue.close()).await??;
    tracing::info!("agent stopped");
    Ok(())
}

fn end(ending: Option<Ending>) -> anyhow::Result<()> {
    match ending {
        None | Some(Ending::Done) => Ok(()),
        Some(Ending::Source(error)) => Err(error).context("the source failed"),
        Some(Ending::Queue) => bail!("the queue's thread ended: start the agent again, what is queued is safe"),
        Some(Ending::Link) => bail!("the MQTT link ended: start the agent again, what is queued is safe"),
    }
}

/// The status socket, gone with this value.
struct Socket {
    path: PathBuf,
    task: Option<JoinHandle<()>>,
}

impl Socket {
    /// An agent works without its socket: the status is then read from the queue.
    fn open(data_dir: &Path, questions: mpsc::Sender<Question>) -> Self {
        let path = socket_path(data_dir);
        let task = status::serve(&path, questions);
        if let Err(error) = &task {
            tracing::warn!(path = %path.display(), %error, "no status socket: `status` shows the queue only");
        }
        Self { path, task: task.ok() }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // Left over, it is replaced at the next start.
            std::fs::remove_file(&self.path).ok();
        }
    }
}
