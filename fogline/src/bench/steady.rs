//! Readings at a steady rate, from many agents.

use super::check::Check;
use super::fleet::{Fleet, latencies};
use super::plan::Plan;
use super::report::{Report, Steady};
use super::site::Site;
use super::usage::{KindUsage, Usage};
use super::{latency, progress};
use crate::{figures, ports};
use fogline_agent::status::LiveReport;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// Connecting and the first readings cost more than what follows; the figures are to be those of a running site.
const WARM_UP: Duration = Duration::from_secs(2);
/// How often the bar moves.
const TICK: Duration = Duration::from_millis(100);

/// Runs the plan, and checks that nothing was lost.
///
/// # Errors
/// When a process fails, or does not answer.
pub(crate) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Report> {
    let address = ports::free()?;
    let mut site = Site::start(plan, folder, address).await?;
    let mut fleet = Fleet::start(plan, folder, &address.to_string())?;
    let bar = progress::bar("agents that send", u64::from(plan.agents));
    fleet.settle(|seen| bar.set_position(seen)).await?;
    drop(bar);
    wait("warming up", WARM_UP, &mut site, &mut fleet).await?;

    let before = Moment::now(&site, &fleet).await?;
    wait("measuring", plan.duration, &mut site, &mut fleet).await?;
    let after = Moment::now(&site, &fleet).await?;

    let _shown = progress::spinner("stopping, and counting what is stored");
    let left = fleet.stop().await?;
    let stored = site.stop().await?;
    Ok(Report {
        steady: Some(steady(&before, &after)?),
        processes: processes(&before, &after),
        check: Some(Check::new(left, stored)),
        ..Report::new(plan)
    })
}

/// All that is asked for at the beginning and at the end.
struct Moment {
    at: Instant,
    stored: u64,
    agents: Vec<LiveReport>,
    broker: Usage,
    ingester: Usage,
    fleet: Vec<Usage>,
}

impl Moment {
    async fn now(site: &Site, fleet: &Fleet) -> anyhow::Result<Self> {
        let (at, used) = (Instant::now(), site.usage());
        let (stored, fleet_used) = (site.stored().await?, fleet.usage());
        let agents = fleet.live().await?;
        Ok(Self { at, stored, agents, broker: used.broker, ingester: used.ingester, fleet: fleet_used })
    }

    fn sum(&self, of: impl Fn(&LiveReport) -> u64) -> u64 {
        self.agents.iter().map(of).sum()
    }
}

fn steady(before: &Moment, after: &Moment) -> anyhow::Result<Steady> {
    let elapsed = after.at - before.at;
    let grown = |of: fn(&LiveReport) -> u64| after.sum(of).saturating_sub(before.sum(of));
    let (sampled, acknowledged) = (grown(|live| live.source.offered), grown(|live| live.acknowledged));
    let stored = after.stored.saturating_sub(before.stored);
    Ok(Steady {
        elapsed_ms: figures::as_micros(elapsed) / 1000,
        sampled,
        stored,
        acknowledged,
        stored_per_s: figures::rate(stored, elapsed),
        acknowledged_per_s: figures::rate(acknowledged, elapsed),
        resent: grown(|live| live.resent),
        waiting: after.sum(|live| live.unsent + live.in_flight),
        waiting_most: after.agents.iter().map(|live| live.unsent + live.in_flight).max().unwrap_or(0),
        latency: latency::between(&latencies(&before.agents), &latencies(&after.agents))?,
    })
}

fn processes(before: &Moment, after: &Moment) -> Vec<KindUsage> {
    let elapsed = after.at - before.at;
    vec![
        KindUsage::between("broker", &[before.broker], &[after.broker], elapsed),
        KindUsage::between("ingester", &[before.ingester], &[after.ingester], elapsed),
        KindUsage::between("agent", &before.fleet, &after.fleet, elapsed),
    ]
}

/// Waits, and notices when a process ends meanwhile.
async fn wait(what: &'static str, duration: Duration, site: &mut Site, fleet: &mut Fleet) -> anyhow::Result<()> {
    let bar = progress::clock(what, duration);
    let (start, mut ticks) = (Instant::now(), tokio::time::interval(TICK));
    while start.elapsed() < duration {
        ticks.tick().await;
        bar.set_position(figures::as_micros(start.elapsed()) / 1_000_000);
        site.check()?;
        fleet.check()?;
    }
    Ok(())
}
