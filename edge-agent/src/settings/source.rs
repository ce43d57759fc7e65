//! The settings of the sources.

use super::{ScenarioSettings, Settings, SourceKind, TimeFormat};
use crate::shape::Shaping;
use crate::source::csv::{CsvConfig, LayoutConfig, Pace, TimeUnit, Times};
use crate::source::exec::ExecConfig;
use crate::source::garage::GarageConfig;
use crate::source::households::HouseholdsConfig;
use crate::source::modbus::ModbusConfig;
use crate::source::mqtt::MqttConfig;
use crate::source::push::PushConfig;
use crate::source::serial::SerialConfig;
use crate::source::simulate::{Rate, SimulateConfig};
use crate::source::stdin::StdinConfig;
use crate::source::system::SystemConfig;
use fogline_protocol::ids::{AgentId, is_name};
use fogline_protocol::reading::{FIELDS_MAX, Readings, Value};
use fogline_protocol::time::Wall;
use fogline_protocol::usecase::{self, REGISTRY};
use std::ops::RangeInclusive;

/// What rates can be paced.
const RATES: RangeInclusive<f64> = 0.1..=100_000.0;
/// More sensors than any agent has.
const SENSORS: RangeInclusive<u32> = 1..=10_000;
/// What readings can be padded to: below a batch, and above the shortest reading.
const READING_BYTES: RangeInclusive<usize> = 64..=4096;
/// From a thousandth of real time to a day in a twelfth of a second.
pub(super) const PACES: RangeInclusive<f64> = 0.001..=1_000_000.0;

/// Where readings come from.
#[derive(Debug, Clone)]
pub enum SourceConfig {
    /// Nowhere: only what is queued is sent.
    None,
    /// Simulated sensors.
    Simulate(SimulateConfig),
    /// Standard input.
    Stdin(StdinConfig),
    /// A recording.
    Csv(CsvConfig),
    /// Many households.
    Households(HouseholdsConfig),
    /// Parking garages.
    Garage(GarageConfig),
    /// What a command says.
    Exec(ExecConfig),
    /// Devices at a local MQTT broker.
    Mqtt(Box<MqttConfig>),
    /// Whoever pushes over HTTP.
    Http(Box<PushConfig>),
    /// Registers of a device.
    Modbus(ModbusConfig),
    /// A serial port.
    Serial(SerialConfig),
    /// The machine that the agent runs on.
    System(SystemConfig),
}

impl SourceConfig {
    /// As its table's `type` says.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Simulate(_) => "simulate",
            Self::Stdin(_) => "stdin",
            Self::Csv(_) => "csv",
            Self::Households(_) => "households",
            Self::Garage(_) => "garage",
            Self::Exec(_) => "exec",
            Self::Mqtt(_) => "mqtt",
            Self::Http(_) => "http",
            Self::Modbus(_) => "modbus",
            Self::Serial(_) => "serial",
            Self::System(_) => "system",
        }
    }

    /// What it lets the stage that shapes readings do.
    #[must_use]
    pub fn shaping(&self) -> Shaping {
        match self {
            Self::None | Self::Csv(_) | Self::Households(_) | Self::Garage(_) => Shaping::Own,
            Self::Simulate(_) | Self::Stdin(_) | Self::Mqtt(_) | Self::Http(_) | Self::Serial(_) => Shaping::Pushed,
            Self::Exec(config) if config.every.is_none() => Shaping::Pushed,
            Self::Exec(_) | Self::Modbus(_) | Self::System(_) => Shaping::Polled,
        }
    }
}

impl Settings {
    pub(super) fn source_defaults(given: &Self) -> Self {
        let simulate = given.source == Some(SourceKind::Simulate);
        let csv = given.source == Some(SourceKind::Csv);
        let clocked = csv || matches!(given.source, Some(SourceKind::Households | SourceKind::Garage));
        let kind = given.kind.clone().or_else(|| simulate.then(|| "road".to_owned()));
        let sensor = match (given.source, kind.as_deref()) {
            (Some(SourceKind::Households), _) => "house",
            (Some(SourceKind::Garage), _) => "garage",
            (_, Some("road")) => "lane",
            (_, Some("weather")) => "station",
            (_, None | Some("power")) => "meter",
            (_, Some(_)) => "sensor",
        };
        // A weather station measures ten times a second.
        let rate = if kind.as_deref() == Some("weather") { 10.0 } else { 1.0 };
        let columns = csv && given.time_column.is_some();
        Self {
            kind,
            sensor: (simulate || clocked).then(|| sensor.to_owned()),
            rate: simulate.then_some(rate),
            sensors: simulate.then_some(1),
            pace: clocked.then_some(Pace::Times(1.0)),
            times: (clocked && given.source != Some(SourceKind::Garage)).then_some(Times::Original),
            scenario: ScenarioSettings::defaults(given.source),
            time_unit: columns.then_some(TimeFormat::Ms),
            delimiter: columns.then_some(','),
            title_lines: columns.then_some(0),
            ..Self::default()
        }
    }

    pub(super) fn check_source(
        &self,
        given: &Self,
        id: Option<&AgentId>,
        problems: &mut Vec<String>,
    ) -> Option<SourceConfig> {
        let before = problems.len();
        let Some(kind) = self.source else {
            problems.push("source: missing, give --source simulate, stdin, csv, households, garage or none, or tables [[sources]] in the file".to_owned());
            return None;
        };
        given.check_strangers(kind, problems);
        let config = match kind {
            SourceKind::None => Some(SourceConfig::None),
            SourceKind::Simulate => self.check_simulate(id, problems).map(SourceConfig::Simulate),
            SourceKind::Stdin => Some(SourceConfig::Stdin(self.check_stdin(problems))),
            SourceKind::Csv => self.check_csv(problems).map(SourceConfig::Csv),
            SourceKind::Households => Some(SourceConfig::Households(self.check_households(id, problems))),
            SourceKind::Garage => Some(SourceConfig::Garage(self.check_garage(id, problems))),
        };
        config.filter(|_| problems.len() == before)
    }

    /// Settings of another source are mistakes.
    pub(super) fn check_strangers(&self, kind: SourceKind, problems: &mut Vec<String>) {
        use SourceKind::{Csv, Garage, Households, Simulate, Stdin};
        let columns = self.time_column.is_some();
        let uses: [(&str, bool, &[SourceKind]); 18] = [
            ("kind", self.kind.is_some(), if columns { &[Simulate, Stdin, Csv] } else { &[Simulate, Stdin] }),
            ("sensor", self.sensor.is_some(), &[Simulate, Stdin, Csv, Households, Garage]),
            ("raw", self.raw.is_some(), &[Simulate, Stdin, Csv, Households]),
            ("rate", self.rate.is_some(), &[Simulate]),
            ("sensors", self.sensors.is_some(), &[Simulate]),
            ("seed", self.seed.is_some(), &[Simulate, Households, Garage]),
            ("count", self.count.is_some(), &[Simulate]),
            ("reading_bytes", self.reading_bytes.is_some(), &[Simulate]),
            ("file", !self.files.is_empty(), &[Csv, Households]),
            ("pace", self.pace.is_some(), &[Csv, Households, Garage]),
            ("times", self.times.is_some(), &[Csv, Households]),
            ("from_start", self.from_start.is_some(), &[Csv, Households, Garage]),
            ("time_column", columns, &[Csv]),
            ("value_columns", !self.value_columns.is_empty(), &[Csv]),
            ("time_unit", self.time_unit.is_some() && (!columns || kind != Csv), &[]),
            ("delimiter", self.delimiter.is_some() && (!columns || kind != Csv), &[]),
            ("title_lines", self.title_lines.is_some() && (!columns || kind != Csv), &[]),
            ("value_columns", !self.value_columns.is_empty() && !columns && kind == Csv, &[]),
        ];
        let uses = uses.into_iter().chain(self.scenario.uses());
        for (name, _, used) in uses.filter(|(_, given, used)| *given && !used.contains(&kind)) {
            problems.push(if kind == Csv && (used.is_empty() || name == "kind") {
                format!("{name}: only for a file whose columns are named, give --time-column and --value-columns too")
            } else {
                format!("{name}: not for this source, leave it out")
            });
        }
    }

    fn check_simulate(&self, id: Option<&AgentId>, problems: &mut Vec<String>) -> Option<SimulateConfig> {
        let kind = self.kind.as_deref().unwrap_or_default();
        let found = usecase::find(kind);
        if found.is_none() {
            let known: Vec<&str> = REGISTRY.iter().map(|usecase| usecase.kind()).collect();
            problems.push(format!("kind: nothing simulates {kind:?}, give one of {}", known.join(", ")));
        }
        let rate = self.rate.unwrap_or(1.0);
        if rate != 0.0 && !RATES.contains(&rate) {
            problems.push(format!("rate: {rate} readings a second, give 0.1 to 100000, or 0 for as fast as possible"));
        }
        let sensors = self.sensors.unwrap_or(1);
        if !SENSORS.contains(&sensors) {
            problems.push(format!("sensors: {sensors}, give 1 to 10000"));
        }
        let sensor = self.sensor.clone().unwrap_or_default();
        is_sensor_prefix(&sensor, sensors, problems);
        if let Some(bytes) = self.reading_bytes.filter(|bytes| !READING_BYTES.contains(bytes)) {
            problems.push(format!("reading_bytes: {bytes}, give 64 to 4096"));
        }
        Some(SimulateConfig {
            usecase: found?,
            sensors,
            sensor,
            rate: if rate == 0.0 { Rate::Fastest } else { Rate::PerSecond(rate) },
            seed: self.seed.unwrap_or_else(|| seed_of(id)),
            count: self.count,
            reading_bytes: self.reading_bytes,
            raw: self.raw.unwrap_or(false),
        })
    }

    fn check_stdin(&self, problems: &mut Vec<String>) -> StdinConfig {
        for (what, name) in [("kind", &self.kind), ("sensor", &self.sensor)] {
            if let Some(name) = name.as_ref().filter(|name| !is_name(name)) {
                problems.push(format!("{what}: {name:?} is not a name: {NAME_RULE}"));
            }
        }
        StdinConfig { sensor: self.sensor.clone(), kind: self.kind.clone(), raw: self.raw.unwrap_or(false) }
    }

    fn check_csv(&self, problems: &mut Vec<String>) -> Option<CsvConfig> {
        match self.files.len() {
            0 => problems.push("file: missing, give the CSV file with --file".to_owned()),
            1 => {}
            _ => problems.push("file: give one, or several with --source households".to_owned()),
        }
        let sensor = self.sensor.clone().unwrap_or_default();
        if !is_name(&sensor) {
            problems.push(format!("sensor: {sensor:?} is not a name: {NAME_RULE}"));
        }
        let (pace, times) = (self.check_pace(problems), self.times.unwrap_or_default());
        let layout = match &self.time_column {
            None => LayoutConfig::Household,
            Some(column) => self.check_columns(column, problems),
        };
        Some(CsvConfig {
            path: self.files.first().cloned()?,
            layout,
            sensor,
            pace,
            times,
            raw: self.raw.unwrap_or(false),
            from_start: self.from_start.unwrap_or(false),
        })
    }

    fn check_columns(&self, time_column: &str, problems: &mut Vec<String>) -> LayoutConfig {
        let kind = self.kind.clone().unwrap_or_default();
        if !is_name(&kind) {
            problems.push(format!("kind: {kind:?} is not a name, give --kind: {NAME_RULE}"));
        }
        let values: Vec<(String, String)> = self.value_columns.iter().map(|text| column_and_field(text)).collect();
        if values.is_empty() || values.len() > FIELDS_MAX {
            problems
                .push(format!("value_columns: {}, give 1 to {FIELDS_MAX} as in T=air_c,P=pressure_hpa", values.len()));
        } else {
            let fields: Vec<(&str, Value<'_>)> =
                values.iter().map(|(_, field)| (field.as_str(), Value::Number(0.0))).collect();
            if let Err(error) = Readings::new().push(Wall::MIN, "s", "k", &fields) {
                problems.push(format!("value_columns: {error}; write COLUMN=FIELD"));
            }
        }
        let unit = match self.time_unit {
            Some(TimeFormat::Us) => TimeUnit::Us,
            Some(TimeFormat::S) => TimeUnit::S,
            Some(TimeFormat::Rfc3339) => TimeUnit::Rfc3339,
            Some(TimeFormat::Ms) | None => TimeUnit::Ms,
        };
        LayoutConfig::Columns {
            title_lines: self.title_lines.unwrap_or(0),
            delimiter: self.delimiter.unwrap_or(','),
            kind,
            time: (time_column.to_owned(), unit),
            values,
        }
    }
}

/// What a name looks like, for messages.
pub(crate) const NAME_RULE: &str = "use 1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter or a digit";

/// Whether names of so many sensors can begin so.
pub(super) fn is_sensor_prefix(sensor: &str, count: u32, problems: &mut Vec<String>) {
    if !is_name(&format!("{sensor}-{count}")) {
        problems.push(format!("sensor: {sensor:?} does not begin a name: {NAME_RULE}"));
    }
}

/// `COLUMN=FIELD`, or a column whose name is a field's.
fn column_and_field(text: &str) -> (String, String) {
    let (column, field) = text.rsplit_once('=').unwrap_or((text, text));
    (column.to_owned(), field.to_owned())
}

/// Agents of different names simulate different values, and each the same at every start.
pub(super) fn seed_of(id: Option<&AgentId>) -> u64 {
    let name = id.map(ToString::to_string).unwrap_or_default();
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}
