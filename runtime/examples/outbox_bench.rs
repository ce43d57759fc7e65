//! Measures the queue on disk: `cargo run --release -p fogline-runtime --example outbox_bench [FOLDER] [READINGS]`.
//!
//! FOLDER (a temporary one by default) should be on the disk that matters: a file system in memory writes nothing.

use fogline_protocol::clock::Stamps;
use fogline_protocol::ids::{Seq, StreamId};
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueLimits, Rows, SegmentHead,
};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, OutboxConfig, OutboxError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A batch, as the node loads it.
const BATCH_BYTES: usize = 48 << 10;
/// Readings that travel unacknowledged.
const WINDOW: u64 = 4_096;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let temporary = std::env::temp_dir().join(format!("outbox-bench-{}", std::process::id()));
    let folder = arguments.next().map_or(temporary, PathBuf::from);
    let readings = arguments.next().map_or(Ok(1_000_000), |text| text.to_string_lossy().parse())?;
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("bench.db");

    fill(&path, readings, 155)?;
    drain(&path)?;
    remove(&path)?;
    for every in [50, 200] {
        steady(&path, every)?;
        remove(&path)?;
    }
    println!("memory at most: {}", memory());
    std::fs::remove_dir(&folder).or_else(|error| if folder.exists() { Err(error) } else { Ok(()) })?;
    Ok(())
}

fn config(path: &Path) -> OutboxConfig {
    let policy = FullPolicy::DropOldest;
    OutboxConfig::new(path, QueueLimits { readings: 10_000_000, bytes: 4 << 30, max_age_us: None, policy })
}

fn fill(path: &Path, readings: u64, bytes: usize) -> Result<(), OutboxError> {
    let mut outbox = Outbox::open(config(path))?;
    let began = Instant::now();
    for at in 0..readings / 1_000 {
        outbox.handle.send(append(at * 1_000, 1_000, bytes));
        answer(&mut outbox);
    }
    report(&format!("append {bytes}-byte readings, 1,000 a commit"), readings, began.elapsed());
    println!("memory at most so far: {}", memory());
    outbox.handle.close()
}

fn drain(path: &Path) -> Result<(), OutboxError> {
    let began = Instant::now();
    let mut outbox = Outbox::open(config(path))?;
    println!("open with {} readings: {:?}", outbox.state.usage.readings, began.elapsed());
    let began = Instant::now();
    let (mut from, mut freed): (Seq, Seq) = (1, 0);
    loop {
        let load = Load { from, until: outbox.state.next - 1, max_bytes: BATCH_BYTES, max_rows: 1_000 };
        outbox.handle.send(QueueCommand::Load(load));
        let run = loop {
            match answer(&mut outbox) {
                QueueAnswer::Loaded(Ok(run)) => break run,
                QueueAnswer::Freed(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        let Some(run) = run else { break };
        from = run.range().last + 1;
        if from > freed + WINDOW {
            freed = from - WINDOW;
            outbox.handle.send(QueueCommand::Free(Free { through: freed, gaps: Vec::new() }));
        }
    }
    report("load and free", from - 1, began.elapsed());
    outbox.handle.close()
}

/// 1,000 readings of 105 bytes a second for two minutes, all acknowledged before the next commit. Time is not waited for:
/// what is written depends on the commits.
fn steady(path: &Path, every_ms: u64) -> Result<(), OutboxError> {
    const READINGS: u64 = 120_000;
    let mut outbox = Outbox::open(config(path))?;
    let before = written();
    let began = Instant::now();
    for at in 0..READINGS / every_ms {
        outbox.handle.send(append(at * every_ms, every_ms, 105));
        while !matches!(answer(&mut outbox), QueueAnswer::Appended(_)) {}
        outbox.handle.send(QueueCommand::Free(Free { through: (at + 1) * every_ms, gaps: Vec::new() }));
    }
    let elapsed = began.elapsed();
    outbox.handle.close()?;
    match before.zip(written()) {
        Some((before, after)) => {
            let tenths = (after - before) * 10 / (READINGS * 105);
            println!("bytes written per byte of payload, commits of {every_ms} ms: {}.{}", tenths / 10, tenths % 10);
        }
        None => println!("bytes written: unknown on this system"),
    }
    println!("  ({} commits in {elapsed:?})", READINGS / every_ms);
    Ok(())
}

fn append(from: u64, count: u64, bytes: usize) -> QueueCommand {
    let mut rows = Rows::default();
    for at in from..from + count {
        rows.push(Wall::from_us(1_700_000_000_000_000 + i64::try_from(at).unwrap_or(0)), |json| {
            let begin = json.len();
            write!(json, r#"{{"ts_us":{},"sensor":"lane-1","kind":"road","note":""#, 1_700_000_000_000_000 + at).ok();
            json.resize(begin + bytes - 2, b'x');
            json.extend_from_slice(br#""}"#);
        });
    }
    let segment =
        (from == 0).then_some(SegmentHead { stream: StreamId::from_bits(7), clock: 0, stamps: Stamps::Given });
    QueueCommand::Append(Append { parts: vec![AppendPart { segment, rows }], positions: Vec::new() }.into())
}

fn answer(outbox: &mut Outbox) -> QueueAnswer {
    outbox.answers.blocking_recv().unwrap_or_else(|| panic!("the queue has ended"))
}

fn report(what: &str, readings: u64, elapsed: Duration) {
    let rate = u128::from(readings) * 1_000_000 / elapsed.as_micros().max(1);
    println!("{what}: {rate} readings/s ({readings} in {elapsed:?})");
}

/// Bytes that this process has made the system write to disks.
fn written() -> Option<u64> {
    let io = std::fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.parse().ok()
}

fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(str::trim);
    peak.unwrap_or("unknown on this system").to_owned()
}

fn remove(path: &Path) -> Result<(), std::io::Error> {
    std::fs::remove_file(path)?;
    for suffix in [".lock", ".reserve"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        std::fs::remove_file(beside)?;
    }
    Ok(())
}
