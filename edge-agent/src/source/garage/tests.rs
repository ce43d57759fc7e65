//! Garages as a whole: bounded, and with the same cars after a start.

use super::*;
use std::collections::BTreeMap;

fn config() -> GarageConfig {
    GarageConfig {
        garages: 3,
        sensor: "garage".to_owned(),
        capacity: 20,
        tariff_cents: 250,
        pace: 3600.0,
        from: None,
        seed: 7,
        from_start: false,
    }
}

fn now(us: u64) -> Now {
    Now { mono: Monotonic::from_us(us), wall: Wall::from_us(1_700_000_000_000_000 + i64::try_from(us).unwrap()) }
}

/// Plays for so long: the readings, and the position after each offer.
fn play(source: &mut GarageSource, from_us: u64, until_us: u64) -> (Readings, Vec<String>) {
    let (mut all, mut positions, mut us) = (Readings::new(), Vec::new(), from_us);
    while us < until_us {
        match source.step(now(us)).unwrap() {
            Step::Offer(offer) => {
                offer.readings.iter().for_each(|reading| all.push_copy(reading).unwrap());
                positions.push(offer.position.unwrap().position);
            }
            Step::Wait(until) => us = until.us().max(us),
            Step::End => panic!("garages never close"),
        }
    }
    (all, positions)
}

fn text<'a>(reading: fogline_protocol::reading::ReadingRef<'a>, field: &str) -> &'a str {
    let found = reading.fields().find(|(name, _)| *name == field);
    let Some((_, Value::Text(text))) = found else { panic!("no {field}") };
    text
}

/// Sensor, event and plate of each.
fn told(readings: &Readings) -> Vec<(String, String, String)> {
    let told = |reading| (text(reading, "event").to_owned(), text(reading, "plate").to_owned());
    readings.iter().map(|r| (r.sensor().to_owned(), told(r).0, told(r).1)).collect()
}

#[test]
fn who_leaves_was_inside_and_nobody_is_inside_twice() {
    let (all, _) = play(&mut GarageSource::new(config(), None).unwrap(), 0, 60_000_000);
    assert!(all.len() > 1500, "{}", all.len());
    let mut inside: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut fullest = 0;
    for reading in all.iter() {
        let (event, plate) = (text(reading, "event"), text(reading, "plate").to_owned());
        assert!(inside.values().flatten().filter(|known| **known == plate).count() == usize::from(event == "exit"));
        let cars = inside.entry(reading.sensor().to_owned()).or_default();
        if event == "entry" {
            cars.push(plate);
        } else {
            let place = cars.iter().position(|known| *known == plate).expect("it was inside");
            cars.remove(place);
        }
        assert_eq!(reading.number("occupied"), Some(cars.len() as f64));
        assert_eq!(
            (reading.kind(), reading.number("capacity"), reading.number("tariff_cents_per_hour")),
            ("parking", Some(20.0), Some(250.0))
        );
        fullest = fullest.max(cars.len());
    }
    assert_eq!(inside.keys().collect::<Vec<_>>(), ["garage-1", "garage-2", "garage-3"]);
    assert!((12..=20).contains(&fullest), "{fullest}");
}

#[test]
fn the_same_cars_are_inside_after_a_start() {
    let (all, positions) = play(&mut GarageSource::new(config(), None).unwrap(), 0, 20_000_000);
    let whole = told(&all);
    for stop in [0, 7, positions.len() / 2] {
        let mut again = GarageSource::new(config(), Some(&positions[stop])).unwrap();
        let given = again.garages.iter().map(|(_, garage)| garage.events()).sum::<u64>();
        let given = usize::try_from(given).unwrap();
        // It goes on from its last event, whenever that is.
        let (rest, _) = play(&mut again, 500_000_000, 505_000_000);
        let rest = told(&rest);
        assert!(rest.len() > 50);
        assert_eq!(rest[..], whole[given..given + rest.len()]);
    }
}

#[test]
fn another_position_is_not_taken() {
    let (_, positions) = play(&mut GarageSource::new(config(), None).unwrap(), 0, 5_000_000);
    let saved = positions.last().unwrap();
    let inside = |config: GarageConfig| {
        let source = GarageSource::new(config, Some(saved)).unwrap();
        source.garages.iter().map(|(_, garage)| garage.occupied()).sum::<usize>()
    };
    assert!(inside(config()) > 0);
    assert_eq!(inside(GarageConfig { capacity: 21, ..config() }), 0);
    assert_eq!(inside(GarageConfig { seed: 8, ..config() }), 0);
    assert_eq!(inside(GarageConfig { garages: 2, ..config() }), 0);
    assert_eq!(inside(GarageConfig { from_start: true, ..config() }), 0);
    assert!(matches!(GarageSource::new(config(), Some("7")), Err(SourceError::Position { .. })));
}

#[test]
fn a_clock_that_begins_in_the_past_gives_its_times() {
    let from = Wall::from_us(1_577_145_600_000_000);
    let (all, _) =
        play(&mut GarageSource::new(GarageConfig { from: Some(from), ..config() }, None).unwrap(), 0, 5_000_000);
    let last = all.get(all.len() - 1).unwrap().ts();
    assert!((4.9..=5.0).contains(&(last.since(from).as_secs_f64() / 3600.0)), "five hours in five seconds");
    let (played, _) = play(&mut GarageSource::new(config(), None).unwrap(), 0, 5_000_000);
    assert_eq!(told(&played), told(&all));
    let last = played.get(played.len() - 1).unwrap().ts();
    assert!((4.9..=5.0).contains(&last.since(now(0).wall).as_secs_f64()));
}

#[test]
fn what_was_missed_comes_later_and_not_twice() {
    let mut source = GarageSource::new(config(), None).unwrap();
    let (before, _) = play(&mut source, 0, 2_000_000);
    let (after, _) = play(&mut source, 3_600_000_000, 3_602_000_000);
    assert!(after.len() < 2 * before.len() + 20, "{} and {}", before.len(), after.len());
    let (whole, _) = play(&mut GarageSource::new(config(), None).unwrap(), 0, 10_000_000);
    let both = [told(&before), told(&after)].concat();
    assert_eq!(both[..], told(&whole)[..both.len()]);
}
