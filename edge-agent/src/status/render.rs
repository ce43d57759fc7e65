//! The status for a person.

use super::households::is_notice;
use super::report::{ClockReport, LiveReport, SourceState, StatusReport};
use fogline_protocol::time::Wall;
use fogline_protocol::wire::State;
use fogline_runtime::clock::wall;
use std::fmt;
use std::time::Duration;

/// The width of what begins a line.
pub(super) const LABEL: usize = 14;
/// Two of its answers to the status, which is published every 10 s, are missing.
const SILENT_AFTER: Duration = Duration::from_secs(21);
/// Gaps that are listed; the others are counted.
const GAPS_SHOWN: usize = 5;

impl fmt::Display for StatusReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.live {
            Some(live) => write_live(f, live)?,
            None if self.running => writeln!(f, "agent         running, but it does not answer")?,
            None => writeln!(f, "agent         stopped")?,
        }
        let queue = &self.queue;
        let oldest = queue
            .oldest_us
            .map_or(String::new(), |us| format!(", oldest {} ago", age(wall().since(Wall::from_us(us)))));
        writeln!(f, "queue         {} readings, {} bytes{oldest}", queue.readings, queue.bytes)?;
        if let Some(live) = &self.live {
            writeln!(
                f,
                "in flight     {} readings, {} bytes of {}",
                live.in_flight, live.in_flight_bytes, live.credit_bytes
            )?;
        }
        self.live.as_ref().map_or(Ok(()), |live| write_clock(f, &live.clock))?;
        if let Some(live) = self.live.as_ref().filter(|live| live.configuration.set.is_some()) {
            writeln!(f, "configured    {}", live.configuration)?;
        }
        let resent = self.live.as_ref().map_or(String::new(), |live| format!(", {} sent again", live.resent));
        writeln!(f, "acknowledged  {}{resent}", self.acknowledged)?;
        writeln!(f, "dropped       {}", queue.dropped)?;
        if let Some(us) = queue.damaged_us {
            let ago = age(wall().since(Wall::from_us(us)));
            writeln!(f, "damaged       {}, last found {ago} ago (`fogline-agent queue ls` says more)", queue.damaged)?;
        }
        write_gaps(f, self)?;
        self.limit.map_or(Ok(()), |limit| writeln!(f, "limit         {limit}"))?;
        write!(f, "{}", self.households)?;
        for decision in self.in_force.iter().filter(|decision| !is_notice(decision)) {
            let (key, term) = (&decision.key, &decision.term);
            writeln!(
                f,
                "in force      {key} {} (term {} of {}, number {})",
                decision.body, term.counter, term.ingester, decision.seq
            )?;
        }
        let live = self.live.as_ref();
        live.map_or(Ok(()), |live| write_answers(f, live))?;
        live.and_then(|live| live.fault.as_ref()).map_or(Ok(()), |fault| writeln!(f, "fault         {fault}"))?;
        live.map_or(Ok(()), |live| write_latency(f, live))?;
        live.map_or(Ok(()), |live| write!(f, "{}", live.tuples))
    }
}

fn write_live(f: &mut fmt::Formatter<'_>, live: &LiveReport) -> fmt::Result {
    writeln!(f, "agent         {}, version {}, process {}", live.agent, live.version, live.pid)?;
    let connection = match &live.broker {
        Some(broker) if broker.of > 1 => format!("connected to {}, {} of {}", broker.address, broker.place, broker.of),
        Some(broker) => format!("connected to {}", broker.address),
        None if live.connected => "connected".to_owned(),
        None => "not connected".to_owned(),
    };
    writeln!(f, "connection    {connection}")?;
    writeln!(f, "ingester      {}", ingester(live))?;
    if live.moves > 0 {
        writeln!(f, "moves         {} to another broker, because of silence or preference", live.moves)?;
    }
    let state = source_state(live.source.state);
    writeln!(
        f,
        "source        {state}, {} readings queued, {} lines skipped",
        live.source.accepted, live.source.skipped
    )?;
    let width = live.source.each.iter().map(|source| source.name.len()).max().unwrap_or(0);
    live.source.each.iter().try_for_each(|source| {
        let state = source_state(source.state);
        writeln!(
            f,
            "              {:width$}  {state}, {} readings, {} skipped",
            source.name, source.offered, source.skipped
        )
    })
}

const fn source_state(state: SourceState) -> &'static str {
    match state {
        SourceState::None => "none",
        SourceState::Running => "running",
        SourceState::Ended => "ended",
    }
}

/// The other end of the heartbeat.
fn ingester(live: &LiveReport) -> String {
    let Some(ago) = live.heard_ms_ago.map(Duration::from_millis) else {
        return "no word from one yet".to_owned();
    };
    let state = match live.ingester {
        _ if ago > SILENT_AFTER => return format!("silent for {}", age(ago)),
        None => "no word on this connection",
        Some(State::Ok) => "ok",
        Some(State::StoreDown) => "its store is down",
        Some(State::Busy) => "busy",
    };
    format!("{state}, heard {} ago", age(ago))
}

fn write_answers(f: &mut fmt::Formatter<'_>, live: &LiveReport) -> fmt::Result {
    live.answers.iter().try_for_each(|answer| {
        let ago = age(wall().since(Wall::from_us(answer.received_us)));
        writeln!(f, "answer        {} {} ({ago} ago)", answer.what, answer.body)
    })
}

fn write_clock(f: &mut fmt::Formatter<'_>, clock: &ClockReport) -> fmt::Result {
    let until = clock.hold_left_ms.map_or("until there is a connection".to_owned(), |left| {
        format!("for {} at most", age(Duration::from_millis(left)))
    });
    match (clock.set, clock.held) {
        (true, 0) => Ok(()),
        (true, held) => writeln!(f, "clock         set, {held} readings are about to get their times"),
        (false, 0) => writeln!(f, "clock         not set: readings have wrong times, and say so"),
        (false, held) => writeln!(f, "clock         not set: {held} readings wait for it, {until}"),
    }
}

fn write_gaps(f: &mut fmt::Formatter<'_>, report: &StatusReport) -> fmt::Result {
    let shown: Vec<String> =
        report.gaps.iter().take(GAPS_SHOWN).map(|gap| format!("{}-{}", gap.first, gap.last)).collect();
    let more = report.gaps.len().saturating_sub(GAPS_SHOWN);
    match (shown.is_empty(), more) {
        (true, _) => Ok(()),
        (false, 0) => writeln!(f, "gaps          {}", shown.join(", ")),
        (false, more) => writeln!(f, "gaps          {} and {more} more", shown.join(", ")),
    }
}

fn write_latency(f: &mut fmt::Formatter<'_>, live: &LiveReport) -> fmt::Result {
    let summary = live.latency.summary;
    if summary.count == 0 {
        return Ok(());
    }
    let [p50, p99, p999, max] =
        [summary.p50_us, summary.p99_us, summary.p999_us, summary.max_us].map(|us| age(Duration::from_micros(us)));
    writeln!(f, "latency       half acknowledged within {p50}, 99% within {p99}, 99.9% within {p999}, all within {max}")
}

/// A duration with the figures that matter.
fn age(span: Duration) -> String {
    match span.as_secs() {
        0 => format!("{:.1} ms", span.as_secs_f64() * 1000.0),
        1..=119 => format!("{:.1} s", span.as_secs_f64()),
        120..=7199 => format!("{} min", span.as_secs() / 60),
        7200..=172_799 => format!("{} h", span.as_secs() / 3600),
        _ => format!("{} days", span.as_secs() / 86_400),
    }
}

pub(super) use crate::queue::grouped;
