//! The newest readings, each with how far it has come.

use super::render::{LABEL, grouped};
use crate::calendar::utc;
use fogline_protocol::ids::Seq;
use fogline_protocol::node::{Tuple, TupleState};
use fogline_protocol::time::Wall;
use fogline_protocol::usecase;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt;

/// How many are shown unless another number is asked for.
pub(crate) const TUPLES_SHOWN: usize = 20;

/// The readings of an agent by their state, and the newest of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TuplesReport {
    /// Readings in the queue that wait to be sent, or to be sent again.
    pub new: u64,
    /// On their way.
    pub sent: u64,
    /// Acknowledged since the queue was made.
    pub acknowledged: u64,
    /// Those that were queued last, since the start: the newest first, as many as were asked for.
    pub newest: Vec<TupleReport>,
}

/// A reading with its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TupleReport {
    /// Its number in the queue.
    pub seq: Seq,
    /// When it was measured, in microseconds since 1970; an average: when its window began.
    pub ts_us: i64,
    /// What measured it.
    pub sensor: String,
    /// The use case.
    pub kind: String,
    /// What was measured.
    pub fields: Map<String, Value>,
    /// How far it has come.
    pub state: TupleState,
}

/// A reading, as it is queued.
#[derive(Deserialize)]
struct Queued {
    ts_us: i64,
    sensor: String,
    kind: String,
    fields: Map<String, Value>,
}

impl TupleReport {
    /// None of what is no reading.
    pub(super) fn new(tuple: &Tuple) -> Option<Self> {
        let Queued { ts_us, sensor, kind, fields } = serde_json::from_str(&tuple.json).ok()?;
        Some(Self { seq: tuple.seq, ts_us, sensor, kind, fields, state: tuple.state })
    }

    fn cells(&self) -> [String; 5] {
        // What its use case names first, as it is what it is about.
        let about = usecase::find(&self.kind).and_then(|usecase| usecase.fields().first());
        let value = about.and_then(|field| self.fields.get_key_value(field.name)).or(self.fields.iter().next());
        let value = value.map(|(name, value)| format!("{name} {}", short(value)));
        let time = utc(Wall::from_us(self.ts_us));
        [self.seq.to_string(), self.sensor.clone(), time, value.unwrap_or_default(), word(self.state).to_owned()]
    }
}

impl fmt::Display for TuplesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [new, sent, acknowledged] = [self.new, self.sent, self.acknowledged].map(grouped);
        writeln!(f, "{:LABEL$}{new} new, {sent} sent, {acknowledged} acknowledged", "tuples")?;
        if self.newest.is_empty() {
            return Ok(());
        }
        let head = ["number", "sensor", "time", "value", "state"].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(head).chain(self.newest.iter().map(TupleReport::cells)).collect();
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let [number, sensor, time, value] = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
        rows.iter().try_for_each(|[seq, name, ts, first, state]| {
            writeln!(f, "{:LABEL$}{seq:>number$}  {name:sensor$}  {ts:time$}  {first:value$}  {state}", "")
        })
    }
}

const fn word(state: TupleState) -> &'static str {
    match state {
        TupleState::New => "new",
        TupleState::Sent => "sent",
        TupleState::Acknowledged => "acknowledged",
        TupleState::Dropped => "dropped",
    }
}

/// Numbers to a thousandth, which says more than a meter measures; texts in a few characters.
fn short(value: &Value) -> String {
    const CHARS: usize = 24;
    match (value.as_f64(), value.as_str()) {
        (Some(number), _) => ((number * 1000.0).round() / 1000.0).to_string(),
        (None, Some(text)) => text.chars().take(CHARS).collect(),
        (None, None) => value.to_string().chars().take(CHARS).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(seq: Seq, sensor: &str, field: &str, state: TupleState) -> TupleReport {
        let json =
            format!("{{\"ts_us\":1577145600000000,\"sensor\":\"{sensor}\",\"kind\":\"power\",\"fields\":{{{field}}}}}");
        TupleReport::new(&Tuple { seq, json, state }).unwrap()
    }

    #[test]
    fn tuples_are_a_table() {
        let newest = vec![
            tuple(1204, "house-10", "\"power_w\":42.356666,\"n\":3", TupleState::New),
            tuple(99, "house-9", "\"event\":\"entry\"", TupleState::Acknowledged),
        ];
        let report = TuplesReport { new: 1, sent: 0, acknowledged: 1203, newest };
        let text = "tuples        1 new, 0 sent, 1,203 acknowledged\n              \
                    number  sensor    time                  value           state\n                \
                    1204  house-10  2019-12-24T00:00:00Z  power_w 42.357  new\n                  \
                    99  house-9   2019-12-24T00:00:00Z  event entry     acknowledged\n";
        assert_eq!(report.to_string(), text);
        assert_eq!(serde_json::to_value(&report).unwrap()["newest"][1]["state"], "acknowledged");
    }

    #[test]
    fn what_is_no_reading_is_left_out() {
        let json = "{}".to_owned();
        assert_eq!(TupleReport::new(&Tuple { seq: 1, json, state: TupleState::New }), None);
    }
}
