//! The newest reading of each sensor.

use crate::ids::AgentId;
use crate::reading::Value;
use crate::store::{Latest, Point, Points};
use crate::time::Wall;
use std::collections::BTreeMap;

/// Of which agent, kind and sensor.
type Key<'a> = (&'a AgentId, &'a str, &'a str);

/// The newest reading of each sensor among these. What is later than `latest` comes from a clock that is wrong, and would stay
/// the newest for as long: it is left out.
pub(super) fn newest(points: &[Points], latest: Wall) -> Vec<Latest> {
    let mut newest: BTreeMap<Key<'_>, (&Points, Point<'_>)> = BTreeMap::new();
    for batch in points {
        let mut run: Option<(Key<'_>, Point<'_>)> = None;
        for point in batch.iter().filter(|point| point.reading.ts() <= latest) {
            let key = (&batch.agent, point.reading.kind(), point.reading.sensor());
            match &mut run {
                // Neighbours are mostly of the same sensor: it is looked up once for all of them.
                Some((of, best)) if *of == key => *best = later(*best, point),
                _ => {
                    if let Some((of, best)) = run.replace((key, point)) {
                        put(&mut newest, of, batch, best);
                    }
                }
            }
        }
        if let Some((of, best)) = run {
            put(&mut newest, of, batch, best);
        }
    }
    newest.into_iter().map(|(key, (batch, point))| row(key, batch, &point)).collect()
}

const fn later<'a>(one: Point<'a>, other: Point<'a>) -> Point<'a> {
    if other.time_ns >= one.time_ns { other } else { one }
}

fn put<'a>(newest: &mut BTreeMap<Key<'a>, (&'a Points, Point<'a>)>, key: Key<'a>, batch: &'a Points, point: Point<'a>) {
    let best = newest.entry(key).or_insert((batch, point));
    if point.time_ns >= best.1.time_ns {
        *best = (batch, point);
    }
}

fn row((agent, kind, sensor): Key<'_>, batch: &Points, point: &Point<'_>) -> Latest {
    let value = |value| match value {
        Value::Number(number) => number.into(),
        Value::Flag(flag) => flag.into(),
        Value::Text(text) => text.into(),
    };
    Latest {
        owner: agent.into(),
        kind: kind.to_owned(),
        sensor: sensor.to_owned(),
        ts_us: point.reading.ts().us(),
        clock: batch.clock,
        stream: batch.stream,
        seq: point.seq,
        flags: point.flags(batch).bits(),
        fields: point.reading.fields().map(|(name, field)| (name.to_owned(), value(field))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ranges::Range;
    use crate::ids::{Name, StreamId};
    use crate::reading::Readings;
    use std::sync::Arc;

    #[test]
    fn the_newest_of_each_sensor_is_found_and_the_future_is_not() {
        let mut readings = Readings::new();
        for (sensor, ts_us, speed) in [("a", 5, 50.0), ("b", 1, 10.0), ("a", 3, 30.0), ("a", 900, 1.0), ("b", 2, 999.0)]
        {
            readings.push(Wall::from_us(ts_us), sensor, "road", &[("speed_kmh", Value::Number(speed))]).unwrap();
        }
        let agent = AgentId { region: Name::new("a7").unwrap(), agent: Name::new("s1").unwrap() };
        let (stream, fresh) = (StreamId::from_bits(1), vec![Range::new(1, 5)]);
        let points = Points { agent, stream, clock: 0, time: None, first: 1, readings: Arc::new(readings), fresh };
        let found = newest(&[points], Wall::from_us(100));
        let found: Vec<_> = found.iter().map(|l| (l.sensor.as_str(), l.seq, l.flags, l.number("speed_kmh"))).collect();
        assert_eq!(found, [("a", 1, 0, Some(50.0)), ("b", 5, 1, Some(999.0))]);
    }
}
