//! More readings than the store can take, for a while; and what becomes of them.

use super::check::Check;
use super::crowd::Crowd;
use super::plan::Plan;
use super::progress;
use super::report::Report;
use super::site::Site;
use super::usage::{KindUsage, Usage};
use crate::figures::{as_micros, bytes, count, micros, rate};
use crate::ports;
use crate::table::Table;
use anyhow::bail;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

/// How often everybody is asked.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// A drain that stands still for so long will not end: a commit of a slow store may take ten seconds.
const STANDSTILL: Duration = Duration::from_secs(60);
/// What the store takes in the last third of the overload, of a hundred that it took in the first.
const LAST_THIRD_MIN: u64 = 90;
/// What the ingester may take in all: what it holds (32 MiB), what waits at its link (16 and 8 MiB), its caches and its code.
const INGESTER_BYTES_MAX: u64 = 150 << 20;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Overload {
    /// What the store was slowed down to, in readings a second.
    pub(crate) store_rate: u32,
    /// How long the sensors gave more than that.
    pub(crate) elapsed_ms: u64,
    /// Readings that the sensors gave.
    pub(crate) sampled: u64,
    /// Readings stored a second, while they did: in all, in the first third and in the last one.
    pub(crate) stored_per_s: u64,
    pub(crate) first_third_per_s: u64,
    pub(crate) last_third_per_s: u64,
    /// Readings that waited in the queues at the end of it.
    pub(crate) waiting: u64,
    /// How long it took until all were acknowledged, and how many a second that were.
    pub(crate) drained_ms: u64,
    pub(crate) drained_per_s: u64,
    /// The most bytes of readings that the ingester held.
    pub(crate) held_bytes: u64,
    /// The most memory that it took.
    pub(crate) ingester_bytes: u64,
    /// The most bytes that waited at the broker.
    pub(crate) broker_waiting_bytes: u64,
    /// Clients that the broker disconnected because too much waited for them.
    pub(crate) slow_consumers: u64,
    /// Connections to the broker beyond one for each agent and the ingester: lost, or given up for another broker.
    pub(crate) reconnects: u64,
    /// Messages that the ingester received and had no room for.
    pub(crate) shed: u64,
    /// Readings that were sent more than once.
    pub(crate) resent: u64,
}

impl Overload {
    /// What is not as it should be.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |wrong: bool, what: String| problems.extend(wrong.then_some(what));
        let (first, last) = (self.first_third_per_s, self.last_third_per_s);
        say(last * 100 < first * LAST_THIRD_MIN, format!("the rate of storing fell from {first} to {last} readings/s"));
        say(
            self.ingester_bytes > INGESTER_BYTES_MAX,
            format!(
                "the ingester took {}, and {} are its bound",
                bytes(self.ingester_bytes),
                bytes(INGESTER_BYTES_MAX)
            ),
        );
        say(self.slow_consumers > 0, format!("the broker disconnected {} slow clients", self.slow_consumers));
        say(self.reconnects > 0, format!("{} connections were made anew", self.reconnects));
        say(self.waiting == 0, "nothing waited at the end: this was no overload".to_owned());
        problems
    }

    pub(crate) fn rows(&self, table: &mut Table) {
        let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
        row("the store takes at most", format!("{} readings/s", count(u64::from(self.store_rate))));
        row("overload for", micros(self.elapsed_ms * 1000));
        row("  sampled", count(self.sampled));
        row("  stored", format!("{} readings/s", count(self.stored_per_s)));
        row("  in the first third", format!("{} readings/s", count(self.first_third_per_s)));
        row("  in the last third", format!("{} readings/s", count(self.last_third_per_s)));
        row("  waiting in the queues at its end", count(self.waiting));
        row("all acknowledged, after that", micros(self.drained_ms * 1000));
        row("  stored", format!("{} readings/s", count(self.drained_per_s)));
        row("the ingester held at most", bytes(self.held_bytes));
        row("  took at most", bytes(self.ingester_bytes));
        row("  messages for which it had no room", count(self.shed));
        row("at the broker waited at most", bytes(self.broker_waiting_bytes));
        row("  slow clients disconnected", count(self.slow_consumers));
        row("  connections made anew", count(self.reconnects));
        row("sent more than once", count(self.resent));
    }
}

/// Sends too much for as long as the plan says, waits until it is drained, and checks that nothing was lost.
///
/// # Errors
/// When a process fails, or when the drain stands still.
pub(crate) async fn measure(plan: &Plan, folder: &Path) -> anyhow::Result<Report> {
    let address = ports::free()?;
    let mut site = Site::start(plan, folder, address).await?;
    let start = Instant::now();
    let shown = progress::spinner("starting agents");
    let crowd = Crowd::start(plan, folder, address, Some(readings_each(plan))).await?;
    drop(shown);
    let overload = watch(plan, &mut site, &crowd, start).await?;
    let (elapsed, used) = (start.elapsed(), site.usage());
    let agents = Usage::of(std::process::id());

    let _shown = progress::spinner("stopping, and counting what is stored");
    let left = crowd.stop().await?;
    let stored = site.stop().await?;
    let nothing = Usage::default();
    Ok(Report {
        overload: Some(overload),
        processes: vec![
            KindUsage::between("broker", &[nothing], &[used.broker], elapsed),
            KindUsage::between("ingester", &[nothing], &[used.ingester], elapsed),
            KindUsage::between("all agents", &[nothing], &[agents], elapsed),
        ],
        check: Some(Check::new(left, stored)),
        ..Report::new(plan)
    })
}

/// What a source gives in the time of the plan.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rates and times are above 0")]
fn readings_each(plan: &Plan) -> u64 {
    ((plan.rate_each() * plan.duration.as_secs_f64()) as u64).max(1)
}

/// All that is asked for, again and again.
#[derive(Debug, Clone, Copy, Default)]
struct Moment {
    at: Duration,
    stored: u64,
    sampled: u64,
    waiting: u64,
    acknowledged: u64,
    resent: u64,
    held_bytes: u64,
    broker_waiting: u64,
    slow_consumers: u64,
    connections: u64,
    shed: u64,
}

async fn moment(site: &mut Site, crowd: &Crowd, start: Instant) -> anyhow::Result<Moment> {
    site.check()?;
    crowd.check()?;
    let (ingester, broker) = (site.ingester_page().await?, site.broker_page().await?);
    let mut moment = Moment {
        at: start.elapsed(),
        stored: ingester.value("fogline_ingest_stored_total")?,
        held_bytes: ingester.value("fogline_ingest_held_bytes")?,
        shed: ingester.value("fogline_ingest_broker_shed_total")?,
        broker_waiting: broker.value("fogline_broker_waiting_bytes")?,
        slow_consumers: broker.value("fogline_broker_slow_consumers_total")?,
        connections: broker.value("fogline_broker_connections_accepted_total")?,
        ..Moment::default()
    };
    for snapshot in crowd.look() {
        moment.sampled += snapshot.source.accepted;
        moment.waiting += snapshot.edge.unsent + snapshot.edge.in_flight;
        moment.acknowledged += snapshot.edge.acknowledged;
        moment.resent += snapshot.edge.resent;
    }
    Ok(moment)
}

async fn watch(plan: &Plan, site: &mut Site, crowd: &Crowd, start: Instant) -> anyhow::Result<Overload> {
    let planned = readings_each(plan) * u64::from(plan.agents);
    let mut moments = vec![moment(site, crowd, start).await?];
    let bar = progress::bar("overload", planned);
    let mut moved = (start.elapsed(), 0);
    let mut ended = None;
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        let now = moment(site, crowd, start).await?;
        bar.set_position(now.acknowledged);
        moments.push(now);
        if ended.is_none() && now.sampled >= planned {
            ended = Some(moments.len() - 1);
        }
        if now.acknowledged > moved.1 {
            moved = (now.at, now.acknowledged);
        }
        match ended {
            Some(ended) if now.acknowledged >= planned => return Ok(figures(plan, &moments, ended, site)),
            _ if now.at.saturating_sub(moved.0) > STANDSTILL => bail!("nothing moved for {STANDSTILL:?}: {now:?}"),
            _ => {}
        }
    }
}

fn figures(plan: &Plan, moments: &[Moment], ended: usize, site: &Site) -> Overload {
    let at = |index: usize| moments.get(index).copied().unwrap_or_default();
    let per_s = |from: Moment, to: Moment| rate(to.stored.saturating_sub(from.stored), to.at.saturating_sub(from.at));
    let most = |of: fn(&Moment) -> u64| moments.iter().map(of).max().unwrap_or(0);
    let (first, end, last) = (at(0), at(ended), at(moments.len().saturating_sub(1)));
    Overload {
        store_rate: plan.store_rate.unwrap_or(0),
        elapsed_ms: as_micros(end.at.saturating_sub(first.at)) / 1000,
        sampled: end.sampled,
        stored_per_s: per_s(first, end),
        first_third_per_s: per_s(first, at(ended / 3)),
        last_third_per_s: per_s(at(ended - ended / 3), end),
        waiting: end.waiting,
        drained_ms: as_micros(last.at.saturating_sub(end.at)) / 1000,
        drained_per_s: per_s(end, last),
        held_bytes: most(|moment| moment.held_bytes),
        ingester_bytes: site.usage().ingester.peak_bytes,
        broker_waiting_bytes: most(|moment| moment.broker_waiting),
        slow_consumers: last.slow_consumers,
        reconnects: last.connections.saturating_sub(u64::from(plan.agents) + 1),
        shed: last.shed,
        resent: last.resent,
    }
}
