//! A bounded run without a fuzzer.

#[path = "../../../tests/wire/mistakes.rs"]
mod mistakes;
#[path = "../../../tests/wire/packet.rs"]
#[allow(dead_code, reason = "the tests of the gate use the rest")]
mod packet;
#[path = "../../../tests/wire/random.rs"]
mod random;

use std::{
    env,
    path::Path,
    time::{Duration, Instant},
};

use random::{Random, seed};

use super::packets;

/// Two seconds, or a minute with `FOGLINE_LONG_TESTS=1`.
fn duration() -> Duration {
    let long = env::var("FOGLINE_LONG_TESTS").is_ok_and(|long| long == "1");
    Duration::from_secs(if long { 60 } else { 2 })
}

#[test]
fn the_fuzzers_corpus_does_no_harm() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/packets");
    let files: Vec<_> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!files.is_empty());
    files.into_iter().for_each(|file| packets(&std::fs::read(file).unwrap()));
}

#[test]
fn no_bytes_do_harm() {
    let (seed, started) = (seed(), Instant::now());
    let mut streams = 0;
    while started.elapsed() < duration() {
        let bytes = mistakes::stream(&mut Random::new(seed, streams));
        if let Err(panic) = std::panic::catch_unwind(|| packets(&bytes)) {
            println!("FOGLINE_HOSTILE_SEED={seed}, stream {streams}: {bytes:02x?}");
            std::panic::resume_unwind(panic);
        }
        streams += 1;
    }
    println!("FOGLINE_HOSTILE_SEED={seed}, {streams} streams");
}
