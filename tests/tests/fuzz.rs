//! A bounded run of the fuzz targets, without a fuzzer: their corpora, and mutated and random bytes from a seed.
//!
//! `FOGLINE_FUZZ_SEED` chooses the seed, `FOGLINE_LONG_TESTS=1` plays a hundred times as many. An input that breaks something is
//! printed; put it into `fuzz/corpus/TARGET/`, where every later run plays it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use fogline_protocol::rng::Rng;
use fogline_tests::fuzz::{TARGETS, Target, mutate};
use std::panic::{catch_unwind, resume_unwind};
use std::path::PathBuf;

fn fuzz_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = fuzz_folder().join("corpus").join(target.name);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn play(target: &Target, data: &[u8]) {
    if let Err(panic) = catch_unwind(|| (target.run)(data)) {
        println!("{} broke on {data:02x?}\nas text: {}", target.name, String::from_utf8_lossy(data));
        resume_unwind(panic);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let corpus = corpus(target);
    corpus.iter().for_each(|data| play(target, data));
    let seed = number("FOGLINE_FUZZ_SEED").unwrap_or(1);
    let times = if number("FOGLINE_LONG_TESTS") == Some(1) { 100 } else { 1 };
    println!("{name}: {} of the corpus, {} made; FOGLINE_FUZZ_SEED={seed}", corpus.len(), target.rounds * times);
    let mut rng = Rng::new(seed);
    (0..target.rounds * times).for_each(|_| play(target, &mutate(&corpus, &mut rng)));
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        $(#[test] fn $name() { run(stringify!($name)); })+

        #[test]
        fn every_target_is_run_and_has_a_file_for_the_fuzzer() {
            let run = [$(stringify!($name)),+];
            for target in TARGETS {
                assert!(run.contains(&target.name), "{}", target.name);
                let file = fuzz_folder().join("fuzz_targets").join(format!("{}.rs", target.name));
                assert!(file.exists(), "{}", file.display());
            }
        }
    };
}

targets!(
    hello, batch, status, ack, decision, answer, reading, topic, range_set, delivery, cloud_node, edge_node, outbox
);
