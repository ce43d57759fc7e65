//! The sites and their agents, struck and healed.

use super::limits::Limits;
use super::sites::Sites;
use super::strike::Strike;
use crate::audit::{Account, Sources, audit};
use crate::bench::fleet::Fleet;
use crate::bench::plan::Plan;
use anyhow::{Context, bail};
use fogline_agent::status::LiveReport;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How often everybody is asked: the times are right to so much. Ingesters renew what they tell ten times a second.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Nobody has taken over then.
const GIVE_UP: Duration = Duration::from_secs(60);
/// Between two strikes: windows close and limits are decided meanwhile.
const REST: Duration = Duration::from_secs(3);
/// What waits in a queue that has drained: some seconds of its readings at most.
const DRAINED_S: f64 = 1.0;

/// Everything that runs.
#[derive(Debug)]
pub(super) struct Stage {
    sites: Sites,
    fleet: Fleet,
    limits: Limits,
    /// Readings that may wait in a queue.
    drained: u64,
}

impl Stage {
    /// Starts it, and waits until all is as it should be.
    ///
    /// # Errors
    /// What kept a part from starting.
    pub(super) async fn start(plan: &Plan, folder: &Path) -> anyhow::Result<Self> {
        let sites = Sites::start(plan, folder).await?;
        let fleet = Fleet::start(plan, folder, &sites.addresses)?;
        // By way of a duration, which refuses what is no number.
        let drained = Duration::from_secs_f64((plan.rate_each() * DRAINED_S).clamp(10.0, 1e9)).as_secs();
        let mut stage = Self { sites, fleet, limits: Limits::default(), drained };
        stage.fleet.settle(|_| ()).await?;
        stage.settle().await?;
        Ok(stage)
    }

    /// Strikes, and gives how long it took until the others had taken over.
    ///
    /// # Errors
    /// When nobody takes over.
    pub(super) async fn strike(&mut self, strike: Strike) -> anyhow::Result<Duration> {
        let leader = self.settle().await?;
        let agents = self.look().await;
        let place = agents.iter().flatten().find_map(place).context("no agent says which broker it uses")?;
        let other = 1 - leader;
        let stored = self.sites.stored(other).await?;

        let begun = Instant::now();
        if strike.takes_broker() {
            self.sites.kill_broker(place).await?;
        }
        let stopping = match strike {
            Strike::LeaderStopped => Some(self.sites.terminate_ingester(leader)?),
            _ if strike.takes_leader() => {
                self.sites.kill_ingester(leader).await?;
                None
            }
            _ => None,
        };
        if strike.takes_broker() {
            self.until_acknowledged(place, strike).await?;
        } else {
            self.until_stored(other, stored, strike).await?;
        }
        let took = begun.elapsed();
        if let Some(leader) = stopping {
            leader.stop().await?;
        }
        Ok(took)
    }

    /// Starts what was struck, and waits until all is as it should be.
    ///
    /// # Errors
    /// What kept it from starting, or that it does not come to rest.
    pub(super) async fn heal(&mut self) -> anyhow::Result<()> {
        self.sites.start_missing().await?;
        self.settle().await?;
        let rested = Instant::now() + REST;
        while Instant::now() < rested {
            self.look().await;
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok(())
    }

    /// Waits until one ingester leads and the other could take over, and all agents are acknowledged on one broker and hold no
    /// backlog. Gives the one that leads.
    async fn settle(&mut self) -> anyhow::Result<usize> {
        let deadline = Instant::now() + GIVE_UP;
        loop {
            self.check()?;
            let agents = self.look().await;
            let leader = self.sites.leader().await;
            if let Some(leader) = leader.filter(|_| self.are_well(&agents)) {
                return Ok(leader);
            }
            if Instant::now() > deadline {
                bail!("after {GIVE_UP:?} the sites have not come to rest: leader {leader:?}, agents {agents:?}");
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    fn are_well(&self, agents: &[Option<LiveReport>]) -> bool {
        let first = agents.first().and_then(Option::as_ref).and_then(place);
        let well = |live: &LiveReport| {
            live.acknowledged > 0 && live.unsent + live.in_flight <= self.drained && place(live) == first
        };
        first.is_some() && agents.iter().all(|live| live.as_ref().is_some_and(well))
    }

    /// Waits until each agent is acknowledged more than it was when its broker had died, over another one.
    async fn until_acknowledged(&mut self, died: usize, strike: Strike) -> anyhow::Result<()> {
        let before: Vec<u64> = self.look().await.iter().map(|live| live.as_ref().map_or(0, acknowledged)).collect();
        let deadline = Instant::now() + GIVE_UP;
        loop {
            self.check()?;
            let agents = self.look().await;
            let again = |(live, before): (&Option<LiveReport>, &u64)| {
                let moved = live.as_ref().filter(|live| place(live).is_some_and(|now| now != died));
                moved.is_some_and(|live| acknowledged(live) > *before)
            };
            if agents.iter().zip(&before).all(again) {
                return Ok(());
            }
            give_up(deadline, strike)?;
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    async fn until_stored(&mut self, ingester: usize, before: u64, strike: Strike) -> anyhow::Result<()> {
        let deadline = Instant::now() + GIVE_UP;
        while self.sites.stored(ingester).await? <= before {
            self.check()?;
            self.look().await;
            give_up(deadline, strike)?;
            tokio::time::sleep(ASK_EVERY).await;
        }
        Ok(())
    }

    /// Asks all agents; keeps an eye on their limits.
    async fn look(&mut self) -> Vec<Option<LiveReport>> {
        let reports = self.fleet.ask().await.into_iter().map(Result::ok).collect::<Vec<_>>();
        for (agent, report) in reports.iter().enumerate() {
            report.iter().for_each(|report| self.limits.look(agent, report));
        }
        reports.into_iter().map(|report| report?.live).collect()
    }

    fn check(&mut self) -> anyhow::Result<()> {
        self.sites.check()?;
        self.fleet.check()
    }

    /// Stops everything, and accounts for all readings.
    ///
    /// # Errors
    /// When a process failed, or when the audit cannot be made.
    pub(super) async fn end(mut self, plan: &Plan) -> anyhow::Result<(Limits, Account)> {
        let queues = self.fleet.folders().to_vec();
        self.fleet.stop().await?;
        self.sites.stop().await?;
        let sources = Sources { ingesters: self.sites.data, queues, database: plan.database.clone() };
        let account = tokio::task::spawn_blocking(move || audit(&sources, &mut |_| ())).await??;
        Ok((self.limits, account))
    }
}

/// The place of the broker that an agent uses, from 0.
fn place(live: &LiveReport) -> Option<usize> {
    live.broker.as_ref().filter(|_| live.connected)?.place.checked_sub(1)
}

const fn acknowledged(live: &LiveReport) -> u64 {
    live.acknowledged
}

fn give_up(deadline: Instant, strike: Strike) -> anyhow::Result<()> {
    if Instant::now() > deadline {
        bail!("{}: after {GIVE_UP:?} still not: {}", strike.name(), strike.until());
    }
    Ok(())
}
