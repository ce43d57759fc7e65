//! The queue on disk by itself: how fast it takes readings, and how much it writes.

use crate::figures::{count, rate};
use crate::table::Table;
use anyhow::{Context, bail};
use fogline_protocol::clock::Stamps;
use fogline_protocol::ids::StreamId;
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, QueueAnswer, QueueCommand, QueueLimits, Rows, SegmentHead,
};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, OutboxConfig};
use serde::Serialize;
use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// Readings that are appended to measure the speed.
const APPENDED: u64 = 1_000_000;
/// Readings of a commit, which a source at full speed gathers in some 15 ms.
const COMMITTED: u64 = 5_000;
/// The rate at which it is measured how much is written.
const STEADY_RATE: u64 = 1_000;
/// Seconds' worth of readings for that: long enough that the log is written back many times.
const STEADY_S: u64 = 120;
/// Commit intervals for that, in milliseconds.
const INTERVALS_MS: [u64; 2] = [50, 200];
/// The time of the first reading; any will do.
const FIRST_US: i64 = 1_700_000_000_000_000;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OutboxFigures {
    pub(crate) reading_bytes: u64,
    /// Readings of each commit while appending.
    pub(crate) commit_readings: u64,
    /// Appended with a sync of each commit.
    pub(crate) appended_per_s: u64,
    pub(crate) steady: Vec<Written>,
}

/// What is written at a steady rate, every reading freed before the next commit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Written {
    pub(crate) commit_every_ms: u64,
    /// Bytes that went to the disk for each byte of readings, in hundredths.
    pub(crate) written_per_byte_percent: u64,
}

/// Measures with files in `folder`. Blocks for some seconds.
///
/// # Errors
/// When the disk does not do it.
pub(crate) fn measure(folder: &Path, reading_bytes: u64) -> anyhow::Result<OutboxFigures> {
    let appended_per_s = append_speed(&folder.join("append.db"), reading_bytes)?;
    let steady = |commit_every_ms| -> anyhow::Result<Written> {
        let path = folder.join(format!("steady-{commit_every_ms}.db"));
        Ok(Written { commit_every_ms, written_per_byte_percent: written(&path, commit_every_ms, reading_bytes)? })
    };
    let steady = INTERVALS_MS.into_iter().map(steady).collect::<anyhow::Result<_>>()?;
    Ok(OutboxFigures { reading_bytes, commit_readings: COMMITTED, appended_per_s, steady })
}

fn append_speed(path: &Path, reading_bytes: u64) -> anyhow::Result<u64> {
    let mut outbox = open(path)?;
    let mut took = Duration::ZERO;
    for first in (0..APPENDED).step_by(usize::try_from(COMMITTED)?) {
        // Making readings is not what is measured.
        let command = append(first, COMMITTED, reading_bytes)?;
        let start = Instant::now();
        outbox.handle.send(command);
        wait_for_append(&mut outbox)?;
        took += start.elapsed();
    }
    outbox.handle.close()?;
    Ok(rate(APPENDED, took))
}

/// Time is not waited for: what is written depends on the commits.
fn written(path: &Path, commit_every_ms: u64, reading_bytes: u64) -> anyhow::Result<u64> {
    let mut outbox = open(path)?;
    let each = STEADY_RATE * commit_every_ms / 1000;
    let before = disk_writes()?;
    for first in (0..STEADY_RATE * STEADY_S).step_by(usize::try_from(each)?) {
        outbox.handle.send(append(first, each, reading_bytes)?);
        wait_for_append(&mut outbox)?;
        outbox.handle.send(QueueCommand::Free(Free { through: first + each, gaps: Vec::new() }));
    }
    outbox.handle.close()?;
    Ok((disk_writes()? - before) * 100 / (STEADY_RATE * STEADY_S * reading_bytes))
}

fn open(path: &Path) -> anyhow::Result<Outbox> {
    let limits = QueueLimits { readings: 10_000_000, bytes: 8 << 30, max_age_us: None, policy: FullPolicy::DropOldest };
    Ok(Outbox::open(OutboxConfig::new(path, limits))?)
}

fn append(first: u64, readings: u64, bytes: u64) -> anyhow::Result<QueueCommand> {
    let bytes = usize::try_from(bytes)?;
    let mut rows = Rows::default();
    for us in FIRST_US + i64::try_from(first)?..FIRST_US + i64::try_from(first + readings)? {
        rows.push(Wall::from_us(us), |json| {
            let begin = json.len();
            // Writing into memory cannot fail.
            write!(json, r#"{{"ts_us":{us},"sensor":"lane-1","kind":"road","fields":{{"pad":""#).ok();
            json.resize((begin + bytes).saturating_sub(3).max(json.len()), b'x');
            json.extend_from_slice(br#""}}"#);
        });
    }
    let segment =
        (first == 0).then_some(SegmentHead { stream: StreamId::from_bits(1), clock: 0, stamps: Stamps::Given });
    Ok(QueueCommand::Append(Append { parts: vec![AppendPart { segment, rows }], positions: Vec::new() }.into()))
}

fn wait_for_append(outbox: &mut Outbox) -> anyhow::Result<()> {
    loop {
        match outbox.answers.blocking_recv().context("the queue has ended")? {
            QueueAnswer::Appended(appended) => return Ok(appended.map(drop)?),
            QueueAnswer::Freed(freed) => drop(freed?),
            other => bail!("the queue answers what was not asked: {other:?}"),
        }
    }
}

/// Bytes that this process has made the system write to disks.
fn disk_writes() -> anyhow::Result<u64> {
    let io = std::fs::read_to_string("/proc/self/io").context("this system does not say what was written")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|text| text.parse().ok()).context("this system does not say what was written")
}

impl fmt::Display for OutboxFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["the queue on disk", "", ""]);
        let appended = format!("{} readings/s", count(self.appended_per_s));
        let how = format!("{} bytes, {} a commit, each synced", self.reading_bytes, count(self.commit_readings));
        table.row(["appended".to_owned(), appended, how]);
        for written in &self.steady {
            let percent = written.written_per_byte_percent;
            let what = format!("{}.{:02} bytes", percent / 100, percent % 100);
            let how = format!("{} readings/s, a commit every {} ms", count(STEADY_RATE), written.commit_every_ms);
            table.row(["written per byte of payload".to_owned(), what, how]);
        }
        write!(f, "{table}")
    }
}
