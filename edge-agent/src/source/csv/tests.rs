//! A replay as a whole: every row once, at its time, whenever it is killed.

use super::*;
use fogline_protocol::time::{Monotonic, Wall};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const START_MS: i64 = 1_577_145_601_420;

fn now(us: u64) -> Now {
    Now { mono: Monotonic::from_us(us), wall: Wall::from_us(1_700_000_000_000_000 + i64::try_from(us).unwrap()) }
}

fn config(path: PathBuf, raw: bool) -> CsvConfig {
    CsvConfig {
        path,
        layout: LayoutConfig::Household,
        sensor: "meter".to_owned(),
        pace: Pace::Max,
        times: Times::Original,
        raw,
        from_start: false,
    }
}

/// A file as the meters write it: a row every two seconds.
fn household(rows: u32) -> String {
    let mut text = format!("household\n{HOUSEHOLD_HEADER}\n");
    for row in 0..rows {
        let ms = START_MS + 2000 * i64::from(row);
        writeln!(
            text,
            "2019-12-24 00:00:01,{ms},{},{},35740,5530,1120",
            50_670_127_287_000 + u64::from(row),
            42_390 + row
        )
        .unwrap();
    }
    text
}

fn write(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meter.csv");
    std::fs::write(&path, text).unwrap();
    (folder, path)
}

/// Takes offers until `most` of them were accepted; gives what was accepted, and the position then.
fn accept(config: &CsvConfig, saved: Option<String>, most: usize) -> (Vec<Readings>, Option<String>, bool) {
    let mut source = CsvSource::open(config.clone(), saved.as_deref()).unwrap();
    let (mut accepted, mut position) = (Vec::new(), saved);
    while accepted.len() < most {
        match source.step(now(0)).unwrap() {
            Step::Offer(offer) => {
                accepted.push(offer.readings);
                position = offer.position.map(|position| position.position);
            }
            Step::Wait(_) => {}
            Step::End => return (accepted, position, true),
        }
    }
    (accepted, position, false)
}

fn flat(offers: &[Readings]) -> Readings {
    let mut all = Readings::new();
    offers.iter().flat_map(Readings::iter).for_each(|reading| all.push_copy(reading).unwrap());
    all
}

/// Plays the file in one piece.
fn whole(config: &CsvConfig) -> Readings {
    flat(&accept(config, None, usize::MAX).0)
}

/// Plays the file with a kill after each accepted offer; the offer that was made but not accepted is lost.
fn with_kills(config: &CsvConfig) -> (Readings, usize) {
    let (mut all, mut saved, mut runs) = (Vec::new(), None, 0);
    loop {
        let (accepted, position, ended) = accept(config, saved, 1);
        all.extend(accepted);
        saved = position;
        runs += 1;
        if ended {
            return (flat(&all), runs);
        }
    }
}

/// Replays hold equal texts at other places in memory: compared by what they say.
fn json(readings: &Readings) -> Vec<u8> {
    let mut out = Vec::new();
    for reading in readings.iter() {
        reading.write_json(&mut out);
        out.push(b'\n');
    }
    out
}

#[test]
fn every_row_is_read_once_with_its_own_time() {
    let (_folder, path) = write(household(5000).as_bytes());
    let readings = whole(&config(path, true));
    assert_eq!(readings.len(), 5000);
    for (row, reading) in (0_u32..).zip(readings.iter()) {
        assert_eq!(reading.ts().us(), (START_MS + 2000 * i64::from(row)) * 1000);
        assert_eq!((reading.number("power_w").unwrap() * 1000.0).round(), f64::from(42_390 + row));
    }
}

#[test]
fn a_killed_replay_goes_on_without_loss_or_repetition() {
    for raw in [true, false] {
        let (_folder, path) = write(household(5000).as_bytes());
        let config = config(path, raw);
        let (killed, runs) = with_kills(&config);
        assert!(runs > 3, "only {runs} runs");
        assert_eq!(json(&killed), json(&whole(&config)), "raw {raw}");
    }
}

#[test]
fn averages_hold_every_row_once_and_end_with_the_file() {
    let (_folder, path) = write(household(5000).as_bytes());
    let readings = whole(&config(path, false));
    let counted: f64 = readings.iter().map(|reading| reading.number("n").unwrap()).sum();
    let power: f64 = readings.iter().map(|r| r.number("n").unwrap() * r.number("power_w").unwrap() * 1000.0).sum();
    assert_eq!((counted, power.round()), (5000.0, (0..5000).map(|row| 42_390.0 + f64::from(row)).sum::<f64>()));
    assert!(readings.iter().all(|reading| reading.ts().us() % 5_000_000 == 0));
    assert_eq!(readings.get(readings.len() - 1).unwrap().number("energy_kwh"), Some(5_067.012_729_199_9));
}

#[test]
fn lines_that_are_no_rows_are_counted_and_cost_nothing_else() {
    let mut text = household(10).into_bytes();
    for bad in
        [&b"\xff\xfe\x00"[..], b"a,b", b"d,NaN,1,2,3,4,5", b"d,1577145701420,1,inf,3,4,5", b"\"", &[b'x'; 70_000]]
    {
        text.extend_from_slice(bad);
        text.push(b'\n');
    }
    text.extend_from_slice(b"\n2019,1577145701420,1,2,3,4,5");
    let (_folder, path) = write(&text);
    let mut source = CsvSource::open(config(path, true), None).unwrap();
    let Step::Offer(offer) = source.step(now(0)).unwrap() else {
        let Step::Offer(offer) = source.step(now(0)).unwrap() else { panic!("no offer") };
        assert_eq!((offer.readings.len(), source.skipped()), (11, 6));
        return;
    };
    assert_eq!((offer.readings.len(), source.skipped()), (11, 6));
}

#[test]
fn a_file_that_grows_goes_on_and_another_file_begins_anew() {
    let (_folder, path) = write(household(100).as_bytes());
    let config = config(path.clone(), true);
    let (first, saved, _) = accept(&config, None, usize::MAX);
    std::fs::write(&path, household(130)).unwrap();
    let (more, saved_more, _) = accept(&config, saved.clone(), usize::MAX);
    assert_eq!((flat(&first).len(), flat(&more).len()), (100, 30));

    std::fs::write(&path, household(100)).unwrap();
    let error = CsvSource::open(config.clone(), saved_more.as_deref()).unwrap_err();
    assert!(error.to_string().contains("from_start"), "{error}");
    let again = CsvConfig { from_start: true, ..config.clone() };
    assert_eq!(flat(&accept(&again, saved_more, usize::MAX).0).len(), 100);

    std::fs::write(&path, household(100).replace("household", "another")).unwrap();
    assert_eq!(flat(&accept(&config, saved, usize::MAX).0).len(), 100);
    assert!(CsvSource::open(config, Some("nonsense")).is_err());
}

#[test]
fn a_file_of_another_form_is_refused_with_the_fix() {
    let (_folder, path) = write(b"a,b\n1,2\n");
    let error = CsvSource::open(config(path.clone(), true), None).unwrap_err().to_string();
    assert!(error.contains("time_column"), "{error}");
    let folder = path.parent().unwrap().to_owned();
    assert!(matches!(CsvSource::open(config(folder.join("missing.csv"), true), None), Err(SourceError::File { .. })));
    assert!(matches!(
        CsvSource::open(config(folder, true), None),
        Err(SourceError::Format { .. } | SourceError::File { .. })
    ));
}

#[test]
fn rows_wait_for_their_time_at_any_pace() {
    let (_folder, path) = write(household(4).as_bytes());
    let config = CsvConfig { pace: Pace::Times(2.0), times: Times::Played, ..config(path, true) };
    let mut source = CsvSource::open(config, None).unwrap();
    let mut played = BTreeMap::new();
    let mut at_us = 1000;
    loop {
        match source.step(now(at_us)).unwrap() {
            Step::Offer(offer) => offer.readings.iter().for_each(|reading| {
                played.insert(reading.ts().us() - 1_700_000_000_000_000, at_us);
            }),
            Step::Wait(until) => at_us = at_us.max(until.us()),
            Step::End => break,
        }
    }
    let expected = [1000, 1_001_000, 2_001_000, 3_001_000].map(|us| (us, u64::try_from(us).unwrap()));
    assert_eq!(played.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_row_that_waits_is_not_part_of_the_position() {
    let (_folder, path) = write(household(4).as_bytes());
    let config = CsvConfig { pace: Pace::Times(1.0), ..config(path, true) };
    let mut source = CsvSource::open(config.clone(), None).unwrap();
    let Step::Offer(offer) = source.step(now(0)).unwrap() else { panic!("no offer") };
    assert_eq!(offer.readings.len(), 1);
    drop(source);
    let again = CsvConfig { pace: Pace::Max, ..config };
    let (rest, ..) = accept(&again, offer.position.map(|position| position.position), usize::MAX);
    assert_eq!(flat(&rest).len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn kills_never_matter_whatever_the_file_holds(
        rows in prop::collection::vec((0_i64..40_000, any::<u16>(), prop::bool::weighted(0.1)), 0..1500),
        raw in any::<bool>(),
    ) {
        let mut text = household(0);
        for (ms, power, broken) in &rows {
            if *broken {
                text.push_str("broken\n");
            }
            writeln!(text, "d,{},1,{power},1,2,3", START_MS + ms).unwrap();
        }
        let (_folder, path) = write(text.as_bytes());
        let config = config(path, raw);
        let all = whole(&config);
        prop_assert_eq!(json(&with_kills(&config).0), json(&all));
        let counted: f64 = all.iter().map(|r| r.number("n").unwrap_or(1.0)).sum();
        prop_assert_eq!(counted, rows.len() as f64);
    }
}
