//! What the stage does to readings, and what the operator changes of it.

use super::*;
use crate::tuning::Tunings;
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::time::Wall;
use proptest::prelude::*;
use std::collections::VecDeque;

/// Gives what a test has laid down.
struct Script(VecDeque<Step>);

impl Source for Script {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        Ok(self.0.pop_front().unwrap_or(Step::Wait(now.mono)))
    }

    fn skipped(&self) -> u64 {
        0
    }
}

const fn now(seconds: u64) -> Now {
    Now { mono: Monotonic::from_us(seconds * 1_000_000), wall: Wall::MIN }
}

fn reading(second: i64, field: &str, value: f64) -> Readings {
    let mut readings = Readings::new();
    readings.push(Wall::from_us(second * 1_000_000), "s", "k", &[(field, Value::Number(value))]).unwrap();
    readings
}

/// What a stage makes of values of a second each, as (second, value, n).
fn run(config: ShapeConfig, values: &[f64]) -> Vec<(i64, f64, Option<f64>)> {
    let mut stage = Stage::new(config);
    let mut out = Vec::new();
    for (second, value) in (0_i64..).zip(values) {
        stage.add(reading(second, "air_c", *value).get(0).unwrap(), now(second.cast_unsigned()).mono);
        stage.flush_due(now(second.cast_unsigned()).mono);
        out.push(stage.take());
    }
    stage.flush_all();
    out.push(stage.take());
    let rows = out.iter().flat_map(Readings::iter);
    rows.map(|r| (r.ts().us() / 1_000_000, r.number("air_c").unwrap(), r.number("n"))).collect()
}

fn shape(line: Linear) -> FieldShape {
    FieldShape { line, deadband: None, aggregates: Vec::new() }
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn scaling_sampling_windows_and_deadbands_follow_each_other() {
    let scaled = ShapeConfig::default().with_field("air_c", shape(Linear { scale: 0.1, offset: 5.0 }));
    assert_eq!(run(scaled.clone(), &[10.0]), [(0, 6.0, None)]);
    let sampled = ShapeConfig { every: seconds(2), ..ShapeConfig::default() };
    assert_eq!(run(sampled, &[1.0, 2.0, 3.0, 4.0, 5.0]), [(0, 1.0, None), (2, 3.0, None), (4, 5.0, None)]);
    let windows = ShapeConfig { window: seconds(2), ..ShapeConfig::default() };
    assert_eq!(run(windows, &[1.0, 2.0, 3.0]), [(0, 1.5, Some(2.0)), (2, 3.0, Some(1.0))]);
    let both = ShapeConfig { window: seconds(4), every: seconds(2), ..scaled };
    assert_eq!(run(both, &[10.0, 0.0, 30.0, 0.0, 50.0]), [(0, 7.0, Some(2.0)), (4, 10.0, Some(1.0))]);
}

#[test]
fn what_does_not_move_is_withheld_until_silence_would_be_taken_for_death() {
    let band = |deadband| ShapeConfig {
        deadband: Some(deadband),
        max_silence: Duration::from_secs(5),
        ..ShapeConfig::default()
    };
    let absolute = run(band(Deadband::Absolute(1.0)), &[10.0, 10.5, 9.5, 11.0, 11.0, 11.0, 11.0, 11.0, 11.2]);
    assert_eq!(absolute, [(0, 10.0, None), (3, 11.0, None), (8, 11.2, None)]);
    let percent = run(band(Deadband::Percent(10.0)), &[10.0, 10.9, 11.0, 12.0, 0.0, 0.0]);
    assert_eq!(percent, [(0, 10.0, None), (2, 11.0, None), (4, 0.0, None)]);
    // Nothing comes any more, and the last word was withheld: it goes when the silence is too long.
    let mut stage = Stage::new(band(Deadband::Absolute(1.0)));
    stage.add(reading(0, "air_c", 1.0).get(0).unwrap(), now(0).mono);
    stage.add(reading(1, "air_c", 1.5).get(0).unwrap(), now(1).mono);
    assert_eq!((stage.take().len(), stage.due_at()), (1, Some(now(5).mono)));
    stage.flush_due(now(4).mono);
    assert!(stage.is_empty());
    stage.flush_due(now(5).mono);
    assert_eq!((stage.take().get(0).unwrap().number("air_c"), stage.due_at()), (Some(1.5), None));
}

#[test]
fn windows_have_what_was_asked_for() {
    let field =
        FieldShape { aggregates: vec![Aggregate::Max, Aggregate::Min, Aggregate::Count], ..shape(Linear::IDENTITY) };
    let config = ShapeConfig { window: seconds(10), ..ShapeConfig::default() }.with_field("air_c", field);
    let mut stage = Stage::new(config);
    for (second, value) in [(0, 3.0), (1, 1.0), (2, 2.0)] {
        let mut readings = reading(second, "air_c", value);
        let fields =
            [("energy_kwh", Value::Number(value)), ("air_c", Value::Number(value)), ("on", Value::Flag(second == 2))];
        readings.clear();
        readings.push(Wall::from_us(second * 1_000_000), "s", "k", &fields).unwrap();
        stage.add(readings.get(0).unwrap(), now(0).mono);
    }
    stage.flush_due(now(9).mono);
    assert!(stage.is_empty());
    stage.flush_due(now(10).mono);
    let out = stage.take();
    let mut text = Vec::new();
    out.get(0).unwrap().write_fields_json(&mut text);
    let expected = r#"{"energy_kwh":2.0,"air_c":3.0,"min_air_c":1.0,"count_air_c":3.0,"on":true,"n":3.0}"#;
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

#[test]
fn the_operator_changes_sampling_and_windows_of_a_running_source() {
    let tunings = Tunings::new();
    let offers = |from: i64, to: i64| {
        (from..to).map(|second| Step::Offer(Offer { readings: reading(second, "a", 1.0), ..Offer::default() }))
    };
    let script = Script(offers(0, 4).chain(offers(4, 8)).chain(offers(8, 12)).collect());
    let mut shaped = Shaped::new(Box::new(script), ShapeConfig::default(), false, tunings.reader("one"));
    let taken = |count: u64, shaped: &mut Shaped| {
        let mut times = Vec::new();
        for second in 0..count {
            if let Step::Offer(offer) = shaped.step(now(second)).unwrap() {
                times.extend(offer.readings.iter().map(|r| (r.ts().us() / 1_000_000, r.number("n"))));
            }
        }
        times
    };
    assert_eq!(taken(4, &mut shaped), [(0, None), (1, None), (2, None), (3, None)]);
    tunings.set(None, Tuning { sampling: seconds(2), window: None });
    assert_eq!(taken(4, &mut shaped), [(4, None), (6, None)]);
    tunings.set(Some("one"), Tuning { sampling: Some(Duration::ZERO), window: seconds(2) });
    assert_eq!(taken(4, &mut shaped), [(8, Some(2.0))]);
    // The window that is open is closed by the rules under which it was opened.
    tunings.set(Some("one"), Tuning { sampling: None, window: Some(Duration::ZERO) });
    assert_eq!(taken(1, &mut shaped), [(10, Some(2.0))]);
}

#[test]
fn whoever_waits_for_a_reading_that_is_withheld_is_told_at_once() {
    let (receipt, mut committed) = crate::source::Receipt::new();
    let offer = Offer { readings: reading(0, "a", 1.0), receipts: vec![receipt], position: None };
    let config = ShapeConfig { window: seconds(60), ..ShapeConfig::default() };
    let mut shaped =
        Shaped::new(Box::new(Script([Step::Offer(offer)].into())), config, false, Tunings::new().reader("one"));
    assert_eq!(shaped.step(now(0)).unwrap(), Step::Wait(now(0).mono));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(runtime.block_on(committed.wait()));
}

#[test]
fn a_polled_source_is_asked_earlier_when_it_is_tuned() {
    let tunings = Tunings::new();
    let script = Script(
        [Step::Wait(now(3600).mono), Step::Offer(Offer { readings: reading(0, "a", 1.0), ..Offer::default() })].into(),
    );
    let mut shaped = Shaped::new(Box::new(script), ShapeConfig::default(), true, tunings.reader("one"));
    assert!(matches!(shaped.step(now(0)).unwrap(), Step::Wait(until) if until <= now(1).mono));
    assert!(matches!(shaped.step(now(1)).unwrap(), Step::Wait(_)));
    tunings.set(None, Tuning { sampling: seconds(1), window: None });
    assert!(matches!(shaped.step(now(2)).unwrap(), Step::Offer(_)));
}

#[test]
fn many_sensors_stay_bounded_and_lose_nothing() {
    let mut stage = Stage::new(ShapeConfig { window: seconds(60), ..ShapeConfig::default() });
    for sensor in 0..3 * SENSORS_MAX {
        let mut readings = Readings::new();
        readings.push(Wall::MIN, &format!("s{sensor}"), "k", &[("a", Value::Number(1.0))]).unwrap();
        stage.add(readings.get(0).unwrap(), now(0).mono);
    }
    assert_eq!(stage.take().len(), 2 * SENSORS_MAX);
    stage.flush_all();
    assert_eq!(stage.take().len(), SENSORS_MAX);
}

#[test]
fn a_source_that_ends_leaves_no_open_window() {
    let script = Script([Step::Offer(Offer { readings: reading(0, "a", 1.0), ..Offer::default() }), Step::End].into());
    let config = ShapeConfig { window: seconds(60), ..ShapeConfig::default() };
    let mut shaped = Shaped::new(Box::new(script), config, false, Tunings::new().reader("one"));
    let steps: Vec<Step> = (0..5).map(|_| shaped.step(now(0)).unwrap()).collect();
    let readings: usize =
        steps.iter().map(|step| if let Step::Offer(offer) = step { offer.readings.len() } else { 0 }).sum();
    assert_eq!((readings, steps.last()), (1, Some(&Step::End)));
}

proptest! {
    #[test]
    fn every_reading_is_in_exactly_one_window(values in prop::collection::vec(-1000_i32..1000, 0..100), width in 1_u64..20) {
        let numbers: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
        let rows = run(ShapeConfig { window: seconds(width), ..ShapeConfig::default() }, &numbers);
        let count: f64 = rows.iter().filter_map(|row| row.2).sum();
        let sum: f64 = rows.iter().map(|row| row.1 * row.2.unwrap_or_default()).sum();
        prop_assert_eq!(count, numbers.len() as f64);
        prop_assert!((sum - numbers.iter().sum::<f64>()).abs() < 1e-6);
    }
}
