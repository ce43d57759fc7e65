//! The bodies of the fuzz targets: functions of bytes that must not panic.
//!
//! `cargo fuzz` drives them from `fuzz/`, with coverage and without an end; `tests/tests/fuzz.rs` plays their corpora, and some
//! thousand mutated and random inputs, in every test run. The broker's packets are `fogline_broker::fuzz_packets`, in its crate.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a finding is a panic")]
#![allow(clippy::missing_panics_doc, reason = "a finding is a panic")]
#![allow(clippy::cast_possible_truncation, reason = "all numbers here are small")]

mod cloud;
mod decoders;
mod delivery;
mod edge;
mod input;
mod mutate;
mod outbox;
mod range_set;

pub use cloud::cloud_node;
pub use decoders::{ack, answer, batch, decision, hello, reading, status, topic};
pub use delivery::delivery;
pub use edge::edge_node;
pub use mutate::mutate;
pub use outbox::outbox;
pub use range_set::range_set;

/// A target: its name, as that of its corpus and of its file in `fuzz/fuzz_targets`.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name.
    pub name: &'static str,
    /// The body.
    pub run: fn(&[u8]),
    /// Inputs in a test run, beside the corpus: fewer of those that take long.
    pub rounds: u32,
}

/// All of them.
pub const TARGETS: [Target; 13] = [
    Target { name: "hello", run: hello, rounds: 20_000 },
    Target { name: "batch", run: batch, rounds: 20_000 },
    Target { name: "status", run: status, rounds: 20_000 },
    Target { name: "ack", run: ack, rounds: 20_000 },
    Target { name: "decision", run: decision, rounds: 20_000 },
    Target { name: "answer", run: answer, rounds: 20_000 },
    Target { name: "reading", run: reading, rounds: 20_000 },
    Target { name: "topic", run: topic, rounds: 20_000 },
    Target { name: "range_set", run: range_set, rounds: 2_000 },
    Target { name: "delivery", run: delivery, rounds: 2_000 },
    Target { name: "cloud_node", run: cloud_node, rounds: 500 },
    Target { name: "edge_node", run: edge_node, rounds: 1_000 },
    Target { name: "outbox", run: outbox, rounds: 40 },
];
