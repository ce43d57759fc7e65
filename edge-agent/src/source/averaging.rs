//! Averages over windows of event time, made on the edge: a household's meter says more often than anyone asks what it
//! measures.

use super::lines::Place;
use fogline_protocol::reading::{FIELDS_MAX, ReadingError, ReadingRef, Readings, Value};
use fogline_protocol::time::{Monotonic, Wall};
use fogline_protocol::window::{DECISION_WIDTH_S, window_start};
use std::collections::BTreeMap;
use std::time::Duration;

/// The kind of readings that are averaged before they are queued.
pub const AVERAGED_KIND: &str = "power";
/// Fields that count up. The last value says all that the values before it said.
const COUNTERS: [&str; 1] = ["energy_kwh"];
/// The field that says how many readings an average stands for.
const COUNT_FIELD: &str = "n";
/// The most sensors with an open window: a source that invents names must not fill memory.
const OPEN_MAX: usize = 1024;
/// A window to which nothing was added for so long is closed, so that the last reading before a pause is not held back.
const IDLE: Duration = Duration::from_secs(DECISION_WIDTH_S as u64);

/// Folds readings into one average per sensor and window of five seconds.
///
/// A window closes when a reading of another window of its sensor comes, earlier or later, so that each reading is in
/// exactly one average.
#[derive(Debug, Default)]
pub(crate) struct Averager {
    open: BTreeMap<String, Window>,
}

#[derive(Debug)]
struct Window {
    start: Wall,
    /// Where the source has the first reading of the window.
    first_row: Place,
    touched: Monotonic,
    count: u32,
    fields: Vec<(String, Fold)>,
}

#[derive(Debug)]
enum Fold {
    Mean { sum: f64, count: u32 },
    Last(f64),
    Flag(bool),
    Text(String),
}

impl Averager {
    /// Adds a reading whose row begins at `row`. The averages that this closes go to `out`.
    pub(crate) fn add(
        &mut self,
        reading: ReadingRef<'_>,
        row: Place,
        now: Monotonic,
        out: &mut Readings,
    ) -> Result<(), ReadingError> {
        let start = window_start(reading.ts(), DECISION_WIDTH_S);
        let sensor = reading.sensor();
        if self.open.get(sensor).is_some_and(|window| window.start != start || !window.has_room_for(reading)) {
            self.close(sensor, out)?;
        }
        if let Some(window) = self.open.get_mut(sensor) {
            window.add(reading, now);
            return Ok(());
        }
        if self.open.len() >= OPEN_MAX {
            self.close_longest_idle(out)?;
        }
        let mut window = Window { start, first_row: row, touched: now, count: 0, fields: Vec::new() };
        window.add(reading, now);
        self.open.insert(sensor.to_owned(), window);
        Ok(())
    }

    /// Closes what nothing was added to for as long as a window lasts.
    pub(crate) fn close_idle(&mut self, now: Monotonic, out: &mut Readings) -> Result<(), ReadingError> {
        let idle = |window: &Window| now.since(window.touched) >= IDLE;
        let sensors: Vec<String> = self.open.iter().filter(|(_, w)| idle(w)).map(|(s, _)| s.clone()).collect();
        sensors.iter().try_for_each(|sensor| self.close(sensor, out))
    }

    /// When [`Averager::close_idle`] has something to close, if nothing is added before.
    pub(crate) fn idle_at(&self) -> Option<Monotonic> {
        self.open.values().map(|window| window.touched + IDLE).min()
    }

    /// Closes all windows.
    pub(crate) fn close_all(&mut self, out: &mut Readings) -> Result<(), ReadingError> {
        while let Some((sensor, window)) = self.open.pop_first() {
            window.write(&sensor, out)?;
        }
        Ok(())
    }

    /// Where the source has the oldest reading that is still in an open window.
    pub(crate) fn first_row(&self) -> Option<Place> {
        self.open.values().map(|window| window.first_row).min()
    }

    fn close_longest_idle(&mut self, out: &mut Readings) -> Result<(), ReadingError> {
        let longest = self.open.iter().min_by_key(|(_, window)| window.touched).map(|(sensor, _)| sensor.clone());
        longest.map_or(Ok(()), |sensor| self.close(&sensor, out))
    }

    fn close(&mut self, sensor: &str, out: &mut Readings) -> Result<(), ReadingError> {
        self.open.remove(sensor).map_or(Ok(()), |window| window.write(sensor, out))
    }
}

impl Window {
    /// False when the reading brings fields that no longer fit beside the count.
    fn has_room_for(&self, reading: ReadingRef<'_>) -> bool {
        let new = reading.fields().filter(|(name, _)| !self.fields.iter().any(|(known, _)| known == name)).count();
        self.fields.len() + new < FIELDS_MAX
    }

    fn add(&mut self, reading: ReadingRef<'_>, now: Monotonic) {
        self.count = self.count.saturating_add(1);
        self.touched = now;
        for (index, (name, value)) in reading.fields().enumerate() {
            // Rows of a source have their fields in the same order, so that the first guess is nearly always right.
            let guess = self.fields.get(index).is_some_and(|(known, _)| known == name).then_some(index);
            let place = guess.or_else(|| self.fields.iter().position(|(known, _)| known == name));
            match place.and_then(|place| self.fields.get_mut(place)) {
                Some((_, fold)) => fold.add(name, value),
                None => self.fields.push((name.to_owned(), Fold::new(name, value))),
            }
        }
    }

    fn write(&self, sensor: &str, out: &mut Readings) -> Result<(), ReadingError> {
        let own = self.fields.iter().filter(|(name, _)| name != COUNT_FIELD);
        let mut fields: Vec<(&str, Value<'_>)> = own.map(|(name, fold)| (name.as_str(), fold.value())).collect();
        if fields.len() < FIELDS_MAX {
            fields.push((COUNT_FIELD, Value::Number(f64::from(self.count))));
        }
        out.push(self.start, sensor, AVERAGED_KIND, &fields)
    }
}

impl Fold {
    fn new(name: &str, value: Value<'_>) -> Self {
        match value {
            Value::Number(number) if COUNTERS.contains(&name) => Self::Last(number),
            Value::Number(sum) => Self::Mean { sum, count: 1 },
            Value::Flag(flag) => Self::Flag(flag),
            Value::Text(text) => Self::Text(text.to_owned()),
        }
    }

    fn add(&mut self, name: &str, value: Value<'_>) {
        match (&mut *self, value) {
            // Two huge numbers may have no finite sum: the later one stands then.
            (Self::Mean { sum, count }, Value::Number(number)) if (*sum + number).is_finite() => {
                *sum += number;
                *count = count.saturating_add(1);
            }
            _ => *self = Self::new(name, value),
        }
    }

    fn value(&self) -> Value<'_> {
        match self {
            Self::Mean { sum, count } => Value::Number(sum / f64::from(*count)),
            Self::Last(number) => Value::Number(*number),
            Self::Flag(flag) => Value::Flag(*flag),
            Self::Text(text) => Value::Text(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn push(readings: &mut Readings, sensor: &str, ts_us: i64, power: f64) {
        let fields = [("power_w", Value::Number(power)), ("energy_kwh", Value::Number(power * 2.0))];
        readings.push(Wall::from_us(ts_us), sensor, AVERAGED_KIND, &fields).unwrap();
    }

    fn average(readings: &Readings) -> Readings {
        let (mut averager, mut out) = (Averager::default(), Readings::new());
        for reading in readings.iter() {
            averager.add(reading, Place::START, Monotonic::ZERO, &mut out).unwrap();
        }
        averager.close_all(&mut out).unwrap();
        out
    }

    #[test]
    fn a_window_has_the_mean_the_last_counter_and_the_count() {
        let mut raw = Readings::new();
        for (ts, power) in [(10_000_000, 1.0), (12_000_000, 2.0), (14_999_999, 6.0), (15_000_000, 9.0)] {
            push(&mut raw, "meter", ts, power);
        }
        let out = average(&raw);
        let (first, second) = (out.get(0).unwrap(), out.get(1).unwrap());
        assert_eq!((out.len(), first.ts().us(), second.ts().us()), (2, 10_000_000, 15_000_000));
        assert_eq!(
            (first.number("power_w"), first.number("energy_kwh"), first.number("n")),
            (Some(3.0), Some(12.0), Some(3.0))
        );
        assert_eq!((second.number("power_w"), second.number("n")), (Some(9.0), Some(1.0)));
        assert_eq!((first.sensor(), first.kind()), ("meter", "power"));
    }

    #[test]
    fn a_pause_closes_the_window() {
        let (mut averager, mut raw, mut out) = (Averager::default(), Readings::new(), Readings::new());
        push(&mut raw, "meter", 10_000_000, 1.0);
        let place = Place { byte: 70, line: 7 };
        averager.add(raw.get(0).unwrap(), place, Monotonic::from_us(100), &mut out).unwrap();
        assert_eq!((averager.first_row(), averager.idle_at()), (Some(place), Some(Monotonic::from_us(5_000_100))));
        averager.close_idle(Monotonic::from_us(5_000_099), &mut out).unwrap();
        assert!(out.is_empty());
        averager.close_idle(Monotonic::from_us(5_000_100), &mut out).unwrap();
        assert_eq!((out.len(), averager.first_row()), (1, None));
    }

    #[test]
    fn many_sensors_and_many_fields_stay_bounded_and_lose_nothing() {
        let mut raw = Readings::new();
        for sensor in 0..3000 {
            push(&mut raw, &format!("m{sensor}"), 10_000_000, 1.0);
        }
        for field in 0..100 {
            raw.push(Wall::from_us(10_000_000), "wide", "power", &[(&format!("f{field}"), Value::Number(1.0))])
                .unwrap();
        }
        let names: Vec<String> = (0..FIELDS_MAX).map(|n| format!("g{n}")).collect();
        let full: Vec<(&str, Value<'_>)> = names.iter().map(|name| (name.as_str(), Value::Number(1.0))).collect();
        raw.push(Wall::from_us(10_000_000), "full", "power", &full).unwrap();
        let out = average(&raw);
        assert_eq!(out.iter().filter(|r| r.sensor().starts_with('m')).count(), 3000);
        let wide: f64 = out.iter().filter(|r| r.sensor() == "wide").filter_map(|r| r.number("n")).sum();
        assert_eq!(wide, 100.0);
        assert_eq!(out.iter().find(|r| r.sensor() == "full").unwrap().fields().count(), FIELDS_MAX);
    }

    proptest! {
        #[test]
        fn every_reading_is_in_exactly_one_average(
            rows in prop::collection::vec((0_u8..3, 0_i64..60_000_000, -1_000_000_i32..1_000_000), 0..200),
        ) {
            let mut raw = Readings::new();
            for (sensor, ts, milliwatt) in &rows {
                push(&mut raw, &format!("m{sensor}"), *ts, f64::from(*milliwatt) / 1000.0);
            }
            let out = average(&raw);
            for sensor in 0_u8..3 {
                for start in (0..60_000_000).step_by(5_000_000) {
                    let inside = |s: u8, ts: i64| s == sensor && (start..start + 5_000_000).contains(&ts);
                    let expected: Vec<i64> = rows.iter().filter(|r| inside(r.0, r.1)).map(|r| i64::from(r.2)).collect();
                    let name = format!("m{sensor}");
                    let averages = out.iter().filter(|r| r.sensor() == name && r.ts().us() == start);
                    let (mut count, mut sum) = (0.0, 0.0);
                    for reading in averages {
                        let n = reading.number("n").unwrap();
                        count += n;
                        sum += reading.number("power_w").unwrap() * 1000.0 * n;
                    }
                    prop_assert_eq!(count, expected.len() as f64);
                    prop_assert_eq!(sum.round(), expected.iter().sum::<i64>() as f64);
                }
            }
        }
    }
}
