//! How fast the stores write: `cargo run --release -p fogline-ingest --example store_bench -- [folder] [readings per commit]
//! [commits] [agents] [URL of InfluxDB]`. Without a URL, into SQLite.

use fogline_ingest::store::{InfluxConfig, InfluxStore, Sharing, SqliteStore, StateDb, Store, Synchronous};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, Fold, Points, Progress, StreamProgress, TakeOver};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, STORED_WIDTHS_S, Scope, window_start};
use std::sync::Arc;
use std::time::Instant;

const BATCH: u64 = 400;
const EPOCH_US: i64 = 1_700_000_000_000_000;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| "store-bench-data".to_owned());
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (per_commit, commits, agents) = (number(5000)?, number(200)?, number(1)?);
    std::fs::create_dir_all(&folder)?;
    let state = StateDb::open(&std::path::Path::new(&folder).join("fogline.db"), Synchronous::Full, Sharing::Alone)?;
    let mut store: Box<dyn Store> = match arguments.next() {
        Some(url) => Box::new(InfluxStore::new(state, &InfluxConfig { url, ..InfluxConfig::default() })?),
        None => Box::new(SqliteStore::new(state)),
    };
    let run = std::process::id().into();
    store.take_over(TakeOver { run, above: 0, since: Wall::MIN })?;
    let names = (0..agents).map(agent).collect::<anyhow::Result<Vec<_>>>()?;
    let (mut took, mut slowest) = (std::time::Duration::ZERO, std::time::Duration::ZERO);
    for id in 1..=commits {
        let commit = commit(run, id, per_commit, &names)?;
        let begun = Instant::now();
        store.commit(&commit)?;
        took += begun.elapsed();
        slowest = slowest.max(begun.elapsed());
    }
    let total = per_commit * commits;
    let bytes = std::fs::metadata(std::path::Path::new(&folder).join("fogline.db"))?.len();
    println!("{total} readings in {took:?}, slowest commit {slowest:?}");
    #[allow(clippy::cast_precision_loss, reason = "shown to three digits")]
    let rates = (total as f64 / took.as_secs_f64() / 1000.0, bytes as f64 / total as f64);
    println!("{:.0} k readings/s, {:.0} bytes per reading in the file", rates.0, rates.1);
    Ok(())
}

fn agent(n: u64) -> anyhow::Result<AgentId> {
    Ok(AgentId { region: Name::new("north")?, agent: Name::new(&format!("agent-{n}"))? })
}

/// The readings of a commit, in batches that go round the agents.
fn commit(run: u64, id: u64, count: u64, agents: &[AgentId]) -> anyhow::Result<Commit> {
    let mut commit = Commit { run, id, term: 1, ..Commit::default() };
    let mut seq = (id - 1) * count + 1;
    let end = seq + count;
    while seq < end {
        let some = BATCH.min(end - seq);
        let agent = agents[usize::try_from(seq / BATCH)? % agents.len()].clone();
        let stream = StreamId::from_bits(run);
        let progress = Progress { through: seq + some - 1, ranges: Vec::new() };
        commit.folds.extend(folds(&agent, seq)?);
        commit.progress.push(StreamProgress { agent: agent.clone(), stream, progress, new_gaps: Vec::new() });
        commit.points.push(Points {
            agent,
            stream,
            clock: 1,
            time: None,
            first: seq,
            readings: Arc::new(readings(seq, some)?),
            fresh: vec![Range::new(seq, seq + some - 1)],
        });
        seq += some;
    }
    Ok(commit)
}

/// What a batch adds to the stored averages of its agent and its region.
fn folds(agent: &AgentId, seq: u64) -> anyhow::Result<Vec<Fold>> {
    let ts = Wall::from_us(EPOCH_US + i64::try_from(seq)?);
    let mut aggregate = Aggregate::default();
    aggregate.add(100.0);
    let scopes = [Scope::Agent(agent.clone()), Scope::Region(agent.region.clone())];
    let both = scopes.into_iter().flat_map(|scope| STORED_WIDTHS_S.map(|width_s| (scope.clone(), width_s)));
    let fold = |(scope, width_s)| Fold {
        scope,
        kind: "power",
        field: "power_w",
        width_s,
        start: window_start(ts, width_s),
        aggregate,
    };
    Ok(both.map(fold).collect())
}

/// About 100 bytes of fields each.
fn readings(first: u64, count: u64) -> anyhow::Result<Readings> {
    let mut readings = Readings::new();
    for seq in first..first + count {
        let value = |digits: u32| f64::from(u32::try_from(seq % 100_000).unwrap_or(0)) / f64::from(10_u32.pow(digits));
        let fields = [
            ("power_w", Value::Number(value(2))),
            ("power1_w", Value::Number(value(3))),
            ("power2_w", Value::Number(value(1))),
            ("power3_w", Value::Number(value(2))),
            ("energy_kwh", Value::Number(value(3) + 50_000.0)),
        ];
        readings.push(Wall::from_us(EPOCH_US + i64::try_from(seq)?), "meter", "power", &fields)?;
    }
    Ok(readings)
}
