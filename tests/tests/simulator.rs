//! 200 seeds in every run of the tests.
//!
//! `FOGLINE_SIM_SEED=n` plays one seed and shows what happens; `FOGLINE_SIM_SEEDS=n` plays so many.

use fogline_tests::sim::coverage::Coverage;
use fogline_tests::sim::{Outcome, run};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Seeds in every run.
const SEEDS: u64 = 200;
/// What they may take of a processor: everybody runs them, every time. On two cores half of it passes.
const ALLOWED: Duration = Duration::from_secs(60);
/// Plays at the same time: as many as the smallest machine has cores.
const THREADS: usize = 2;

/// Everything that a run of all seeds must have met; a class of trouble that never comes tests nothing.
const EXPECTED: [&str; 66] = [
    "ack: busy",
    "ack: ok",
    "ack: ranges",
    "ack: store down",
    "agent moved",
    "agent started",
    "batch sent again",
    "clock set right",
    "commit known again",
    "configuration answered as rolled back",
    "configuration kept",
    "configuration rolled back",
    "configuration that kills",
    "configuration tried",
    "connection",
    "dead letter",
    "directive told",
    "disk failed",
    "fault: agent crashed",
    "fault: agent paused",
    "fault: broker stopped",
    "fault: client cut off",
    "fault: clock set",
    "fault: connection broken",
    "fault: device without a battery off and on",
    "fault: disk broken",
    "fault: disk copied",
    "fault: disk full",
    "fault: disk lost",
    "fault: ingester crashed",
    "fault: ingester paused",
    "fault: ingester stopped in order",
    "fault: old copy restored",
    "fault: one way cut off",
    "fault: sites cut off from each other",
    "fault: state of the ingester lost",
    "fault: store down",
    "fault: store refuses",
    "gap recorded",
    "hello: all streams in use",
    "lead taken",
    "leader deposed by the store",
    "limit applied",
    "limit expired",
    "limit refused as older",
    "limit replaced",
    "message for another ingester",
    "message to a deaf agent",
    "notice decided",
    "order: for a region of another one",
    "order: it stands by",
    "order: nothing to take back",
    "order: set for a region",
    "order: set for an agent",
    "order: taken back",
    "reading damaged",
    "reading of an unset clock",
    "reading restamped",
    "readings after healing",
    "realm: moved",
    "realm: rivals",
    "rivals that met",
    "rows adopted",
    "source waited",
    "store failed",
    "took over in step",
];

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text} is not a number: {error}")))
}

fn replay(seed: u64, outcome: &Outcome) -> Option<String> {
    let violation = outcome.violation.as_ref()?;
    let command = format!("FOGLINE_SIM_SEED={seed} cargo test -p fogline-tests --test simulator seeds -- --nocapture");
    Some(format!("seed {seed}: {violation}\n    replay: {command}"))
}

/// Plays `seeds`, on two threads; gives each seed's outcome in order.
fn play(seeds: u64) -> Vec<(u64, Outcome)> {
    let next = AtomicU64::new(0);
    let work = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds {
                return outcomes;
            }
            let played = std::panic::catch_unwind(|| run(seed, None, false));
            outcomes.push((seed, played.unwrap_or_else(|_| panic!("seed {seed} panicked: FOGLINE_SIM_SEED={seed}"))));
        }
    };
    let mut all: Vec<(u64, Outcome)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|cause| resume_unwind(cause))).collect()
    });
    all.sort_by_key(|(seed, _)| *seed);
    all
}

/// What this process has used: how busy the machine is otherwise does not count.
fn processor_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec.unsigned_abs(), u32::try_from(used.tv_nsec).unwrap_or(0))
}

#[test]
fn seeds_keep_every_promise() {
    if let Some(seed) = number("FOGLINE_SIM_SEED") {
        let outcome = run(seed, None, true);
        assert!(outcome.violation.is_none(), "{}", replay(seed, &outcome).unwrap());
        return;
    }
    let seeds = number("FOGLINE_SIM_SEEDS").unwrap_or(SEEDS);
    let (start, used_before) = (Instant::now(), processor_time());
    let outcomes = play(seeds);
    let used = processor_time() - used_before;
    let mut coverage = Coverage::default();
    outcomes.iter().for_each(|(_, outcome)| coverage.merge(&outcome.coverage));
    let hours: u64 = outcomes.iter().map(|(_, outcome)| outcome.virtual_us).sum::<u64>() / 3_600_000_000;
    println!("{seeds} seeds, {hours} hours of virtual time, {:.1} s", start.elapsed().as_secs_f64());
    coverage.iter().for_each(|(what, times)| println!("{times:>9} {what}"));
    let broken: Vec<String> = outcomes.iter().filter_map(|(seed, outcome)| replay(*seed, outcome)).collect();
    assert!(broken.is_empty(), "{} of {seeds} seeds broke a promise:\n{}", broken.len(), broken.join("\n"));
    let allowed = ALLOWED.mul_f64(seeds as f64 / SEEDS as f64).max(ALLOWED);
    assert!(used < allowed, "{seeds} seeds took {used:?} of a processor");
    if seeds >= SEEDS {
        let never: Vec<&str> = EXPECTED.into_iter().filter(|what| coverage.of(what) == 0).collect();
        assert!(never.is_empty(), "in {seeds} seeds there was no {never:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut traces = std::collections::BTreeSet::new();
    for seed in 0..10 {
        let (first, second) = (run(seed, None, false), run(seed, None, false));
        assert_eq!(first.trace, second.trace, "seed {seed}");
        assert_eq!(first.coverage, second.coverage, "seed {seed}");
        traces.insert(first.trace);
    }
    assert_eq!(traces.len(), 10, "other seeds give other traces");
}
