//! The settings of what has a simulation clock: households and garages.

use super::source::{PACES, is_sensor_prefix, seed_of};
use super::{Settings, SourceKind};
use crate::source::csv::{Pace, TimeUnit, Times};
use crate::source::garage::GarageConfig;
use crate::source::households::HouseholdsConfig;
use clap::Args;
use fogline_protocol::ids::AgentId;
use fogline_protocol::time::Wall;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// Each has a buffer of 4 KiB, and its windows are averaged together: more belong to another agent.
const HOUSEHOLDS: RangeInclusive<u32> = 1..=1000;
/// More than a city has.
const GARAGES: RangeInclusive<u32> = 1..=100;
/// The largest has some thousands of places.
const CAPACITIES: RangeInclusive<u32> = 1..=10_000;
/// 100 EUR an hour.
const TARIFF_CENTS_MAX: u32 = 10_000;
/// Each is held open.
const FILES_MAX: usize = 1000;

/// What is said about households and garages, each part optional.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct ScenarioSettings {
    /// Replay all files of this folder whose names end with .csv, in the order of their names
    #[arg(long, value_name = "DIR", env = "FOGLINE_AGENT_DIR", help_heading = "Source households")]
    pub dir: Option<PathBuf>,
    /// How many households, 1 to 1000; beyond the files they replay them from elsewhere and scaled [default: as many as files, or 1]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_AGENT_HOUSEHOLDS", help_heading = "Source households")]
    pub households: Option<u32>,
    /// Where the simulation clock begins, as in 2019-12-24T06:00:00+01:00 [default: with the first row; without files, now]
    #[arg(long, value_name = "TIME", env = "FOGLINE_AGENT_FROM", help_heading = "Source households")]
    pub from: Option<String>,
    /// Where it ends [default: after the last row; without files, never]
    #[arg(long, value_name = "TIME", env = "FOGLINE_AGENT_TO", help_heading = "Source households")]
    pub to: Option<String>,
    /// How many garages, 1 to 100 [default: 1]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_AGENT_GARAGES", help_heading = "Source garage")]
    pub garages: Option<u32>,
    /// Cars for which each has room, 1 to 10000 [default: 100]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_AGENT_CAPACITY", help_heading = "Source garage")]
    pub capacity: Option<u32>,
    /// What a started hour costs, in cents, at most 10000 [default: 200]
    #[arg(long, value_name = "CENTS", env = "FOGLINE_AGENT_TARIFF_CENTS", help_heading = "Source garage")]
    pub tariff_cents: Option<u32>,
}

impl ScenarioSettings {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            dir: self.dir.or(other.dir),
            households: self.households.or(other.households),
            from: self.from.or(other.from),
            to: self.to.or(other.to),
            garages: self.garages.or(other.garages),
            capacity: self.capacity.or(other.capacity),
            tariff_cents: self.tariff_cents.or(other.tariff_cents),
        }
    }

    /// What holds for this source where nothing is given. How many households there are the files say.
    pub(super) fn defaults(kind: Option<SourceKind>) -> Self {
        let garage = kind == Some(SourceKind::Garage);
        Self {
            garages: garage.then_some(1),
            capacity: garage.then_some(100),
            tariff_cents: garage.then_some(200),
            ..Self::default()
        }
    }

    /// Its settings, whether they are given, and the sources that they are for.
    pub(super) fn uses(&self) -> [(&'static str, bool, &'static [SourceKind]); 7] {
        use SourceKind::{Garage, Households};
        [
            ("dir", self.dir.is_some(), &[Households]),
            ("households", self.households.is_some(), &[Households]),
            ("from", self.from.is_some(), &[Households, Garage]),
            ("to", self.to.is_some(), &[Households]),
            ("garages", self.garages.is_some(), &[Garage]),
            ("capacity", self.capacity.is_some(), &[Garage]),
            ("tariff_cents", self.tariff_cents.is_some(), &[Garage]),
        ]
    }
}

impl Settings {
    pub(super) fn check_households(&self, id: Option<&AgentId>, problems: &mut Vec<String>) -> HouseholdsConfig {
        let files = self.household_files(problems);
        let (from, to) = self.check_span(problems);
        let as_many = u32::try_from(files.len()).unwrap_or(u32::MAX).max(1);
        let households = self.scenario.households.unwrap_or(as_many);
        if !HOUSEHOLDS.contains(&households) {
            problems.push(format!("households: {households}, give 1 to 1000"));
        }
        let pace = self.check_pace(problems);
        let times = self.times.unwrap_or_default();
        let recorded = times == Times::Original;
        if files.is_empty() && from.is_none() && recorded && pace != Pace::Times(1.0) {
            let problem = "from: a clock that begins now and is not real time soon gives times that are not; give --from, or --times \
                           played";
            problems.push(problem.to_owned());
        }
        if files.is_empty() && pace == Pace::Max && to.is_none() {
            problems.push("to: without an end they never end, as fast as possible; give --to, or a pace".to_owned());
        }
        self.check_prefix(households, problems);
        HouseholdsConfig {
            files,
            households,
            sensor: self.sensor.clone().unwrap_or_default(),
            pace,
            times,
            from,
            to,
            seed: self.seed.unwrap_or_else(|| seed_of(id)),
            raw: self.raw.unwrap_or(false),
            from_start: self.from_start.unwrap_or(false),
        }
    }

    pub(super) fn check_garage(&self, id: Option<&AgentId>, problems: &mut Vec<String>) -> GarageConfig {
        let mut checked = |what: &str, given: Option<u32>, range: RangeInclusive<u32>| {
            let given = given.unwrap_or(*range.start());
            if !range.contains(&given) {
                problems.push(format!("{what}: {given}, give {} to {}", range.start(), range.end()));
            }
            given
        };
        let garages = checked("garages", self.scenario.garages, GARAGES);
        let capacity = checked("capacity", self.scenario.capacity, CAPACITIES);
        let tariff_cents = checked("tariff_cents", self.scenario.tariff_cents, 0..=TARIFF_CENTS_MAX);
        let (from, _) = self.check_span(problems);
        let pace = match self.check_pace(problems) {
            Pace::Times(pace) => pace,
            Pace::Max => {
                problems.push("pace: garages never end, as fast as possible; give a number".to_owned());
                1.0
            }
        };
        self.check_prefix(garages, problems);
        GarageConfig {
            garages,
            sensor: self.sensor.clone().unwrap_or_default(),
            capacity,
            tariff_cents,
            pace,
            from,
            seed: self.seed.unwrap_or_else(|| seed_of(id)),
            from_start: self.from_start.unwrap_or(false),
        }
    }

    /// A pace, and that it goes with the times.
    pub(super) fn check_pace(&self, problems: &mut Vec<String>) -> Pace {
        let pace = self.pace.unwrap_or(Pace::Times(1.0));
        if let Pace::Times(speed) = pace
            && !PACES.contains(&speed)
        {
            problems.push(format!("pace: {speed} times, give 0.001 to 1000000, or max"));
        }
        if self.times == Some(Times::Played) && pace == Pace::Max {
            problems.push("times: as fast as possible all readings would have the same time, give a pace".to_owned());
        }
        pace
    }

    fn check_prefix(&self, count: u32, problems: &mut Vec<String>) {
        let sensor = self.sensor.as_deref().unwrap_or_default();
        is_sensor_prefix(sensor, count, problems);
    }

    fn check_span(&self, problems: &mut Vec<String>) -> (Option<Wall>, Option<Wall>) {
        let mut parse = |what: &str, text: &Option<String>| {
            let text = text.as_deref()?;
            let time = TimeUnit::Rfc3339.parse(text).filter(|time| (Wall::MIN..=Wall::MAX).contains(time));
            if time.is_none() {
                problems.push(format!("{what}: {text:?} is no time: write it as in 2019-12-24T06:00:00+01:00"));
            }
            time
        };
        let (from, to) = (parse("from", &self.scenario.from), parse("to", &self.scenario.to));
        if from.zip(to).is_some_and(|(from, to)| from >= to) {
            problems.push("to: it is not after `from`".to_owned());
        }
        (from, to)
    }

    fn household_files(&self, problems: &mut Vec<String>) -> Vec<PathBuf> {
        let mut files = self.files.clone();
        match self.scenario.dir.as_deref().map(csv_files) {
            None => {}
            Some(Ok(found)) if found.is_empty() => {
                problems.push("dir: there is no file in it whose name ends with .csv".to_owned());
            }
            Some(Ok(found)) => files.extend(found),
            Some(Err(error)) => problems.push(format!("dir: {error}; give a readable folder")),
        }
        if files.len() > FILES_MAX {
            problems.push(format!("file: {} files, give at most {FILES_MAX}", files.len()));
        }
        files
    }
}

fn csv_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
