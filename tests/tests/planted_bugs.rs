//! The checks bite: each planted bug is caught within the first seeds.

use fogline_tests::sim::bugs::Bug;
use fogline_tests::sim::run;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Seeds within which a bug has to be caught.
const SEEDS: u64 = 50;

/// In how many of the first seeds `bug` breaks a promise, and the first of them with its words.
fn caught(bug: Bug) -> (u64, Option<(u64, String)>) {
    let (mut count, mut first) = (0, None);
    for seed in 0..SEEDS {
        // A node that is handed nonsense may refuse it with a panic of its own: that is caught, too.
        let played = catch_unwind(AssertUnwindSafe(|| run(seed, Some(bug), false)));
        let found = played.map_or(Some("panicked".to_owned()), |outcome| outcome.violation.map(|v| v.to_string()));
        if let Some(words) = found {
            count += 1;
            first.get_or_insert((seed, words));
        }
    }
    (count, first)
}

#[test]
fn every_planted_bug_is_caught() {
    let half = Bug::ALL.len() / 2;
    let judge = |bugs: &[Bug]| bugs.iter().map(|bug| (*bug, caught(*bug))).collect::<Vec<_>>();
    let verdicts = std::thread::scope(|scope| {
        let other = scope.spawn(|| judge(&Bug::ALL[half..]));
        let mut verdicts = judge(&Bug::ALL[..half]);
        verdicts.extend(other.join().unwrap());
        verdicts
    });
    for (bug, (count, first)) in &verdicts {
        let first = first.as_ref().map_or("never".to_owned(), |(seed, words)| format!("first by seed {seed}: {words}"));
        println!("{bug:?}: caught by {count} of {SEEDS} seeds, {}", first.lines().next().unwrap_or_default());
    }
    let missed: Vec<Bug> = verdicts.iter().filter(|(_, (count, _))| *count == 0).map(|(bug, _)| *bug).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
