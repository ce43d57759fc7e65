//! Households as a whole: every row once, whenever they are stopped, and the clock as it is told.

use super::super::csv::layout::HOUSEHOLD_HEADER;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tempfile::TempDir;

/// 2019-12-24T00:00:00Z.
const START_US: i64 = 1_577_145_600_000_000;

fn at(seconds: i64) -> Wall {
    Wall::from_us(START_US + seconds * 1_000_000)
}

fn now(us: u64) -> Now {
    Now { mono: Monotonic::from_us(us), wall: Wall::from_us(1_700_000_000_000_000 + i64::try_from(us).unwrap()) }
}

/// Files with so many rows each, one every two seconds; the power of a row is its number in W.
fn files(rows: &[i64]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |(file, rows): (usize, &i64)| {
        let mut text = format!("household\n{HOUSEHOLD_HEADER}\n");
        for row in 0..*rows {
            let ms = START_US / 1000 + row * 2000 + 420;
            writeln!(text, "d,{ms},{},{},0,0,0", 50_670_127_287_000 + row, (row + 1) * 1000).unwrap();
        }
        let path = folder.path().join(format!("{file}.csv"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let paths = rows.iter().enumerate().map(write).collect();
    (folder, paths)
}

fn config(files: Vec<PathBuf>, households: u32) -> HouseholdsConfig {
    HouseholdsConfig {
        files,
        households,
        sensor: "house".to_owned(),
        pace: Pace::Max,
        times: Times::Original,
        from: None,
        to: None,
        seed: 7,
        raw: false,
        from_start: false,
    }
}

/// Takes offers until `most` were accepted: those, the position then, and whether that was all.
fn accept(config: &HouseholdsConfig, saved: Option<String>, most: usize) -> (Vec<Readings>, Option<String>, bool) {
    let mut source = HouseholdsSource::open(config, saved.as_deref(), now(0).wall).unwrap();
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

fn whole(config: &HouseholdsConfig) -> Readings {
    flat(&accept(config, None, usize::MAX).0)
}

/// With a kill after every few offers; what was offered after the last accepted one is lost.
fn with_kills(config: &HouseholdsConfig, offers: usize) -> (Readings, usize) {
    let (mut all, mut saved, mut runs) = (Vec::new(), None, 0);
    loop {
        let (accepted, position, ended) = accept(config, saved, offers);
        all.extend(accepted);
        (saved, runs) = (position, runs + 1);
        if ended {
            return (flat(&all), runs);
        }
        assert!(runs < 10_000, "it does not come to an end");
    }
}

/// Of each household: how many raw rows its readings stand for, and the sum of their powers.
fn sums(readings: &Readings) -> BTreeMap<String, (f64, f64)> {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for reading in readings.iter() {
        let count = reading.number("n").unwrap_or(1.0);
        let sum = sums.entry(reading.sensor().to_owned()).or_default();
        *sum = (sum.0 + count, sum.1 + count * reading.number("power_w").unwrap());
    }
    sums
}

#[test]
fn each_household_has_every_row_once_and_no_two_are_alike() {
    let (_folder, paths) = files(&[1000, 600]);
    let all = whole(&config(paths, 7));
    let sums = sums(&all);
    assert_eq!(sums.len(), 7);
    let (own, other) = (sums["house-1"], sums["house-2"]);
    assert_eq!((own.0, own.1.round()), (1000.0, 500_500.0), "the file itself");
    assert_eq!((other.0, other.1.round()), (600.0, 180_300.0));
    let mut scales = Vec::new();
    for (number, file) in [(3, own), (4, other), (5, own), (6, other), (7, own)] {
        let copy = sums[&format!("house-{number}")];
        assert_eq!(copy.0, file.0, "house-{number}");
        scales.push(copy.1 / file.1);
    }
    assert!(scales.iter().all(|scale| (0.5..2.0).contains(scale)), "{scales:?}");
    scales.sort_by(f64::total_cmp);
    assert!(scales.windows(2).all(|pair| pair[0] < pair[1]), "{scales:?}");
    let first = |sensor: &str| all.iter().find(|r| r.sensor() == sensor).and_then(|r| r.number("power_w")).unwrap();
    assert!(first("house-3") > 2.0 * first("house-1"), "it does not begin with the first row");
    let times_of =
        |sensor: &str| -> Vec<i64> { all.iter().filter(|r| r.sensor() == sensor).map(|r| r.ts().us()).collect() };
    for sensor in ["house-1", "house-3", "house-7"] {
        let times = times_of(sensor);
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{sensor}");
        assert!(times.iter().all(|us| (START_US..START_US + 2_000_000_000).contains(us)), "{sensor}");
    }
    assert!(all.iter().all(|r| r.number("energy_kwh").is_some() == ["house-1", "house-2"].contains(&r.sensor())));
}

#[test]
fn from_and_to_bound_the_times_of_the_data() {
    let (_folder, paths) = files(&[1000]);
    let part = HouseholdsConfig { from: Some(at(100)), to: Some(at(300)), ..config(paths.clone(), 3) };
    let all = whole(&part);
    let sums = sums(&all);
    // Rows 50 to 149 begin 0.42 s after an even second.
    assert_eq!(sums["house-1"], (100.0, (51..=150).sum::<i32>().into()));
    assert_eq!((sums["house-2"].0, sums["house-3"].0), (100.0, 100.0));
    assert!(all.iter().all(|r| r.ts() >= at(100) && r.ts() < at(300)));
    let nothing = HouseholdsConfig { from: Some(at(5000)), to: Some(at(6000)), ..config(paths, 1) };
    let refused = HouseholdsSource::open(&nothing, None, at(0)).unwrap_err().to_string();
    assert!(refused.contains("2019-12-24T00:00:00Z to 2019-12-24T00:33:18Z"), "{refused}");
}

#[test]
fn the_clock_runs_at_its_pace_and_gives_played_times() {
    let (_folder, paths) = files(&[100]);
    let played = HouseholdsConfig { pace: Pace::Times(10.0), times: Times::Played, ..config(paths, 2) };
    let mut source = HouseholdsSource::open(&played, None, at(0)).unwrap();
    let (mut us, mut last, mut windows) = (1_000_000, None, 0);
    loop {
        match source.step(now(us)).unwrap() {
            Step::Offer(offer) => {
                assert_eq!(offer.readings.len(), 2);
                let ts = offer.readings.get(0).unwrap().ts();
                // A window of five seconds is over half a second after the one before, and began half a second ago.
                assert!(last.is_none_or(|last| ts.since(last).as_millis() == 500), "{last:?} {ts:?}");
                assert_eq!(now(us).wall.since(ts).as_millis(), 500);
                (last, windows) = (Some(ts), windows + 1);
            }
            Step::Wait(until) => us = until.us().max(us),
            Step::End => break,
        }
    }
    assert_eq!((windows, us), (40, 1_000_000 + 39 * 500_000));
}

#[test]
fn simulated_households_go_on_where_they_were() {
    let simulated = HouseholdsConfig { from: Some(at(1)), to: Some(at(903)), ..config(Vec::new(), 4) };
    let all = whole(&simulated);
    assert!(sums(&all).values().all(|(count, _)| *count == 902.0));
    let (killed, runs) = with_kills(&simulated, 1);
    assert!(runs > 1 && killed == all);
}

#[test]
fn live_households_begin_with_the_window_that_is_over_and_keep_no_position() {
    let live = HouseholdsConfig { pace: Pace::Times(1.0), ..config(Vec::new(), 2) };
    let mut source = HouseholdsSource::open(&live, None, now(0).wall).unwrap();
    let Step::Offer(offer) = source.step(now(0)).unwrap() else { panic!("nothing is over") };
    assert_eq!((offer.readings.len(), offer.position), (2, None));
    let first = offer.readings.get(0).unwrap();
    assert_eq!((first.sensor(), first.ts(), first.number("n")), ("house-1", now(0).wall - WINDOW, Some(5.0)));
    assert_eq!(source.step(now(0)).unwrap(), Step::Wait(Monotonic::from_us(5_000_000)));
}

#[test]
fn a_position_of_other_households_is_not_taken() {
    let (_folder, paths) = files(&[100]);
    let (_, saved, _) = accept(&config(paths.clone(), 2), None, usize::MAX);
    let again = |config: &HouseholdsConfig| accept(config, saved.clone(), usize::MAX).0.len();
    assert_eq!(again(&config(paths.clone(), 2)), 0);
    assert!(again(&HouseholdsConfig { from_start: true, ..config(paths.clone(), 2) }) > 0);
    assert!(again(&HouseholdsConfig { to: Some(at(100)), ..config(paths.clone(), 2) }) > 0);
    assert!(again(&HouseholdsConfig { seed: 8, ..config(paths.clone(), 2) }) > 0);
    let broken = HouseholdsSource::open(&config(paths, 2), Some("{}"), at(0)).unwrap_err();
    assert!(broken.to_string().contains("from_start"), "{broken}");
}

#[test]
fn rows_that_go_back_and_lines_that_are_none_are_counted() {
    let (_folder, paths) = files(&[10]);
    let mut text = std::fs::read_to_string(&paths[0]).unwrap();
    text.push_str("d,1577145600000,1,1,1,1,1\nno row\n");
    writeln!(text, "d,{},1,1,1,1,1", START_US / 1000 + 100_000).unwrap();
    std::fs::write(&paths[0], text).unwrap();
    let mut source = HouseholdsSource::open(&config(paths, 1), None, at(0)).unwrap();
    let mut rows = 0.0;
    loop {
        match source.step(now(0)).unwrap() {
            Step::Offer(offer) => rows += sums(&offer.readings)["house-1"].0,
            Step::Wait(_) => {}
            Step::End => break,
        }
    }
    assert_eq!((rows, source.skipped()), (11.0, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn kills_never_matter(
        rows in prop::collection::vec(1_i64..60, 1..3),
        households in 1_u32..60,
        raw in any::<bool>(),
        offers in 1_usize..4,
    ) {
        let (_folder, paths) = files(&rows);
        let config = HouseholdsConfig { raw, ..config(paths, households) };
        let all = whole(&config);
        let (killed, _) = with_kills(&config, offers);
        prop_assert_eq!(killed, all);
    }
}
