//! Settings as they are given: flags over environment over file over defaults.
//!
//! One struct is the flags, the environment and the file at once, so that a setting is described in one place.

mod check;
mod choices;
pub(crate) mod keys;
mod limit;
mod paths;
mod scenario;
mod source;
mod sources;

pub use check::{AgentConfig, Until};
pub use choices::{Durability, SourceKind, TimeFormat, WhenFull};
pub use limit::LimitSettings;
pub use scenario::ScenarioSettings;
pub(crate) use source::NAME_RULE;
pub use source::SourceConfig;
pub use sources::SourceEntry;

use crate::durations::Span;
use crate::source::csv::{Pace, Times};
use clap::Args;
use fogline_runtime::settings::TracesSettings;
use fogline_service::settings::{Asked, FileCommand, SettingsError, SettingsFile};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

fogline_door::http_settings!(
    /// Where health and metrics are served, and to whom.
    pub struct HttpSettings, prefix = "FOGLINE_AGENT", what = "health and metrics", default = "they are not served"
);

/// The settings of an agent, each optional; what they mean is described at [`AgentConfig`] and [`SourceConfig`].
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Broker to connect to, HOST:PORT, or mqtts://HOST:PORT for TLS; several in order of preference [default: 127.0.0.1:1883]
    #[arg(long = "broker", value_name = "HOST:PORT", env = "FOGLINE_AGENT_BROKER", value_delimiter = ',')]
    #[serde(alias = "broker")]
    pub brokers: Vec<String>,
    /// With several brokers: move to the next when the ingester is silent for so long while it is waited for, 3s to 1h
    /// [default: 10s]
    #[arg(long, value_name = "DURATION", env = "FOGLINE_AGENT_FAILOVER_AFTER")]
    pub failover_after: Option<Span>,
    /// Return to the first broker after so long a good connection to another, 10s to 30d [default: stay there]
    #[arg(long, value_name = "DURATION", env = "FOGLINE_AGENT_PREFER_PRIMARY_AFTER")]
    pub prefer_primary_after: Option<Span>,
    /// Region of this agent: the unit of averaging [default: local]
    #[arg(long, value_name = "NAME", env = "FOGLINE_AGENT_REGION")]
    pub region: Option<String>,
    /// Name of this agent, unique at its broker [default: agent-1]
    #[arg(long, value_name = "NAME", env = "FOGLINE_AGENT_NAME")]
    pub name: Option<String>,
    /// Where its queue is kept [default: fogline-data/NAME]
    #[arg(long, value_name = "DIR", env = "FOGLINE_AGENT_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, trace, or a filter as in RUST_LOG; -v, -q and RUST_LOG go before it [default: info]
    #[arg(long, value_name = "LEVEL", env = "FOGLINE_AGENT_LOG")]
    pub log: Option<String>,
    /// Where health and metrics are served, and to whom.
    #[command(flatten, next_help_heading = "HTTP")]
    #[serde(flatten)]
    pub http: HttpSettings,
    /// The speed limit, and who is told of it.
    #[command(flatten)]
    #[serde(flatten)]
    pub limit: LimitSettings,
    /// PEM file of the CA that signs the broker's certificate [default: the roots of the system]
    #[arg(long, value_name = "FILE", env = "FOGLINE_AGENT_BROKER_CA", help_heading = "Security")]
    pub broker_ca: Option<PathBuf>,
    /// PEM file of the certificate to show to the broker
    #[arg(long, value_name = "FILE", env = "FOGLINE_AGENT_BROKER_CERT", help_heading = "Security")]
    pub broker_cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", env = "FOGLINE_AGENT_BROKER_KEY", help_heading = "Security")]
    pub broker_key: Option<PathBuf>,
    /// User name at the broker [default: the name of this agent, with a password or a certificate]
    #[arg(long, value_name = "NAME", env = "FOGLINE_AGENT_USER", help_heading = "Security")]
    pub user: Option<String>,
    /// File that holds the password or token [default: what FOGLINE_AGENT_PASSWORD holds, or none]
    #[arg(long, value_name = "FILE", env = "FOGLINE_AGENT_PASSWORD_FILE", help_heading = "Security")]
    pub password_file: Option<PathBuf>,
    /// How long readings gather before they are committed together, up to 60s [default: 50ms]
    #[arg(long, value_name = "DURATION", env = "FOGLINE_AGENT_COMMIT_EVERY", help_heading = "Queue")]
    pub commit_every: Option<Span>,
    /// When a commit counts as done [default: full]
    #[arg(long, value_enum, env = "FOGLINE_AGENT_SYNCHRONOUS", help_heading = "Queue")]
    pub synchronous: Option<Durability>,
    /// Most readings in the queue [default: 10000000]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_AGENT_QUEUE_READINGS", help_heading = "Queue")]
    pub queue_readings: Option<u64>,
    /// Most bytes of readings in the queue, as JSON [default: 1073741824]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_AGENT_QUEUE_BYTES", help_heading = "Queue")]
    pub queue_bytes: Option<u64>,
    /// Drop readings that are older than this, by their own time [default: keep them]
    #[arg(long, value_name = "DURATION", env = "FOGLINE_AGENT_QUEUE_MAX_AGE", help_heading = "Queue")]
    pub queue_max_age: Option<Span>,
    /// How long readings wait for a clock that was never set, from the start of the device on, up to 1d [default: 10m]
    #[arg(long, value_name = "DURATION", env = "FOGLINE_AGENT_CLOCK_HOLD", help_heading = "Queue")]
    pub clock_hold: Option<Span>,
    /// How long a configuration that an operator sets is tried before it is rolled back, 1s to 1h [default: 2m]
    #[arg(long, value_name = "DURATION", env = "FOGLINE_AGENT_CONFIG_TRIAL")]
    pub config_trial: Option<Span>,
    /// What gives way when the queue is full [default: drop-oldest]
    #[arg(long, value_enum, env = "FOGLINE_AGENT_WHEN_FULL", help_heading = "Queue")]
    pub when_full: Option<WhenFull>,
    /// Send readings as they were accepted: nothing new overtakes a backlog. For readings of which each builds on those before
    /// [default: only for garages]
    #[arg(long, value_name = "BOOL", env = "FOGLINE_AGENT_IN_ORDER", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", help_heading = "Queue")]
    pub in_order: Option<bool>,
    /// Ask the ingester from time to time, and show the answer: occupancy [default: garages ask for it]
    #[arg(long, value_name = "QUESTION", env = "FOGLINE_AGENT_ASK", value_delimiter = ',')]
    pub ask: Vec<String>,
    /// How often, 1s to 1d [default: 10s]
    #[arg(long, value_name = "DURATION", env = "FOGLINE_AGENT_ASK_EVERY")]
    pub ask_every: Option<Span>,
    /// Where readings come from
    #[arg(long, value_enum, env = "FOGLINE_AGENT_SOURCE", help_heading = "Source")]
    pub source: Option<SourceKind>,
    /// Several sources, each a table of its own; beside the one above, if there is one.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<toml::Table>,
    /// When to stop [default: stopped]
    #[arg(long, value_enum, env = "FOGLINE_AGENT_UNTIL", help_heading = "Source")]
    pub until: Option<Until>,
    /// Use case: road, power and others for simulate [default: road]; of lines that name none for stdin; of the rows of a CSV with
    /// columns of its own
    #[arg(long, value_name = "NAME", env = "FOGLINE_AGENT_KIND", help_heading = "Source")]
    pub kind: Option<String>,
    /// Sensor: the names begin with it for simulate, households and garage [default: lane, meter, station or sensor; house;
    /// garage]; of lines that name none for stdin; of all rows for csv [default: meter]
    #[arg(long, value_name = "NAME", env = "FOGLINE_AGENT_SENSOR", help_heading = "Source")]
    pub sensor: Option<String>,
    /// Queue power readings as they are; otherwise their averages over 5 seconds
    #[arg(long, value_name = "BOOL", env = "FOGLINE_AGENT_RAW", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", help_heading = "Source")]
    pub raw: Option<bool>,
    /// Readings a second of all sensors together, 0.1 to 100000; 0: as fast as the queue takes them [default: 1; weather: 10]
    #[arg(long, value_name = "NUMBER", env = "FOGLINE_AGENT_RATE", help_heading = "Source simulate")]
    pub rate: Option<f64>,
    /// How many sensors take turns [default: 1]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_AGENT_SENSORS", help_heading = "Source simulate")]
    pub sensors: Option<u32>,
    /// The same seed gives the same values [default: made of region and name]
    #[arg(long, value_name = "NUMBER", env = "FOGLINE_AGENT_SEED", help_heading = "Source simulate")]
    pub seed: Option<u64>,
    /// End after so many readings [default: never]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_AGENT_COUNT", help_heading = "Source simulate")]
    pub count: Option<u64>,
    /// Pad each reading to about this length as JSON, up to 4096 [default: no padding]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_AGENT_READING_BYTES", help_heading = "Source simulate")]
    pub reading_bytes: Option<usize>,
    /// The file; for households several, which they share
    #[arg(id = "file", long, value_name = "FILE", env = "FOGLINE_AGENT_FILE", num_args = 1.., help_heading = "Source csv")]
    #[serde(rename = "file", with = "paths", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// How many times as fast as it was recorded, or max; for households and garage as real time [default: 1]
    #[arg(long, value_name = "NUMBER|max", env = "FOGLINE_AGENT_PACE", help_heading = "Source csv")]
    pub pace: Option<Pace>,
    /// Which times the readings get: original (or recorded), or played [default: original]
    #[arg(long, value_enum, env = "FOGLINE_AGENT_TIMES", help_heading = "Source csv")]
    pub times: Option<Times>,
    /// Begin with the first row, or empty garages, whatever was read before
    #[arg(long, value_name = "BOOL", env = "FOGLINE_AGENT_FROM_START", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", help_heading = "Source csv")]
    pub from_start: Option<bool>,
    /// Households and garages.
    #[command(flatten)]
    #[serde(flatten)]
    pub scenario: ScenarioSettings,
    /// Column of the time, for other files than those of households
    #[arg(long, value_name = "COLUMN", env = "FOGLINE_AGENT_TIME_COLUMN", help_heading = "Source csv")]
    pub time_column: Option<String>,
    /// How that column is written [default: ms]
    #[arg(long, value_enum, env = "FOGLINE_AGENT_TIME_UNIT", help_heading = "Source csv")]
    pub time_unit: Option<TimeFormat>,
    /// Columns of numbers and the fields they become: T=air_c,P=pressure_hpa
    #[arg(
        long,
        value_name = "COLUMN=FIELD",
        env = "FOGLINE_AGENT_VALUE_COLUMNS",
        value_delimiter = ',',
        help_heading = "Source csv"
    )]
    pub value_columns: Vec<String>,
    /// Between the cells [default: ,]
    #[arg(long, value_name = "CHAR", env = "FOGLINE_AGENT_DELIMITER", help_heading = "Source csv")]
    pub delimiter: Option<char>,
    /// Lines before the line that names the columns [default: 0]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_AGENT_TITLE_LINES", help_heading = "Source csv")]
    pub title_lines: Option<u64>,
    /// Where traces go.
    #[command(flatten)]
    #[serde(flatten)]
    pub traces: TracesSettings,
}

/// Of several sources, for those who look at a printed file.
const SOURCES_EXAMPLE: &str = "\
# Several sources, each a table of its own, and at the end of the file; docs/sources.md has their keys. Needs a restart.
[[sources]]
type = \"system\"
every = \"30s\"

[[sources]]
type = \"exec\"
command = \"cat /sys/class/thermal/thermal_zone0/temp\"
every = \"30s\"
fields.temperature_c = { from = \"$\", scale = 0.001 }";

/// The command line of an agent.
#[derive(Debug, Clone, Default, Args)]
pub struct AgentArgs {
    /// The settings given as flags or in the environment.
    #[command(flatten)]
    pub settings: Settings,
    /// Read settings from this TOML file; flags and environment go before it
    #[arg(long, short, value_name = "FILE", env = "FOGLINE_AGENT_CONFIG")]
    pub config: Option<PathBuf>,
    /// What is done instead of running.
    #[command(flatten)]
    pub instead: FileCommand,
}

/// Where the queue of an agent is.
#[derive(Debug, Clone, Default, Args)]
pub struct QueueFiles {
    /// Name of the agent [default: agent-1]
    #[arg(long, value_name = "NAME", env = "FOGLINE_AGENT_NAME")]
    pub name: Option<String>,
    /// Where its queue is kept [default: fogline-data/NAME]
    #[arg(long, value_name = "DIR", env = "FOGLINE_AGENT_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Read these from the agent's TOML file
    #[arg(long, short, value_name = "FILE", env = "FOGLINE_AGENT_CONFIG")]
    pub config: Option<PathBuf>,
}

impl AgentArgs {
    /// The configuration in effect.
    ///
    /// # Errors
    /// All that is wrong with the file and with the values, together, each with its remedy.
    pub fn resolve(self) -> Result<AgentConfig, SettingsError> {
        self.read().map(|(_, config)| config)
    }

    /// All settings in effect, and the configuration that follows. May be called again, to read the file again.
    ///
    /// # Errors
    /// As [`AgentArgs::resolve`].
    pub fn read(&self) -> Result<(Settings, AgentConfig), SettingsError> {
        let mut file = SettingsFile::read(self.config.as_deref());
        let given = self.settings.clone().or(std::mem::take(&mut file.settings));
        let settings = given.clone().or(Settings::defaults(&given));
        let mut problems = Vec::new();
        fogline_door::logging::check(given.log.as_deref(), &mut problems);
        let config = settings.clone().check(&given, &mut problems);
        file.check(&self.settings, problems)?;
        // Without problems there is a configuration.
        config.map(|config| (settings, config)).ok_or_else(unreachable_problem)
    }

    /// What the command line asks for; what is not to run is done here.
    #[must_use]
    pub fn asked(&self) -> Asked<(Settings, AgentConfig)> {
        self.instead.asked(&self.settings, self.config.as_deref(), || self.read())
    }
}

impl fogline_service::settings::Settings for Settings {
    const PROGRAM: &'static str = "fogline-agent run";
    const RELOADED: &'static [&'static str] =
        &["log", "default_limit", "commit_every", "queue_readings", "queue_bytes", "queue_max_age", "when_full"];
    const TABLES: &'static [(&'static str, &'static str)] = &[("sources", SOURCES_EXAMPLE)];

    fn or(self, other: Self) -> Self {
        Self::or(self, other)
    }

    fn defaults(given: &Self) -> Self {
        Self::defaults(given)
    }
}

/// Stands for a problem that was not reported: a fault of this program.
fn unreachable_problem() -> SettingsError {
    let problem = vec!["the settings cannot be used, for a reason that was not reported".to_owned()];
    SettingsError::check(problem).err().unwrap_or_else(|| unreachable!("a problem is an error"))
}

impl QueueFiles {
    /// The agent's data directory.
    ///
    /// # Errors
    /// What is wrong with the file, if one is given.
    pub fn resolve(self) -> Result<PathBuf, SettingsError> {
        let mut file = SettingsFile::<Settings>::read(self.config.as_deref());
        let read = std::mem::take(&mut file.settings);
        let flags = Settings { name: self.name, data_dir: self.data_dir, ..Settings::default() };
        file.check(&flags, Vec::new())?;
        let given = flags.or(read);
        let defaults = Settings::defaults(&given);
        Ok(given.data_dir.or(defaults.data_dir).unwrap_or_default())
    }
}

impl Settings {
    fn or(self, other: Self) -> Self {
        fn list<T>(own: Vec<T>, other: Vec<T>) -> Vec<T> {
            if own.is_empty() { other } else { own }
        }
        Self {
            brokers: list(self.brokers, other.brokers),
            failover_after: self.failover_after.or(other.failover_after),
            prefer_primary_after: self.prefer_primary_after.or(other.prefer_primary_after),
            region: self.region.or(other.region),
            name: self.name.or(other.name),
            data_dir: self.data_dir.or(other.data_dir),
            log: self.log.or(other.log),
            http: self.http.or(other.http),
            limit: self.limit.or(other.limit),
            broker_ca: self.broker_ca.or(other.broker_ca),
            broker_cert: self.broker_cert.or(other.broker_cert),
            broker_key: self.broker_key.or(other.broker_key),
            user: self.user.or(other.user),
            password_file: self.password_file.or(other.password_file),
            commit_every: self.commit_every.or(other.commit_every),
            synchronous: self.synchronous.or(other.synchronous),
            queue_readings: self.queue_readings.or(other.queue_readings),
            queue_bytes: self.queue_bytes.or(other.queue_bytes),
            queue_max_age: self.queue_max_age.or(other.queue_max_age),
            clock_hold: self.clock_hold.or(other.clock_hold),
            config_trial: self.config_trial.or(other.config_trial),
            when_full: self.when_full.or(other.when_full),
            in_order: self.in_order.or(other.in_order),
            ask: list(self.ask, other.ask),
            ask_every: self.ask_every.or(other.ask_every),
            source: self.source.or(other.source),
            sources: list(self.sources, other.sources),
            until: self.until.or(other.until),
            kind: self.kind.or(other.kind),
            sensor: self.sensor.or(other.sensor),
            raw: self.raw.or(other.raw),
            rate: self.rate.or(other.rate),
            sensors: self.sensors.or(other.sensors),
            seed: self.seed.or(other.seed),
            count: self.count.or(other.count),
            reading_bytes: self.reading_bytes.or(other.reading_bytes),
            files: list(self.files, other.files),
            scenario: self.scenario.or(other.scenario),
            pace: self.pace.or(other.pace),
            times: self.times.or(other.times),
            from_start: self.from_start.or(other.from_start),
            time_column: self.time_column.or(other.time_column),
            time_unit: self.time_unit.or(other.time_unit),
            value_columns: list(self.value_columns, other.value_columns),
            delimiter: self.delimiter.or(other.delimiter),
            title_lines: self.title_lines.or(other.title_lines),
            traces: self.traces.or(other.traces),
        }
    }
}

#[cfg(test)]
mod tests;
