//! What travels, letter by letter, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use fogline_protocol::clock::TimeFlag;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, SEQ_MAX, StreamId, Term};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Progress, ProgressRow, Rows};
use fogline_protocol::time::Wall;
use fogline_protocol::wire::{
    Ack, Ask, Batch, BatchHeader, Beat, Decision, DecisionAck, Hello, Log, LogPlace, Message, OpenStream, Outcome,
    Role, State, Status, StreamAck, WireError,
};
use proptest::prelude::*;

const STREAM: StreamId = StreamId::from_bits(0x1234_5678_9abc_def0);

fn text(payload: &[u8]) -> &str {
    std::str::from_utf8(payload).unwrap()
}

fn term() -> Term {
    Term { counter: 3, ingester: Name::new("ingest-1").unwrap() }
}

fn header() -> BatchHeader {
    BatchHeader { stream: STREAM, floor: 5, first: 7, gaps: vec![Range::new(5, 6)], clock: 2, time: None }
}

const READING: &str = r#"{"ts_us":1577145601420000,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":97.2}}"#;

fn hello() -> Hello {
    let open = OpenStream { stream: STREAM, floor: 5, next: 9, gaps: vec![Range::new(5, 6)] };
    Hello { hello: 12, agent_version: "0.1.0".into(), term: Some(term()), streams: vec![open] }
}

fn ack() -> Ack {
    let stream = StreamAck { stream: STREAM, through: 6, ranges: vec![Range::new(8, 9)] };
    Ack { hello: Some(12), credit: 49_152, state: State::StoreDown, streams: vec![stream], reply: None }
}

const DECIDED_US: i64 = 1_577_145_605_000_000;

fn decision() -> Decision {
    let body = serde_json::json!({ "limit_kmh": 100 });
    Decision { key: "limit".into(), term: term(), seq: 9, decided_us: DECIDED_US, ttl_ms: 60_000, body }
}

#[test]
fn messages_read_as_the_documentation_says() {
    insta::assert_snapshot!(text(&hello().encode()), @r#"{"v":1,"hello":12,"agent_version":"0.1.0","term":{"counter":3,"ingester":"ingest-1"},"streams":[{"stream":"123456789abcdef0","floor":5,"next":9,"gaps":[[5,6]]}]}"#);
    insta::assert_snapshot!(text(&ack().encode()), @r#"{"v":1,"hello":12,"credit":49152,"state":"store_down","streams":[{"stream":"123456789abcdef0","through":6,"ranges":[[8,9]]}]}"#);
    insta::assert_snapshot!(text(&decision().encode()), @r#"{"v":1,"key":"limit","term":{"counter":3,"ingester":"ingest-1"},"seq":9,"decided_us":1577145605000000,"ttl_ms":60000,"body":{"limit_kmh":100}}"#);
    let (key, outcome, highest) = ("limit".into(), Outcome::Applied, Some(term()));
    let answer = DecisionAck { key, term: term(), seq: 9, decided_us: DECIDED_US, outcome, highest, reason: None };
    insta::assert_snapshot!(text(&answer.encode()), @r#"{"v":1,"key":"limit","term":{"counter":3,"ingester":"ingest-1"},"seq":9,"decided_us":1577145605000000,"outcome":"applied","highest":{"counter":3,"ingester":"ingest-1"}}"#);
    let reason = Some("window_ms is 5: give 1000 to 3600000, which is 1 s to 1 h, or 0 for none".to_owned());
    let refused = DecisionAck { key: "config/sensing".into(), outcome: Outcome::Refused, reason, ..answer };
    insta::assert_snapshot!(text(&refused.encode()), @r#"{"v":1,"key":"config/sensing","term":{"counter":3,"ingester":"ingest-1"},"seq":9,"decided_us":1577145605000000,"outcome":"refused","highest":{"counter":3,"ingester":"ingest-1"},"reason":"window_ms is 5: give 1000 to 3600000, which is 1 s to 1 h, or 0 for none"}"#);
    let status = Status {
        online: true,
        connection: (2, 1),
        ts_us: 5,
        queued: 1,
        queued_bytes: 105,
        oldest_us: Some(4),
        dropped: 0,
        damaged: 0,
    };
    insta::assert_snapshot!(text(&status.encode()), @r#"{"v":1,"online":true,"connection":[2,1],"ts_us":5,"queued":1,"queued_bytes":105,"oldest_us":4,"dropped":0}"#);
    let damaged = Status { damaged: 12, ..status };
    insta::assert_snapshot!(text(&damaged.encode()), @r#"{"v":1,"online":true,"connection":[2,1],"ts_us":5,"queued":1,"queued_bytes":105,"oldest_us":4,"dropped":0,"damaged":12}"#);
    insta::assert_snapshot!(text(&header().encode(READING.as_bytes())), @r#"{"v":1,"stream":"123456789abcdef0","floor":5,"first":7,"gaps":[[5,6]],"clock":2,"readings":[{"ts_us":1577145601420000,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":97.2}}]}"#);
    let restamped = BatchHeader { time: Some(TimeFlag::Restamped), ..header() };
    insta::assert_snapshot!(text(&restamped.encode(READING.as_bytes())), @r#"{"v":1,"stream":"123456789abcdef0","floor":5,"first":7,"gaps":[[5,6]],"clock":2,"time":"restamped","readings":[{"ts_us":1577145601420000,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":97.2}}]}"#);
}

#[test]
fn what_ingesters_say_reads_as_the_documentation_says() {
    let beat = Beat {
        role: Role::Leading,
        term: Some(term()),
        rank: 0,
        reach: 2,
        realm: Some("a7,a8".parse().unwrap()),
        store: "influxdb:fog".to_owned(),
        log: Some(LogPlace { lead: 3, number: 17 }),
        in_step: false,
        keeps: None,
    };
    insta::assert_snapshot!(text(&beat.encode()), @r#"{"v":1,"role":"leading","term":{"counter":3,"ingester":"ingest-1"},"rank":0,"reach":2,"realm":"a7,a8","store":"influxdb:fog","log":{"lead":3,"number":17},"in_step":false}"#);
    assert_eq!(Beat::decode(&beat.encode()), Ok(beat));
    let ask = Ask { lead: 3, after: None };
    insta::assert_snapshot!(text(&ask.encode()), @r#"{"v":1,"lead":3,"after":null}"#);
    assert_eq!(Ask::decode(&ask.encode()), Ok(ask));
    let id = AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() };
    let progress = Progress { through: 6, ranges: vec![Range::new(8, 9)] };
    let rows = Rows {
        term: 3,
        progress: vec![ProgressRow::new(&id, StreamId::from_bits(0x1234_5678_9abc_def0), progress, Vec::new())],
        ..Rows::default()
    };
    let log = Log { place: LogPlace { lead: 3, number: 18 }, part: 0, parts: 1, waits: false, page: None, rows };
    insta::assert_snapshot!(text(&log.encode()), @r#"{"v":1,"place":{"lead":3,"number":18},"part":0,"parts":1,"rows":{"term":3,"progress":[{"region":"a7","agent":"lane-1","stream":"123456789abcdef0","through":6,"ranges":[[8,9]]}]}}"#);
    assert_eq!(Log::decode(&log.encode()), Ok(log.clone()));
    let torn = Log { part: 1, ..log };
    assert_eq!(Log::decode(&torn.encode()), Err(WireError::Value { what: "part" }));
}

#[test]
fn what_is_encoded_decodes() {
    assert_eq!(Hello::decode(&hello().encode()), Ok(hello()));
    assert_eq!(Ack::decode(&ack().encode()), Ok(ack()));
    assert_eq!(Decision::decode(&decision().encode()), Ok(decision()));
    let batch = Batch::decode(&header().encode(READING.as_bytes())).unwrap();
    assert_eq!((batch.header.clone(), batch.range()), (header(), Range::new(7, 7)));
    let mut expected = Readings::new();
    let fields = [("speed_kmh", Value::Number(97.2))];
    expected.push(Wall::from_us(1_577_145_601_420_000), "lane-1", "road", &fields).unwrap();
    assert_eq!(batch.readings, expected);
    for time in [TimeFlag::Restamped, TimeFlag::Unset] {
        let flagged = BatchHeader { time: Some(time), ..header() };
        assert_eq!(Batch::decode(&flagged.encode(READING.as_bytes())).map(|batch| batch.header), Ok(flagged));
    }
}

#[test]
fn unknown_keys_are_ignored_and_later_versions_refused() {
    let with_news = text(&hello().encode()).replace(r#""v":1,"#, r#""v":1,"news":{"a":[1,2]},"#);
    assert_eq!(Hello::decode(with_news.as_bytes()), Ok(hello()));
    let later = br#"{"v":2,"what":"ever"}"#;
    assert_eq!(Hello::decode(later), Err(WireError::Version(2)));
    assert_eq!(Batch::decode(later), Err(WireError::Version(2)));
    assert_eq!(Ack::decode(br#"{"v":0}"#), Err(WireError::Value { what: "v" }));
}

#[test]
fn a_batch_that_breaks_a_rule_is_refused_with_the_rule() {
    let good = text(&header().encode(READING.as_bytes())).to_owned();
    let refused = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        Batch::decode(good.replace(from, to).as_bytes()).unwrap_err()
    };
    assert_eq!(refused(r#""first":7"#, r#""first":0"#), WireError::Sequence { what: "first", seq: 0 });
    assert_eq!(refused(r#""floor":5"#, r#""floor":0"#), WireError::Sequence { what: "floor", seq: 0 });
    assert_eq!(
        refused(r#""first":7"#, r#""first":9007199254740992"#),
        WireError::Sequence { what: "first", seq: SEQ_MAX + 1 }
    );
    assert_eq!(refused(r#""first":7"#, r#""first":18446744073709551616"#).reason(), "malformed");
    assert_eq!(refused(r#""floor":5"#, r#""floor":8"#).reason(), "range");
    assert_eq!(refused("[[5,6]]", "[[6,5]]").reason(), "range");
    assert_eq!(refused("[[5,6]]", "[[5,6],[6,7]]").reason(), "range");
    assert_eq!(refused(r#""clock":2"#, r#""clock":1000"#), WireError::Value { what: "clock" });
    assert_eq!(refused(r#""clock":2"#, r#""clock":-1"#).reason(), "malformed");
    assert_eq!(refused(r#""clock":2"#, r#""time":"soon""#).reason(), "malformed");
    assert_eq!(refused("97.2", "NaN").reason(), "malformed");
    assert_eq!(refused("97.2", "1e999").reason(), "malformed");
    assert_eq!(refused("97.2", "[1]").reason(), "malformed");
    for bad in ["a/b", "a+", "#", "a\\u0000"] {
        assert!(matches!(refused("lane-1", bad), WireError::Reading { index: 0, .. }), "{bad}");
    }
    for time in ["-1", "9007199254740992", "-9223372036854775808"] {
        assert!(matches!(refused("1577145601420000", time), WireError::Reading { index: 0, .. }), "{time}");
    }
    assert_eq!(refused(STREAM.to_string().as_str(), "xyz").reason(), "malformed");
    assert_eq!(refused(&format!("[{READING}]"), "[]").reason(), "malformed");
    let overflowing = BatchHeader { floor: SEQ_MAX, first: SEQ_MAX, gaps: vec![], ..header() };
    let two = format!("{READING},{READING}");
    let seq = SEQ_MAX + 1;
    assert_eq!(
        Batch::decode(&overflowing.encode(two.as_bytes())),
        Err(WireError::Sequence { what: "the last reading's number", seq })
    );
}

#[test]
fn a_batch_is_bounded() {
    let short = r#"{"ts_us":1,"sensor":"a","kind":"b","fields":{"c":1}}"#;
    let many = vec![short; 1025].join(",");
    assert_eq!(
        Batch::decode(&header().encode(many.as_bytes())),
        Err(WireError::TooMany { what: "readings", count: 1025, most: 1024 })
    );
    let a_million = vec![short; 1_000_000].join(",");
    assert_eq!(Batch::decode(&header().encode(a_million.as_bytes())).unwrap_err().reason(), "too_long");
    let nested = format!(r#"{{"v":1,"x":{}1{}}}"#, "[".repeat(20_000), "]".repeat(20_000));
    assert_eq!(Batch::decode(nested.as_bytes()).unwrap_err().reason(), "malformed");
    assert_eq!(Hello::decode(nested.as_bytes()).unwrap_err().reason(), "malformed");
}

#[test]
fn small_messages_are_checked_too() {
    let refused = |payload: &[u8], from: &str, to: &str| text(payload).replace(from, to).into_bytes();
    let hello_with = |from, to| Hello::decode(&refused(&hello().encode(), from, to)).unwrap_err().reason();
    assert_eq!(hello_with(r#""floor":5"#, r#""floor":0"#), "sequence");
    assert_eq!(hello_with(r#""floor":5"#, r#""floor":10"#), "range");
    assert_eq!(hello_with(r#""counter":3"#, r#""counter":9007199254740992"#), "sequence");
    assert_eq!(hello_with("ingest-1", "in/gest"), "malformed");
    let mut crowded = hello();
    crowded.streams = vec![crowded.streams[0].clone(); 17];
    assert_eq!(Hello::decode(&crowded.encode()).unwrap_err().reason(), "too_many");
    let ack_with = |from, to| Ack::decode(&refused(&ack().encode(), from, to)).unwrap_err().reason();
    assert_eq!(ack_with("[[8,9]]", "[[6,9]]"), "range");
    assert_eq!(ack_with("store_down", "asleep"), "malformed");
    let decision_with = |from, to| Decision::decode(&refused(&decision().encode(), from, to)).unwrap_err().reason();
    assert_eq!(decision_with(r#""seq":9"#, r#""seq":0"#), "sequence");
    assert_eq!(decision_with(r#""decided_us":1577145605000000"#, r#""decided_us":-1"#), "value");
    assert_eq!(decision_with(r#""ttl_ms":60000"#, r#""ttl_ms":0"#), "value");
    assert_eq!(decision_with(r#""key":"limit""#, r#""key":"a/#""#), "value");
}

fn decode_all(payload: &[u8]) {
    // Errors are fine; panics are not.
    drop((Batch::decode(payload), Hello::decode(payload), Status::decode(payload)));
    drop((Ack::decode(payload), Decision::decode(payload), DecisionAck::decode(payload)));
}

#[test]
fn a_cut_off_message_is_refused_at_every_byte() {
    for whole in [hello().encode(), ack().encode(), decision().encode(), header().encode(READING.as_bytes())] {
        for end in 0..whole.len() {
            let cut = &whole[..end];
            assert!(Hello::decode(cut).is_err() && Ack::decode(cut).is_err());
            assert!(Decision::decode(cut).is_err() && Batch::decode(cut).is_err());
        }
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        decode_all(&payload);
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0_usize..400, byte in any::<u8>(), which in 0_usize..4) {
        let messages = [hello().encode(), ack().encode(), decision().encode(), header().encode(READING.as_bytes())];
        let mut payload = messages[which].clone();
        let at = at % payload.len();
        payload[at] = byte;
        decode_all(&payload);
    }
}
