//! Settings as they are given: flags over environment over file over defaults.
//!
//! One struct is the flags, the environment and the file at once, so that a setting is described in one place.

mod config;
mod database;
mod places;
mod realm;

pub use config::IngestConfig;
pub use database::{InfluxSettings, StoreKind};

use clap::Args;
use fogline_protocol::ids::Name;
use fogline_protocol::usecase::LimitRule;
use fogline_protocol::usecase::power::PRICE_EUR_PER_KWH;
use fogline_runtime::link::BrokerAddress;
use fogline_runtime::settings::{SecuritySettings, TracesSettings};
use fogline_service::settings::{Asked, FileCommand, SettingsError, SettingsFile};
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// Where the ingester serves HTTP unless it is told otherwise.
const HTTP_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

fogline_door::http_settings!(
    /// Where health, metrics and API are served, and to whom.
    pub struct HttpSettings, prefix = "FOGLINE_INGEST", what = "health, metrics and API", default = "127.0.0.1:8080"
);

/// Most readings between the network and the store, unless configured otherwise.
const MEMORY_MIB: u64 = 32;
/// What all agents together may have unacknowledged, unless configured otherwise.
const CREDIT_KIB: u64 = 6144;
/// How long a window waits after its end, unless configured otherwise.
const GRACE_MS: u64 = 1000;

/// The name of an ingester that was given none.
pub const DEFAULT_NAME: &str = "ingest-1";

/// Holds the password where a container platform hands it over in the environment.
const PASSWORD_VARIABLE: &str = "FOGLINE_INGEST_PASSWORD";

/// The settings of an ingester, each optional; what they mean is described at [`IngestConfig`].
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Broker to connect to, HOST:PORT, or mqtts://HOST:PORT for TLS; with several sites the brokers of all [default: 127.0.0.1:1883]
    #[arg(long = "broker", value_name = "HOST:PORT", env = "FOGLINE_INGEST_BROKER", value_delimiter = ',')]
    pub brokers: Vec<String>,
    /// The brokers are one cluster, as of NATS: be connected to one of them at a time
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", env = "FOGLINE_INGEST_CLUSTER")]
    pub cluster: Option<bool>,
    /// This ingester's name, also its MQTT client id [default: ingest-1]
    #[arg(long, value_name = "NAME", env = "FOGLINE_INGEST_NAME")]
    pub name: Option<String>,
    /// Take the agents of this region only; several: of these [default: of all regions]
    #[arg(long = "region", value_name = "REGION", env = "FOGLINE_INGEST_REGION", value_delimiter = ',')]
    pub regions: Vec<String>,
    /// Take the agents of a share of all regions, for example 2/4 for the second of four [default: of all regions]
    #[arg(long, value_name = "NUMBER/OF", env = "FOGLINE_INGEST_SHARE")]
    pub share: Option<String>,
    /// Of several ingesters of a region that would lead the one of the highest rank does [default: 0]
    #[arg(long, value_name = "NUMBER", env = "FOGLINE_INGEST_RANK")]
    pub rank: Option<u32>,
    /// Share the SQLite file in the data directory with another ingester of this machine
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", env = "FOGLINE_INGEST_SHARED")]
    pub shared: Option<bool>,
    /// What all that share this InfluxDB call it, if they reach it under different addresses [default: its address, organisation and bucket]
    #[arg(long, value_name = "NAME", env = "FOGLINE_INGEST_STORE_NAME")]
    pub store_name: Option<String>,
    /// Where the database or the state is kept [default: fogline-data/ingest]
    #[arg(long, value_name = "DIR", env = "FOGLINE_INGEST_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where readings go [default: sqlite]
    #[arg(long, value_enum, env = "FOGLINE_INGEST_STORE")]
    pub store: Option<StoreKind>,
    /// When a write counts as done: full = on the disk, normal = at the operating system [default: full]
    #[arg(long, value_name = "full|normal", env = "FOGLINE_INGEST_SYNCHRONOUS")]
    pub synchronous: Option<String>,
    /// InfluxDB's address, for example http://localhost:8086
    #[arg(long, value_name = "URL", env = "FOGLINE_INGEST_INFLUXDB_URL")]
    pub influxdb_url: Option<String>,
    /// InfluxDB's organisation [default: fogline]
    #[arg(long, value_name = "ORG", env = "FOGLINE_INGEST_INFLUXDB_ORG")]
    pub influxdb_org: Option<String>,
    /// InfluxDB's bucket [default: fogline]
    #[arg(long, value_name = "BUCKET", env = "FOGLINE_INGEST_INFLUXDB_BUCKET")]
    pub influxdb_bucket: Option<String>,
    /// File that holds InfluxDB's token [default: what FOGLINE_INGEST_INFLUXDB_TOKEN holds, or no token]
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_INFLUXDB_TOKEN_FILE")]
    pub influxdb_token_file: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, trace, or a filter as in RUST_LOG; -v, -q and RUST_LOG go before it [default: info]
    #[arg(long, value_name = "LEVEL", env = "FOGLINE_INGEST_LOG")]
    pub log: Option<String>,
    /// Where health, metrics and API are served, and to whom.
    #[command(flatten)]
    #[serde(flatten)]
    pub http: HttpSettings,
    /// Most readings held between the network and the store [default: 32]
    #[arg(long, value_name = "MIB", env = "FOGLINE_INGEST_MEMORY_MIB")]
    pub memory_mib: Option<u64>,
    /// Bytes that all agents together may have unacknowledged [default: 6144]
    #[arg(long, value_name = "KIB", env = "FOGLINE_INGEST_CREDIT_KIB")]
    pub credit_kib: Option<u64>,
    /// Slow the store down to so many readings a second: for measurements
    #[arg(long, value_name = "NUMBER", hide = true)]
    #[serde(skip)]
    pub store_rate: Option<u32>,
    /// How long a 5-second window waits for readings after its end [default: 1000]
    #[arg(long, value_name = "MILLISECONDS", env = "FOGLINE_INGEST_GRACE_MS")]
    pub grace_ms: Option<u64>,
    /// Lowest speed limit [default: 60]
    #[arg(long, value_name = "KM/H", env = "FOGLINE_INGEST_LIMIT_MIN_KMH")]
    pub limit_min_kmh: Option<f64>,
    /// Highest speed limit [default: 130]
    #[arg(long, value_name = "KM/H", env = "FOGLINE_INGEST_LIMIT_MAX_KMH")]
    pub limit_max_kmh: Option<f64>,
    /// CSV of households, REGION,AGENT,HOUSEHOLD,POSTCODE below a head [default: postal codes are drawn by name]
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_HOUSEHOLDS", help_heading = "Power")]
    pub households: Option<PathBuf>,
    /// CSV of postal codes and federal states, FROM,TO,STATE below a head [default: a table of Germany's]
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_POSTCODES", help_heading = "Power")]
    pub postcodes: Option<PathBuf>,
    /// What a kilowatt-hour costs [default: 0.30]
    #[arg(long, value_name = "EUR", env = "FOGLINE_INGEST_PRICE_EUR_PER_KWH", help_heading = "Power")]
    pub price_eur_per_kwh: Option<f64>,
    /// PEM file of the CA that signs the broker's certificate [default: the roots of the system]
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_BROKER_CA", help_heading = "Security")]
    pub broker_ca: Option<PathBuf>,
    /// PEM file of the certificate to show to the broker
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_BROKER_CERT", help_heading = "Security")]
    pub broker_cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_BROKER_KEY", help_heading = "Security")]
    pub broker_key: Option<PathBuf>,
    /// User name at the broker [default: the name of this ingester, with a password or a certificate]
    #[arg(long, value_name = "NAME", env = "FOGLINE_INGEST_USER", help_heading = "Security")]
    pub user: Option<String>,
    /// File that holds the password or token [default: what FOGLINE_INGEST_PASSWORD holds, or none]
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_PASSWORD_FILE", help_heading = "Security")]
    pub password_file: Option<PathBuf>,
    /// Where traces go.
    #[command(flatten)]
    #[serde(flatten)]
    pub traces: TracesSettings,
}

/// The command line of an ingester.
#[derive(Debug, Clone, Default, Args)]
pub struct IngestArgs {
    /// The settings given as flags or in the environment.
    #[command(flatten)]
    pub settings: Settings,
    /// Read settings from this TOML file; flags and environment go before it
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_CONFIG")]
    pub config: Option<PathBuf>,
    /// What is done instead of running.
    #[command(flatten)]
    pub instead: FileCommand,
}

impl IngestArgs {
    /// The configuration in effect.
    ///
    /// # Errors
    /// All that is wrong with the file and with the values, together, each with its remedy.
    pub fn resolve(self) -> Result<IngestConfig, SettingsError> {
        self.read().map(|(_, config)| config)
    }

    /// All settings in effect, and the configuration that follows. May be called again, to read the file again.
    ///
    /// # Errors
    /// As [`IngestArgs::resolve`].
    pub fn read(&self) -> Result<(Settings, IngestConfig), SettingsError> {
        let mut file = SettingsFile::read(self.config.as_deref());
        let given = self.settings.clone().or(std::mem::take(&mut file.settings));
        let settings = given.clone().or(Settings::defaults());
        let mut problems = Vec::new();
        fogline_door::logging::check(given.log.as_deref(), &mut problems);
        let config = given.checked(&mut problems);
        file.check(&self.settings, problems)?;
        Ok((settings, config))
    }

    /// What the command line asks for; what is not to run is done here.
    #[must_use]
    pub fn asked(&self) -> Asked<(Settings, IngestConfig)> {
        self.instead.asked(&self.settings, self.config.as_deref(), || self.read())
    }
}

impl fogline_service::settings::Settings for Settings {
    const PROGRAM: &'static str = "fogline-ingest";
    const RELOADED: &'static [&'static str] = &["log", "memory_mib", "credit_kib", "limit_min_kmh", "limit_max_kmh"];

    fn or(self, other: Self) -> Self {
        Self::or(self, other)
    }

    fn defaults(_: &Self) -> Self {
        Self::defaults()
    }
}

impl Settings {
    /// What holds where nothing is given.
    fn defaults() -> Self {
        let rule = LimitRule::default();
        Self {
            brokers: vec!["127.0.0.1:1883".to_owned()],
            name: Some(DEFAULT_NAME.to_owned()),
            log: Some("info".to_owned()),
            rank: Some(0),
            shared: Some(false),
            data_dir: Some(PathBuf::from("fogline-data/ingest")),
            store: Some(StoreKind::Sqlite),
            synchronous: Some("full".to_owned()),
            influxdb_org: Some("fogline".to_owned()),
            influxdb_bucket: Some("fogline".to_owned()),
            http: HttpSettings { http: Some(HTTP_DEFAULT), ..HttpSettings::default() },
            memory_mib: Some(MEMORY_MIB),
            credit_kib: Some(CREDIT_KIB),
            grace_ms: Some(GRACE_MS),
            limit_min_kmh: Some(rule.min_kmh),
            limit_max_kmh: Some(rule.max_kmh),
            price_eur_per_kwh: Some(PRICE_EUR_PER_KWH),
            traces: TracesSettings::defaults(),
            ..Self::default()
        }
    }

    fn or(self, other: Self) -> Self {
        // Regions and a share are two ways to say one thing: a flag of the one goes before the other in the file.
        let chosen = !self.regions.is_empty() || self.share.is_some();
        Self {
            regions: if chosen { self.regions } else { other.regions },
            share: if chosen { self.share } else { other.share },
            brokers: if self.brokers.is_empty() { other.brokers } else { self.brokers },
            cluster: self.cluster.or(other.cluster),
            name: self.name.or(other.name),
            rank: self.rank.or(other.rank),
            shared: self.shared.or(other.shared),
            store_name: self.store_name.or(other.store_name),
            data_dir: self.data_dir.or(other.data_dir),
            store: self.store.or(other.store),
            synchronous: self.synchronous.or(other.synchronous),
            influxdb_url: self.influxdb_url.or(other.influxdb_url),
            influxdb_org: self.influxdb_org.or(other.influxdb_org),
            influxdb_bucket: self.influxdb_bucket.or(other.influxdb_bucket),
            influxdb_token_file: self.influxdb_token_file.or(other.influxdb_token_file),
            log: self.log.or(other.log),
            http: self.http.or(other.http),
            memory_mib: self.memory_mib.or(other.memory_mib),
            credit_kib: self.credit_kib.or(other.credit_kib),
            store_rate: self.store_rate.or(other.store_rate),
            grace_ms: self.grace_ms.or(other.grace_ms),
            limit_min_kmh: self.limit_min_kmh.or(other.limit_min_kmh),
            limit_max_kmh: self.limit_max_kmh.or(other.limit_max_kmh),
            households: self.households.or(other.households),
            postcodes: self.postcodes.or(other.postcodes),
            price_eur_per_kwh: self.price_eur_per_kwh.or(other.price_eur_per_kwh),
            broker_ca: self.broker_ca.or(other.broker_ca),
            broker_cert: self.broker_cert.or(other.broker_cert),
            broker_key: self.broker_key.or(other.broker_key),
            user: self.user.or(other.user),
            password_file: self.password_file.or(other.password_file),
            traces: self.traces.or(other.traces),
        }
    }

    /// The configuration that follows. What is wrong is added to `problems`, and a default stands in its place.
    fn checked(self, problems: &mut Vec<String>) -> IngestConfig {
        let mut within = |value: Option<u64>, default: u64, range: std::ops::RangeInclusive<u64>, name: &str| {
            let value = value.unwrap_or(default);
            if !range.contains(&value) {
                problems.push(format!("{name}: {value} is not between {} and {}", range.start(), range.end()));
            }
            value
        };
        let memory_bytes = within(self.memory_mib, MEMORY_MIB, 1..=1024, "memory_mib") << 20;
        let credit_bytes = within(self.credit_kib, CREDIT_KIB, 64..=1 << 20, "credit_kib") << 10;
        let grace = Duration::from_millis(within(self.grace_ms, GRACE_MS, 0..=60_000, "grace_ms"));
        let mut name = |text: Option<String>, what: &str| {
            let text = text?;
            Name::new(&text).map_err(|error| problems.push(format!("{what}: {error}"))).ok()
        };
        let own = name(Some(self.name.unwrap_or_else(|| DEFAULT_NAME.to_owned())), "name").unwrap_or_else(placeholder);
        let realm = realm::realm(&self.regions, self.share.as_deref(), problems);
        let store = self.store.unwrap_or_default();
        let influxdb = (store == StoreKind::Influxdb).then(|| {
            database::influxdb(
                self.influxdb_url,
                self.influxdb_org,
                self.influxdb_bucket,
                self.influxdb_token_file,
                problems,
            )
        });
        let shared = self.shared.unwrap_or(false);
        if shared && store != StoreKind::Sqlite {
            problems.push(
                "shared: only a SQLite file is shared like this; sites share an InfluxDB by its address".to_owned(),
            );
        }
        let brokers = brokers(self.brokers, problems);
        self.traces.check(problems);
        let given = SecuritySettings {
            broker_ca: self.broker_ca,
            broker_cert: self.broker_cert,
            broker_key: self.broker_key,
            user: self.user,
            password_file: self.password_file,
        };
        IngestConfig {
            security: given.check(own.as_str(), &brokers, PASSWORD_VARIABLE, problems),
            brokers,
            cluster: self.cluster.unwrap_or(false),
            name: own,
            realm,
            rank: self.rank.unwrap_or(0),
            shared,
            store_name: self.store_name,
            data_dir: self.data_dir.unwrap_or_else(|| PathBuf::from("fogline-data/ingest")),
            store,
            synchronous: database::synchronous(self.synchronous.as_deref(), problems),
            influxdb,
            http: self.http.checked(HTTP_DEFAULT, problems),
            memory_bytes,
            credit_bytes,
            store_rate: self.store_rate,
            traces: self.traces,
            grace,
            limit_rule: limit_rule(self.limit_min_kmh, self.limit_max_kmh, problems),
            places: places::places(self.households.as_deref(), self.postcodes.as_deref(), problems),
            price_eur_per_kwh: places::price(self.price_eur_per_kwh, problems),
        }
    }
}

/// Stands in for a name that was refused; the configuration is not used then.
fn placeholder() -> Name {
    Name::new("x").unwrap_or_else(|_| unreachable!("a letter is a name"))
}

fn brokers(given: Vec<String>, problems: &mut Vec<String>) -> Vec<BrokerAddress> {
    let given = if given.is_empty() { vec!["127.0.0.1:1883".to_owned()] } else { given };
    let parse = |text: String| text.parse().map_err(|error| problems.push(format!("broker: {text}: {error}"))).ok();
    given.into_iter().filter_map(parse).collect()
}

fn limit_rule(min: Option<f64>, max: Option<f64>, problems: &mut Vec<String>) -> LimitRule {
    let default = LimitRule::default();
    let rule =
        LimitRule { min_kmh: min.unwrap_or(default.min_kmh), max_kmh: max.unwrap_or(default.max_kmh), ..default };
    let step = |value: f64| (10.0..=300.0).contains(&value) && (value / rule.step_kmh).fract() == 0.0;
    if !(step(rule.min_kmh) && step(rule.max_kmh) && rule.min_kmh <= rule.max_kmh) {
        let (min, max) = (rule.min_kmh, rule.max_kmh);
        problems.push(format!(
            "limit_min_kmh {min} and limit_max_kmh {max}: give multiples of 10 from 10 to 300, the lower first"
        ));
    }
    rule
}

#[cfg(test)]
mod tests;
