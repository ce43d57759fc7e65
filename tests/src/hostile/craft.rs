//! Messages with everything in them as it should be, to be spoilt.

use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{Name, StreamId, Term};
use fogline_protocol::wire::{BatchHeader, DecisionAck, Hello, Message, OpenStream, Outcome, Status};

/// A reading as JSON.
pub(super) const READING: &str =
    r#"{"ts_us":1577145601420000,"sensor":"lane-1","kind":"power","fields":{"power_w":97.2}}"#;

pub(super) fn readings(count: usize) -> String {
    vec![READING; count].join(",")
}

pub(super) fn batch(stream: u64, floor: u64, first: u64, gaps: &[(u64, u64)], count: usize) -> Vec<u8> {
    let gaps = gaps.iter().copied().map(Range::from).collect();
    let header = BatchHeader { stream: StreamId::from_bits(stream), floor, first, gaps, clock: 7, time: None };
    header.encode(readings(count).as_bytes())
}

pub(super) fn term(counter: u64) -> Term {
    #[expect(clippy::expect_used, reason = "a constant that is a name")]
    let ingester = Name::new("ingest-1").expect("a name");
    Term { counter, ingester }
}

pub(super) fn hello(number: u64, term: Option<Term>, streams: &[u64]) -> Vec<u8> {
    let open = |stream: &u64| OpenStream { stream: StreamId::from_bits(*stream), floor: 1, next: 100, gaps: vec![] };
    let streams = streams.iter().map(open).collect();
    Hello { hello: number, agent_version: "6.6.6".to_owned(), term, streams }.encode()
}

pub(super) fn answer(key: &str, of: Term, seq: u64, outcome: Outcome, highest: Option<Term>) -> Vec<u8> {
    DecisionAck { key: key.to_owned(), term: of, seq, decided_us: 5, outcome, highest, reason: None }.encode()
}

pub(super) fn status(online: bool, connection: (u64, u64), ts_us: i64) -> Vec<u8> {
    Status { online, connection, ts_us, queued: 1, queued_bytes: 1, oldest_us: Some(ts_us), dropped: 0, damaged: 0 }
        .encode()
}
