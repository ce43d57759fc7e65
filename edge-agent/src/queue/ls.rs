//! `queue ls`: what is in a queue.

use super::grouped;
use anyhow::Context;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{Seq, StreamId};
use fogline_protocol::queue::QueueState;
use fogline_runtime::clock::wall;
use fogline_runtime::outbox::{Inspection, SetAside, inspect, set_aside};
use serde::Serialize;
use std::fmt::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Gaps that are listed for people; the others are counted.
const GAPS_SHOWN: usize = 8;

#[derive(Debug, Serialize)]
struct Listing {
    v: u32,
    running: bool,
    readings: u64,
    bytes: u64,
    file_bytes: u64,
    oldest_us: Option<i64>,
    /// The number of the oldest reading, and that of the next one.
    oldest: Option<Seq>,
    next: Seq,
    acknowledged: u64,
    dropped: u64,
    damaged: u64,
    damaged_us: Option<i64>,
    openings: u64,
    streams: Vec<Stream>,
    gaps: Vec<Range>,
    set_aside: Vec<SetAside>,
}

#[derive(Debug, Serialize)]
struct Stream {
    stream: StreamId,
    /// The clock of its first segment that is there.
    clock: u16,
    first: Seq,
    last: Seq,
    /// Numbers of it that are no gap, from the oldest reading on.
    readings: u64,
    in_gaps: u64,
}

/// Prints what is in the queue at `path`.
pub(super) fn run(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let listing = Listing::new(inspect(path)?, set_aside(path));
    let text = if json { serde_json::to_string(&listing)? + "\n" } else { listing.to_string() };
    crate::command::print(&text).context("cannot print")?;
    Ok(ExitCode::SUCCESS)
}

impl Listing {
    fn new(inspection: Inspection, set_aside: Vec<SetAside>) -> Self {
        let Inspection { state, running, acknowledged, file_bytes } = inspection;
        let usage = state.usage;
        Self {
            v: 1,
            running,
            readings: usage.readings,
            bytes: usage.bytes,
            file_bytes,
            oldest_us: usage.oldest.map(|time| time.us()),
            oldest: state.oldest,
            next: state.next,
            acknowledged,
            dropped: usage.dropped,
            damaged: usage.damaged,
            damaged_us: usage.damaged_at.map(|time| time.us()),
            openings: state.opening,
            streams: streams(&state),
            gaps: state.gaps,
            set_aside,
        }
    }
}

fn streams(state: &QueueState) -> Vec<Stream> {
    let gaps = RangeSet::from_iter(state.gaps.iter().copied());
    let mut streams: Vec<Stream> = Vec::new();
    for (index, segment) in state.segments.iter().enumerate() {
        let last = state.segments.get(index + 1).map_or(state.next, |next| next.first) - 1;
        match streams.last_mut().filter(|stream| stream.stream == segment.stream) {
            Some(stream) => stream.last = last,
            None => streams.push(Stream {
                stream: segment.stream,
                clock: segment.clock,
                first: segment.first,
                last,
                readings: 0,
                in_gaps: 0,
            }),
        }
    }
    for stream in &mut streams {
        let held = Range::new(stream.first.max(state.oldest.unwrap_or(state.next)), stream.last);
        stream.readings = gaps.missing(held).into_iter().map(Range::count).sum();
        stream.in_gaps = gaps.iter().map(|gap| gap.and(Range::new(stream.first, stream.last)).count()).sum();
    }
    streams
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "agent         {}", if self.running { "running" } else { "stopped" })?;
        let bytes = (grouped(self.bytes), grouped(self.file_bytes));
        writeln!(f, "readings      {} in {} bytes; the file has {}", grouped(self.readings), bytes.0, bytes.1)?;
        if let (Some(oldest), Some(us)) = (self.oldest, self.oldest_us) {
            writeln!(f, "oldest        number {oldest}, {} old", age(us))?;
        }
        writeln!(f, "next number   {}", self.next)?;
        writeln!(f, "acknowledged  {}", grouped(self.acknowledged))?;
        writeln!(f, "dropped       {}", grouped(self.dropped))?;
        let last = self.damaged_us.map_or(String::new(), |us| format!(", last found {} ago", age(us)));
        writeln!(f, "damaged       {}{last}", grouped(self.damaged))?;
        write_gaps(f, &self.gaps)?;
        write_streams(f, &self.streams)?;
        write_set_aside(f, &self.set_aside)
    }
}

fn write_gaps(f: &mut fmt::Formatter<'_>, gaps: &[Range]) -> fmt::Result {
    let mut text = String::new();
    for gap in gaps.iter().take(GAPS_SHOWN) {
        let comma = if text.is_empty() { "" } else { ", " };
        write!(text, "{comma}{}-{}", gap.first, gap.last)?;
    }
    match gaps.len().saturating_sub(GAPS_SHOWN) {
        _ if text.is_empty() => writeln!(f, "gaps          none that the ingester does not know of"),
        0 => writeln!(f, "gaps          {text}"),
        more => writeln!(f, "gaps          {text} and {more} more (--json has all)"),
    }
}

fn write_streams(f: &mut fmt::Formatter<'_>, streams: &[Stream]) -> fmt::Result {
    if streams.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nSTREAM            CLOCK        FIRST         LAST     READINGS      IN GAPS")?;
    streams.iter().try_for_each(|stream| {
        let Stream { stream, clock, first, last, readings, in_gaps } = stream;
        writeln!(f, "{stream}  {clock:>5} {first:>12} {last:>12} {readings:>12} {in_gaps:>12}")
    })
}

fn write_set_aside(f: &mut fmt::Formatter<'_>, files: &[SetAside]) -> fmt::Result {
    if files.is_empty() {
        return Ok(());
    }
    writeln!(f, "\nSET ASIDE         BYTES  WHAT")?;
    files.iter().try_for_each(|file| {
        let what = if file.readings { "readings: look, then `queue replay`" } else { "the file as it was found" };
        let name = file.path.file_name().unwrap_or_default().to_string_lossy();
        writeln!(f, "{:>23}  {name}: {what}", grouped(file.bytes))
    })
}

/// How long ago a time is, roughly.
fn age(us: i64) -> String {
    let seconds = wall().since(fogline_protocol::time::Wall::from_us(us)).as_secs();
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let unit = units.into_iter().find(|(length, _)| seconds >= 2 * length);
    unit.map_or_else(
        || format!("{:?}", Duration::from_secs(seconds)),
        |(length, name)| format!("{} {name}", seconds / length),
    )
}
