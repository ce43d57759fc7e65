//! What is written, as line protocol.
//!
//! | measurement | tags | fields | time |
//! |---|---|---|---|
//! | the reading's kind | region, agent, sensor | seq, stream, the reading's own; fogline_flags if it has marks | `ts_us * 1000 + clock` |
//! | `fogline_agent` | region, agent | queued, queued_bytes, oldest_age_s, dropped, online (1 or 0) | when it was heard |
//! | `fogline_limit` | region, agent | seq, fate, every number of the decision's body | when it was decided |
//! | `fogline_average` | region and agent, or region, or group and takes (what the ingester takes, if not all regions); kind, field | n, mean, min, max | start of the 5-second window |
//!
//! Numbers of readings are always floats, so that a field never changes its type; counts are integers. An average or a limit
//! that changes is written again at its own time and replaces itself.
//!
//! The encoder escapes quotes and backslashes. Line breaks inside of texts are legal for InfluxDB, but other servers split
//! lines at them, and would take what follows as a point of anybody's choice: they are written as `\n` and `\r`, two
//! characters each.

use super::super::aggregates::Merged;
use super::super::decisions::fate_name;
use fogline_protocol::ids::AgentId;
use fogline_protocol::reading::Value;
use fogline_protocol::store::{AgentStatus, DecisionRecord, Flags, Point};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{DECISION_WIDTH_S, Scope};
use influxdb_line_protocol::LineProtocolBuilder;
use std::borrow::Cow;

/// What is to be known of a reading: `outlier`, `restamped`, `unset`, with commas between them. Only where there is something.
const FLAGS_FIELD: &str = "fogline_flags";
/// The register whose decisions are drawn.
const LIMIT_KEY: &str = "limit";

/// Appends a reading. `stream` is its stream as text.
pub(super) fn reading(out: &mut Vec<u8>, agent: &AgentId, stream: &str, point: &Point<'_>, flags: Flags) {
    let mut line = LineProtocolBuilder::new_with(out)
        .measurement(point.reading.kind())
        // In the order of their names, as InfluxDB sorts them.
        .tag("agent", agent.agent.as_str())
        .tag("region", agent.region.as_str())
        .tag("sensor", point.reading.sensor())
        .field("seq", integer(point.seq))
        .field("stream", stream);
    for (name, value) in point.reading.fields() {
        line = match value {
            Value::Number(number) => line.field(name, number),
            Value::Flag(flag) => line.field(name, flag),
            Value::Text(text) => line.field(name, one_line(text).as_ref()),
        };
    }
    if flags != Flags::default() {
        line = line.field(FLAGS_FIELD, flags.words().collect::<Vec<_>>().join(",").as_str());
    }
    line.timestamp(point.time_ns).close_line();
}

/// Appends an agent's status.
pub(super) fn status(out: &mut Vec<u8>, heard: &AgentStatus) {
    let status = &heard.status;
    let oldest_age_us = status.oldest_us.map_or(0, |oldest| status.ts_us.saturating_sub(oldest).max(0));
    LineProtocolBuilder::new_with(out)
        .measurement("fogline_agent")
        .tag("agent", heard.agent.agent.as_str())
        .tag("region", heard.agent.region.as_str())
        .field("queued", integer(status.queued))
        .field("queued_bytes", integer(status.queued_bytes))
        .field("oldest_age_s", oldest_age_us as f64 / 1e6)
        .field("dropped", integer(status.dropped))
        .field("online", i64::from(status.online))
        .timestamp(nanoseconds(heard.heard))
        .close_line();
}

/// Appends a limit; says whether the decision is one.
pub(super) fn limit(out: &mut Vec<u8>, record: &DecisionRecord) -> bool {
    if record.decision.key != LIMIT_KEY {
        return false;
    }
    let mut line = LineProtocolBuilder::new_with(out)
        .measurement("fogline_limit")
        .tag("agent", record.agent.agent.as_str())
        .tag("region", record.agent.region.as_str())
        .field("seq", integer(record.decision.seq))
        .field("fate", fate_name(record.fate));
    for (name, value) in record.decision.body.as_object().into_iter().flatten() {
        if let Some(number) = value.as_f64().filter(|_| is_field(name)) {
            line = line.field(name, number);
        }
    }
    line.timestamp(nanoseconds(record.decided)).close_line();
    true
}

/// Appends an average by an ingester that takes this, none: all; says whether it is of a width that is drawn and has values.
pub(super) fn average(out: &mut Vec<u8>, merged: &Merged<'_>, takes: Option<&str>) -> bool {
    let (fold, stored) = (merged.fold, &merged.stored);
    let Some(mean) = stored.mean().filter(|_| fold.width_s == DECISION_WIDTH_S) else { return false };
    let line = LineProtocolBuilder::new_with(out).measurement("fogline_average");
    let line = match &fold.scope {
        Scope::Agent(id) => {
            let line = line.tag("agent", id.agent.as_str()).tag("field", fold.field).tag("kind", fold.kind);
            line.tag("region", id.region.as_str())
        }
        Scope::Region(region) => line.tag("field", fold.field).tag("kind", fold.kind).tag("region", region.as_str()),
        Scope::Group(group) => {
            let line = line.tag("field", fold.field).tag("group", group.as_str()).tag("kind", fold.kind);
            // In the order of their names, here too.
            match takes {
                Some(takes) => line.tag("takes", takes),
                None => line,
            }
        }
    };
    line.field("n", integer(stored.n))
        .field("mean", mean)
        .field("min", stored.min)
        .field("max", stored.max)
        .timestamp(nanoseconds(fold.start))
        .close_line();
    true
}

/// A line that no InfluxDB can find fault with.
pub(super) fn probe(time_ns: i64) -> Vec<u8> {
    LineProtocolBuilder::new().measurement("fogline_probe").field("ok", 1.0).timestamp(time_ns).close_line().build()
}

fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(['\n', '\r']) {
        Cow::Owned(text.replace('\n', "\\n").replace('\r', "\\r"))
    } else {
        Cow::Borrowed(text)
    }
}

/// The bodies of decisions are our own, but a register's schema is not checked: only simple names become fields.
fn is_field(name: &str) -> bool {
    let simple = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    simple && !name.is_empty() && !matches!(name, "seq" | "fate" | "time")
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn nanoseconds(time: Wall) -> i64 {
    time.us().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{EPOCH_US, agent, decision, fold, points};
    use super::*;
    use fogline_protocol::delivery::ranges::Range;
    use fogline_protocol::ids::StreamId;
    use fogline_protocol::reading::Readings;
    use fogline_protocol::store::{Fold, Points};
    use fogline_protocol::wire::Status;
    use influxdb_line_protocol::{FieldValue, parse_lines};
    use std::sync::Arc;

    fn text(encode: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn of_fields(fields: &[(&str, Value<'_>)]) -> String {
        let mut readings = Readings::new();
        readings.push(Wall::from_us(EPOCH_US), "lane-1", "road", fields).unwrap();
        let batch = Points {
            readings: Arc::new(readings),
            fresh: vec![Range::new(5, 5)],
            ..points(&agent("north", "r1"), 7, 5, 1)
        };
        let point = batch.iter().next().unwrap();
        text(|out| reading(out, &batch.agent, &batch.stream.to_string(), &point, point.flags(&batch)))
    }

    #[test]
    fn what_cannot_be_true_is_marked() {
        let line = of_fields(&[("speed_kmh", Value::Number(900.0))]);
        assert!(line.contains(r#"speed_kmh=900,fogline_flags="outlier" "#), "{line}");
    }

    #[test]
    fn readings_have_their_identity_in_tags_and_time() {
        let fields = [
            ("speed_kmh", Value::Number(97.0)),
            ("tiny", Value::Number(5e-324)),
            ("wet", Value::Flag(true)),
            ("note", Value::Text("a b,c=d")),
        ];
        let line = of_fields(&fields).replace(&format!("{}", 5e-324), "TINY");
        insta::assert_snapshot!(line, @r#"road,agent=r1,region=north,sensor=lane-1 seq=5i,stream="0000000000000007",speed_kmh=97,tiny=TINY,wet=true,note="a b,c=d" 1700000000000000007"#);
    }

    #[test]
    fn texts_cannot_break_out() {
        for nasty in [
            r#"" hacked=1 1"#,
            "\\",
            "\\\"",
            "ends with \\",
            "x\nroad,region=south,agent=other speed_kmh=1 1",
            "\r\n",
            "\\n",
            "\u{0}é\u{2028}",
            "",
        ] {
            let line = of_fields(&[("note", Value::Text(nasty)), ("after", Value::Number(1.0))]);
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            let parsed: Vec<_> = parse_lines(&line).collect::<Result<_, _>>().unwrap();
            assert_eq!(parsed.len(), 1);
            let names: Vec<String> = parsed[0].field_set.iter().map(|(name, _)| name.to_string()).collect();
            assert_eq!(names, ["seq", "stream", "note", "after"]);
            let FieldValue::String(read) = &parsed[0].field_set[2].1 else { panic!("{line}") };
            assert_eq!(read.as_str(), nasty.replace('\n', "\\n").replace('\r', "\\r"));
        }
    }

    #[test]
    fn every_finite_number_reads_back_as_a_float() {
        for number in [0.0, -0.0, 1.0, 97.2, -1e-7, 1e21, f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.1 + 0.2] {
            let line = of_fields(&[("x", Value::Number(number))]);
            let parsed = parse_lines(&line).next().unwrap().unwrap();
            let FieldValue::F64(read) = &parsed.field_set[2].1 else { panic!("{line}") };
            assert_eq!(read.to_bits(), number.to_bits());
        }
    }

    #[test]
    fn what_dashboards_draw() {
        let status_of = Status {
            online: true,
            connection: (1, 2),
            ts_us: 3_500_000,
            queued: 4,
            queued_bytes: 500,
            oldest_us: Some(1_000_000),
            dropped: 6,
            damaged: 0,
        };
        let heard = AgentStatus { agent: agent("north", "r1"), status: status_of, heard: Wall::from_us(EPOCH_US) };
        insta::assert_snapshot!(text(|out| status(out, &heard)), @"fogline_agent,agent=r1,region=north queued=4i,queued_bytes=500i,oldest_age_s=2.5,dropped=6i,online=1i 1700000000000000000");

        let mut record = decision("r1", 9);
        record.decision.body["note\n"] = 1.into();
        record.decision.body["seq"] = 1.into();
        insta::assert_snapshot!(text(|out| assert!(limit(out, &record))), @r#"fogline_limit,agent=r1,region=north seq=9i,fate="outstanding",limit_kmh=90,mean_kmh=97.25 1700000000000000000"#);
        record.decision.key = "notice/rain".into();
        assert_eq!(text(|out| assert!(!limit(out, &record))), "");

        let of_agent = fold(EPOCH_US, &[91.0]);
        let of_region = Fold { scope: Scope::Region(agent("north", "r1").region), ..of_agent.clone() };
        let stored = fold(EPOCH_US, &[91.0, 92.0, 99.0]).aggregate;
        insta::assert_snapshot!(text(|out| assert!(average(out, &Merged { fold: &of_agent, stored }, None))), @"fogline_average,agent=r1,field=speed_kmh,kind=road,region=north n=3i,mean=94,min=91,max=99 1700000000000000000");
        insta::assert_snapshot!(text(|out| assert!(average(out, &Merged { fold: &of_region, stored }, None))), @"fogline_average,field=speed_kmh,kind=road,region=north n=3i,mean=94,min=91,max=99 1700000000000000000");
        let of_group = Fold { scope: Scope::Group(agent("be", "r1").region), ..of_agent.clone() };
        let group = |takes| text(|out| assert!(average(out, &Merged { fold: &of_group, stored }, takes)));
        assert!(group(None).starts_with("fogline_average,field=speed_kmh,group=be,kind=road n=3i"));
        assert!(
            group(Some("a7,a8")).starts_with(r"fogline_average,field=speed_kmh,group=be,kind=road,takes=a7\,a8 n=3i")
        );
        let hour = Fold { width_s: 3600, ..of_agent };
        assert_eq!(text(|out| assert!(!average(out, &Merged { fold: &hour, stored }, None))), "");
        assert_eq!(probe(5), b"fogline_probe ok=1 5\n");
        assert_eq!(StreamId::from_bits(7).to_string().len(), 16);
    }
}
