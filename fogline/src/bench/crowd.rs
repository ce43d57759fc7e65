//! Many agents in this process: each with its queue, its connection and its source, as in a process of its own. For what a
//! thousand processes would measure the machine instead.

use super::fleet::{Left, folder_of};
use super::plan::Plan;
use anyhow::{Context, bail};
use fogline_agent::program::{AgentSnapshot, run};
use fogline_agent::settings::{AgentConfig, SourceConfig};
use fogline_agent::source::simulate::{Rate, SimulateConfig};
use fogline_agent::status;
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::usecase;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long all agents may take until a reading of each is acknowledged.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// How often they are looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Running agents.
pub(crate) struct Crowd {
    members: Vec<Member>,
    stop: watch::Sender<bool>,
}

struct Member {
    snapshots: watch::Receiver<AgentSnapshot>,
    task: JoinHandle<anyhow::Result<()>>,
    folder: PathBuf,
}

impl Crowd {
    /// Starts the agents of a plan. Their sources end after `count` readings each.
    ///
    /// # Errors
    /// What kept one from starting.
    pub(crate) async fn start(
        plan: &Plan,
        parent: &Path,
        broker: SocketAddr,
        count: Option<u64>,
    ) -> anyhow::Result<Self> {
        raise_open_files();
        let (stop, stopped) = watch::channel(false);
        let mut members = Vec::new();
        for number in 1..=plan.agents {
            let folder = folder_of(parent, number);
            let config = config(plan, number, &folder, broker, count)?;
            let (say, said) = oneshot::channel();
            let mut stopped = stopped.clone();
            let told = async move { drop(stopped.wait_for(|stop| *stop).await) };
            let task = tokio::spawn(run(config, told, say));
            let Ok(running) = said.await else {
                task.await??;
                bail!("agent {number} ended before it was ready");
            };
            members.push(Member { snapshots: running.snapshots, task, folder });
        }
        Ok(Self { members, stop })
    }

    /// What each agent knows, in order.
    pub(crate) fn look(&self) -> Vec<AgentSnapshot> {
        self.members.iter().map(|member| member.snapshots.borrow().clone()).collect()
    }

    /// Fails if one has ended.
    ///
    /// # Errors
    /// Which.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        match self.members.iter().find(|member| member.task.is_finished()) {
            Some(member) => bail!("the agent of {} ended", member.folder.display()),
            None => Ok(()),
        }
    }

    /// Waits until a reading of each is acknowledged; `seen` is told of how many one is.
    ///
    /// # Errors
    /// When one ends, or when it takes too long.
    pub(crate) async fn settle(&self, seen: impl Fn(u64)) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLED_WITHIN;
        loop {
            self.check()?;
            let settled = self.look().iter().filter(|snapshot| snapshot.edge.acknowledged > 0).count();
            seen(u64::try_from(settled).unwrap_or(u64::MAX));
            if settled == self.members.len() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!("after {SETTLED_WITHIN:?} only {settled} agents have had a reading acknowledged");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Stops all, and looks into their queues.
    ///
    /// # Errors
    /// When one failed, or when its queue cannot be read.
    pub(crate) async fn stop(self) -> anyhow::Result<Left> {
        self.stop.send_replace(true);
        let mut left = Left::default();
        for member in self.members {
            member.task.await??;
            let folder = member.folder;
            let report = tokio::task::spawn_blocking(move || status::ask(&folder)).await??;
            left.acknowledged += report.acknowledged;
            left.queued += report.queue.readings;
            left.dropped += report.queue.dropped;
        }
        Ok(left)
    }
}

fn config(
    plan: &Plan,
    number: u32,
    folder: &Path,
    broker: SocketAddr,
    count: Option<u64>,
) -> anyhow::Result<AgentConfig> {
    let id = AgentId { region: Name::new("bench")?, agent: Name::new(&format!("agent-{number}"))? };
    let source = SimulateConfig {
        usecase: usecase::find("road").context("no use case road")?,
        sensors: 1,
        sensor: "lane".to_owned(),
        rate: Rate::PerSecond(plan.rate_each()),
        seed: u64::from(number),
        count,
        reading_bytes: usize::try_from(plan.reading_bytes).ok(),
        raw: true,
    };
    let brokers = vec![broker.to_string().parse()?];
    let config = AgentConfig::new(id, brokers, folder.to_owned(), SourceConfig::Simulate(source));
    Ok(AgentConfig { commit_every: Duration::from_millis(plan.commit_every_ms), ..config })
}

/// Each agent has some ten files open. What the system does not allow shows when one cannot start.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
}
