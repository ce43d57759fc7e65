//! A queue that was filled while there was no broker, and how it drains.

use super::check::Check;
use super::fleet::{Fleet, flags, folder_of, latencies};
use super::plan::Plan;
use super::process::Process;
use super::report::{Drain, Fill, Report};
use super::site::{Site, SiteUsage};
use super::usage::{KindUsage, Usage};
use super::{latency, progress};
use crate::store_file::Limits;
use crate::{figures, ports};
use anyhow::{Context, bail};
use fogline_agent::status::{self, LiveReport};
use fogline_protocol::window::DECISION_WIDTH_S;
use fogline_runtime::clock::wall;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How often the agent is asked: the times are right to so much.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// How often the filling agent is asked.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// A drain that stands still for so long will not end.
const STANDSTILL: Duration = Duration::from_secs(60);
/// Connecting and the first readings cost more than what follows; the other agents' figures are to be those of a running site.
const WARM_UP: Duration = Duration::from_secs(2);
/// The longest that a window is open after a reading of it, with the grace and a second for the commit.
const WINDOW_CLOSES: Duration = Duration::from_secs(DECISION_WIDTH_S as u64 + 2);
/// Half a second's worth of new readings is always on its way: the backlog is gone when no more than that waits.
const FRESH_S: f64 = 0.5;

/// Fills a queue, drains it, and checks that nothing was lost.
///
/// # Errors
/// When a process fails, or when the drain stands still.
pub(crate) async fn measure(plan: &Plan, readings: u64, folder: &Path) -> anyhow::Result<Report> {
    let address = ports::free()?;
    let (fill, filling) = fill(plan, readings, folder, address).await?;
    // Until the windows of all that was sampled by now are closed: whatever is decided upon them rests on late readings.
    let shown = progress::spinner("waiting until the backlog is late");
    tokio::time::sleep(WINDOW_CLOSES).await;
    drop(shown);
    let began = wall();
    let mut site = Site::start(plan, folder, address).await?;
    // The others are at work when the one comes back.
    let mut fleet = Fleet::default();
    fleet.join(plan, folder, &address.to_string(), 2..=plan.agents)?;
    fleet.settle(|_| ()).await?;
    tokio::time::sleep(WARM_UP).await;
    let others_before = latencies(&fleet.live().await?);
    let (site_before, start) = (site.usage(), Instant::now());
    fleet.join(plan, folder, &address.to_string(), 1..=1)?;
    let mut drain = drain(plan, readings, &mut site, &mut fleet, folder_of(folder, 1)).await?;
    let (elapsed, site_after, fleet_after) = (start.elapsed(), site.usage(), fleet.usage());
    let mut others_after = latencies(&fleet.live().await?);
    others_after.truncate(others_before.len());
    drain.latency_others = (plan.agents > 1).then(|| latency::between(&others_before, &others_after)).transpose()?;
    let shown = progress::spinner("waiting for the windows of the drain to close");
    tokio::time::sleep(WINDOW_CLOSES).await;
    drain.limits = site.limits(began).await?;
    drop(shown);

    let _shown = progress::spinner("stopping, and counting what is stored");
    let mut processes = vec![filling];
    processes.extend(site_processes(site_before, site_after, elapsed));
    // They have used nothing before they were started.
    processes.push(KindUsage::between("agent", &vec![Usage::default(); fleet.len()], &fleet_after, elapsed));
    let left = fleet.stop().await?;
    let stored = site.stop().await?;
    Ok(Report {
        fill: Some(fill),
        drain: Some(drain),
        processes,
        check: Some(Check::new(left, stored)),
        ..Report::new(plan)
    })
}

fn site_processes(before: SiteUsage, after: SiteUsage, elapsed: Duration) -> [KindUsage; 2] {
    [
        KindUsage::between("broker", &[before.broker], &[after.broker], elapsed),
        KindUsage::between("ingester", &[before.ingester], &[after.ingester], elapsed),
    ]
}

/// Fills the queue of the first agent: nobody listens on `nowhere` yet.
async fn fill(plan: &Plan, readings: u64, folder: &Path, nowhere: SocketAddr) -> anyhow::Result<(Fill, KindUsage)> {
    let queue = folder_of(folder, 1);
    // A rate of 0 is as fast as the queue takes them.
    let mut words = flags(plan, 1, &queue, &nowhere.to_string(), 0.0);
    words.extend([format!("--count={readings}"), "--until=queued".to_owned(), "--when-full=block".to_owned()]);
    let start = Instant::now();
    let mut agent = Process::start("agent-1-filling", folder, &words)?;
    let bar = progress::bar("filling the queue", readings);
    let (mut used, mut looks) = (Usage::default(), tokio::time::interval(LOOK_EVERY));
    loop {
        tokio::select! {
            done = agent.done() => { done?; break }
            _ = looks.tick() => {
                used = agent.usage();
                let queue = queue.clone();
                // It does not answer before it is ready.
                if let Ok(report) = tokio::task::spawn_blocking(move || status::ask(&queue)).await? {
                    bar.set_position(report.queue.readings);
                }
            }
        }
    }
    let elapsed = start.elapsed();
    let queued = tokio::task::spawn_blocking(move || status::ask(&queue)).await??.queue.readings;
    if queued != readings {
        bail!("the queue was filled with {readings} readings and holds {queued}");
    }
    let fill =
        Fill { readings, elapsed_ms: figures::as_micros(elapsed) / 1000, per_s: figures::rate(readings, elapsed) };
    Ok((fill, KindUsage::between("agent, filling", &[Usage::default()], &[used], elapsed)))
}

/// When what happened, counted from the start of the agent's process.
#[derive(Debug, Default)]
struct Times {
    opened: Option<Duration>,
    connected: Option<Duration>,
    first_new: Option<Duration>,
}

impl Times {
    /// Takes note of what has happened by now. True when the backlog is drained.
    fn note(&mut self, now: Duration, live: &LiveReport, fresh: u64) -> bool {
        self.opened.get_or_insert(now);
        if live.connected {
            self.connected.get_or_insert(now);
        }
        // Only readings that were taken since the start are timed.
        if live.latency.summary.count > 0 {
            self.first_new.get_or_insert(now);
        }
        self.first_new.is_some() && live.unsent + live.in_flight <= fresh
    }
}

async fn drain(
    plan: &Plan,
    readings: u64,
    site: &mut Site,
    fleet: &mut Fleet,
    queue: PathBuf,
) -> anyhow::Result<Drain> {
    let bar = progress::bar("draining", readings);
    let (start, mut times) = (Instant::now(), Times::default());
    let mut moved = (start, 0);
    let mut questions = tokio::time::interval(ASK_EVERY);
    loop {
        questions.tick().await;
        site.check()?;
        fleet.check()?;
        let folder = queue.clone();
        let report = tokio::task::spawn_blocking(move || status::ask(&folder)).await?;
        let now = start.elapsed();
        // Before it listens on its socket, its queue is read instead; or cannot be read, while it is opened.
        let Some(live) = report.ok().and_then(|report| report.live) else { continue };
        bar.set_position(live.acknowledged);
        if live.acknowledged > moved.1 {
            moved = (Instant::now(), live.acknowledged);
        }
        if times.note(now, &live, fresh(plan.rate_each())) {
            return report_of(readings, &times, now, &live);
        }
        if moved.0.elapsed() > STANDSTILL {
            bail!(
                "nothing was acknowledged for {STANDSTILL:?}, with {} readings acknowledged: {live:?}",
                live.acknowledged
            );
        }
    }
}

fn report_of(readings: u64, times: &Times, drained: Duration, live: &LiveReport) -> anyhow::Result<Drain> {
    let opened = times.opened.context("the queue was never seen open")?;
    let connected = times.connected.context("the agent was never seen connected")?;
    let first_new = times.first_new.context("no new reading was acknowledged")?;
    let took = drained.saturating_sub(connected);
    let ms = |duration: Duration| figures::as_micros(duration) / 1000;
    Ok(Drain {
        readings,
        elapsed_ms: ms(took),
        per_s: figures::rate(readings, took),
        opened_within_ms: ms(opened),
        connected_after_ms: ms(connected),
        first_new_after_connect_ms: ms(first_new.saturating_sub(connected)),
        resent: live.resent,
        latency_new: live.latency.summary,
        latency_others: None,
        limits: Limits { decided: 0, from_late_readings: 0 },
    })
}

/// How many readings may wait when the backlog is gone.
fn fresh(rate: f64) -> u64 {
    // By way of a duration, which refuses what is no number.
    Duration::from_secs_f64((rate * FRESH_S).clamp(1.0, 1e9)).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_new_readings_are_always_on_their_way() {
        assert_eq!((fresh(0.1), fresh(10.0), fresh(1000.0)), (1, 5, 500));
    }
}
