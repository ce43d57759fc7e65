//! All agents lose their broker at once, and come back.

use super::check::Check;
use super::crowd::{Crowd, LOOK_EVERY};
use super::plan::Plan;
use super::progress;
use super::report::Report;
use super::site::Site;
use super::usage::{KindUsage, Usage};
use crate::figures::{as_micros, micros};
use crate::ports;
use crate::table::Table;
use anyhow::bail;
use fogline_agent::latency::{Latencies, LatencySummary};
use fogline_agent::program::AgentSnapshot;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// Within this time after its broker's return each agent must have had a reading acknowledged.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// When to give up: the figures then say how many were late.
const PATIENCE: Duration = Duration::from_secs(120);

/// How they came back. Times are from the broker's return, right to a tenth of a second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Storm {
    /// How long the broker was away.
    pub(crate) away_ms: u64,
    /// Until an agent was connected and subscribed.
    pub(crate) connected: LatencySummary,
    /// Until a reading of an agent was acknowledged.
    pub(crate) acknowledged: LatencySummary,
    /// The most agents that connected in the same tenth of a second.
    pub(crate) most_at_once: u64,
}

impl Storm {
    /// What is not as it should be.
    pub(crate) fn problems(&self) -> Vec<String> {
        let (longest, most) = (self.acknowledged.max_us, as_micros(BACK_WITHIN));
        if longest <= most {
            return Vec::new();
        }
        vec![format!("an agent was back and acknowledged after {}, and {} are allowed", micros(longest), micros(most))]
    }

    pub(crate) fn rows(&self, table: &mut Table) {
        let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
        row("the broker was away for", micros(self.away_ms * 1000));
        row("after its return: connected, half of them", micros(self.connected.p50_us));
        row("  connected, the last", micros(self.connected.max_us));
        row("  connected, most in a tenth of a second", self.most_at_once.to_string());
        row("  acknowledged, half of them", micros(self.acknowledged.p50_us));
        row("  acknowledged, 99%", micros(self.acknowledged.p99_us));
        row("  acknowledged, the last", micros(self.acknowledged.max_us));
    }
}

/// Kills the broker, starts it again, and waits for everybody.
///
/// # Errors
/// When a process fails, or when some agents do not come back at all.
pub(crate) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Report> {
    let address = ports::free()?;
    let mut site = Site::start(plan, folder, address).await?;
    let bar = progress::bar("agents that send", u64::from(plan.agents));
    let crowd = Crowd::start(plan, folder, address, None).await?;
    crowd.settle(|seen| bar.set_position(seen)).await?;
    drop(bar);
    let start = Instant::now();
    let shown = progress::spinner("the broker is away");
    site.bounce_broker(plan.duration).await?;
    drop(shown);
    let storm = watch(plan, &mut site, &crowd).await?;
    let (elapsed, used) = (start.elapsed(), site.usage());
    let agents = Usage::of(std::process::id());

    let _shown = progress::spinner("stopping, and counting what is stored");
    let left = crowd.stop().await?;
    let stored = site.stop().await?;
    let nothing = Usage::default();
    Ok(Report {
        storm: Some(storm),
        processes: vec![
            KindUsage::between("broker", &[nothing], &[used.broker], elapsed),
            KindUsage::between("ingester", &[nothing], &[used.ingester], elapsed),
            KindUsage::between("all agents", &[nothing], &[agents], elapsed),
        ],
        check: Some(Check::new(left, stored)),
        ..Report::new(plan)
    })
}

/// When an agent was seen back.
#[derive(Debug, Clone, Copy, Default)]
struct Back {
    connected: Option<Duration>,
    acknowledged: Option<Duration>,
}

impl Back {
    fn note(&mut self, now: Duration, snapshot: &AgentSnapshot, before: u64) {
        if snapshot.edge.connected {
            self.connected.get_or_insert(now);
        }
        if snapshot.edge.acknowledged > before {
            self.acknowledged.get_or_insert(now);
        }
    }
}

async fn watch(plan: &Plan, site: &mut Site, crowd: &Crowd) -> anyhow::Result<Storm> {
    let start = Instant::now();
    let before: Vec<u64> = crowd.look().iter().map(|snapshot| snapshot.edge.acknowledged).collect();
    let mut back = vec![Back::default(); before.len()];
    let bar = progress::bar("agents that are back", before.len() as u64);
    loop {
        crowd.check()?;
        site.check()?;
        let now = start.elapsed();
        for ((back, snapshot), before) in back.iter_mut().zip(crowd.look()).zip(&before) {
            back.note(now, &snapshot, *before);
        }
        let all = back.iter().filter(|back| back.acknowledged.is_some()).count();
        bar.set_position(all as u64);
        if all == back.len() {
            return figures(plan, &back);
        }
        if now > PATIENCE {
            bail!("{all} of {} agents were back and acknowledged after {PATIENCE:?}", back.len());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn figures(plan: &Plan, back: &[Back]) -> anyhow::Result<Storm> {
    let (mut connected, mut acknowledged) = (Latencies::new()?, Latencies::new()?);
    let mut tenths = std::collections::BTreeMap::<u128, u64>::new();
    for back in back {
        let at = back.connected.unwrap_or_default();
        *tenths.entry(at.as_millis() / 100).or_default() += 1;
        connected.record(as_micros(at));
        acknowledged.record(as_micros(back.acknowledged.unwrap_or_default()));
    }
    Ok(Storm {
        away_ms: as_micros(plan.duration) / 1000,
        connected: connected.summary(),
        acknowledged: acknowledged.summary(),
        most_at_once: tenths.into_values().max().unwrap_or(0),
    })
}
