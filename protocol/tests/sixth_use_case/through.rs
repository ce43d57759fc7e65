//! From the simulator to a decision, through what everybody can call.

use crate::usecase::tide::Tide;
use fogline_protocol::reading::{Readings, Value, parse_reading};
use fogline_protocol::rng::Rng;
use fogline_protocol::time::Wall;
use fogline_protocol::topic::Down;
use fogline_protocol::usecase::{Averages, LimitRule, REGISTRY, UseCase, find, is_outlier};
use fogline_protocol::window::{Aggregate, DECISION_WIDTH_S, window_start};
use fogline_protocol::wire::TTL_MAX_MS;
use std::collections::BTreeSet;

/// A reading every 100 ms: some windows.
const READINGS: i64 = 1000;
/// 2024-06-01T00:00:00Z.
const BEGIN_US: i64 = 1_717_200_000_000_000;

fn simulated(usecase: &dyn UseCase) -> Readings {
    let (mut readings, mut rng) = (Readings::new(), Rng::new(7));
    for n in 0..READINGS {
        usecase.simulate("sensor-1", Wall::from_us(BEGIN_US + n * 100_000), &mut rng, &mut readings);
    }
    readings
}

/// Whoever has done the exercise has it in the registry.
fn all() -> impl Iterator<Item = &'static dyn UseCase> {
    let exercise = find("tide").is_none().then_some(&Tide as &dyn UseCase);
    REGISTRY.into_iter().chain(exercise)
}

#[test]
fn each_has_a_name_and_fields_of_its_own() {
    let kinds: BTreeSet<&str> = all().map(UseCase::kind).collect();
    assert_eq!(kinds.len(), all().count());
    for usecase in all() {
        let names: BTreeSet<&str> = usecase.fields().iter().map(|field| field.name).collect();
        assert_eq!(names.len(), usecase.fields().len(), "{usecase:?}");
        assert!(usecase.fields().iter().all(|field| !field.unit.is_empty() && field.min < field.max), "{usecase:?}");
    }
}

#[test]
fn each_simulates_one_reading_a_call_that_can_be_sent() {
    for usecase in all() {
        let readings = simulated(usecase);
        assert_eq!(i64::try_from(readings.len()), Ok(READINGS), "{usecase:?}");
        for reading in readings.iter() {
            assert_eq!((reading.kind(), reading.sensor()), (usecase.kind(), "sensor-1"));
            let mut json = Vec::new();
            reading.write_json(&mut json);
            let mut read = Readings::new();
            parse_reading(&json, &mut read).unwrap();
            assert_eq!(read.get(0).unwrap().fields().count(), reading.fields().count(), "{usecase:?}");
        }
        let averaged = usecase.fields().iter().find(|field| field.averaged).expect("something is averaged");
        let admitted = readings.iter().filter_map(|reading| reading.number(averaged.name));
        assert!(admitted.filter(|value| averaged.admits(*value)).count() > 900, "{usecase:?}");
    }
}

#[test]
fn each_that_decides_does_so_from_an_average_over_a_register_that_agents_hear() {
    for usecase in all() {
        let Some(steering) = usecase.steering() else { continue };
        let field =
            usecase.fields().iter().find(|field| field.name == steering.field).expect("it is one of its fields");
        assert!(field.averaged, "{steering:?}");
        assert!(Down::of_key(steering.key).is_some(), "limit, or one below notice/: {steering:?}");

        let mut region = Aggregate::default();
        let readings = simulated(usecase);
        readings.iter().filter_map(|reading| reading.number(field.name)).for_each(|value| region.add(value));
        let window = window_start(readings.get(0).unwrap().ts(), DECISION_WIDTH_S);
        let averages = Averages { window, region, agent: None };
        let first = usecase.decide(&averages, None, &LimitRule::default()).expect("there are values");
        assert!((1..=TTL_MAX_MS).contains(&first.ttl_ms), "{first:?}");
        let second = usecase.decide(&averages, Some(&first.body), &LimitRule::default()).unwrap();
        assert_eq!(second, first, "the same averages, the same decision");
        let nothing = Averages { region: Aggregate::default(), ..averages };
        assert_eq!(usecase.decide(&nothing, None, &LimitRule::default()), None, "nothing follows from nothing");
    }
}

#[test]
fn a_broken_gauge_is_known_by_its_range() {
    let mut readings = Readings::new();
    for (level, temperature) in [(5.0, 8.0), (99.9, 8.0), (5.0, -40.0)] {
        let fields = [("level_m", Value::Number(level)), ("temperature_c", Value::Number(temperature))];
        readings.push(Wall::from_us(BEGIN_US), "pier", "tide", &fields).unwrap();
    }
    let outlier = |reading: fogline_protocol::reading::ReadingRef<'_>| {
        Tide.fields().iter().any(|field| reading.number(field.name).is_some_and(|value| !field.admits(value)))
    };
    assert_eq!(readings.iter().map(outlier).collect::<Vec<_>>(), [false, true, true]);
    // Only what is in the registry is marked.
    let marked = readings.iter().filter(|reading| is_outlier(*reading)).count();
    assert_eq!(marked, if find("tide").is_some() { 2 } else { 0 });
}
