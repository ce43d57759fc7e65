//! What is to be measured, with everything decided.

use super::BenchArgs;
use crate::audit::{Database, InfluxServer, TOKEN_VARIABLE};
use fogline_ingest::settings::StoreKind;
use std::time::Duration;

/// The rates that an agent's simulator can keep.
const AGENT_RATES: std::ops::RangeInclusive<f64> = 0.1..=100_000.0;

/// A measurement.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plan {
    pub(crate) store: StoreKind,
    /// Further flags of the ingester.
    pub(crate) store_flags: Vec<String>,
    pub(crate) agents: u32,
    /// Of all agents together, in readings a second.
    pub(crate) rate: f64,
    pub(crate) duration: Duration,
    pub(crate) reading_bytes: u64,
    pub(crate) commit_every_ms: u64,
    pub(crate) kind: Kind,
    /// The most readings that the store takes a second, where it is slowed down.
    pub(crate) store_rate: Option<u32>,
    /// Where readings can be looked for, where that is needed.
    pub(crate) database: Database,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A steady rate.
    Steady,
    /// A queue of so many readings that drains.
    Backlog(u64),
    /// More than the store can take.
    Overload,
    /// A broker that is gone for a while.
    Storm,
    /// Two sites, each part of which is struck so often.
    Failover(u32),
}

/// How many times what the store can take is sent.
pub(crate) const OVERLOAD: f64 = 5.0;

/// What is taken where nothing is said: agents, readings a second of each, seconds, milliseconds that readings gather.
struct Defaults {
    agents: u32,
    rate_each: f64,
    seconds: u64,
    commit_every: u64,
}

impl Kind {
    const fn of(args: &BenchArgs) -> Self {
        match args.backlog {
            Some(readings) => Self::Backlog(readings),
            None if args.overload => Self::Overload,
            None if args.storm => Self::Storm,
            None if args.failover => Self::Failover(args.rounds),
            None => Self::Steady,
        }
    }

    const fn defaults(self) -> Defaults {
        match self {
            Self::Steady => Defaults { agents: 10, rate_each: 100.0, seconds: 15, commit_every: 50 },
            Self::Backlog(_) => Defaults { agents: 1, rate_each: 10.0, seconds: 15, commit_every: 50 },
            // A thousand queues on one disk that sync twenty times a second each are another measurement.
            Self::Overload => Defaults { agents: 1000, rate_each: 10.0, seconds: 60, commit_every: 1000 },
            Self::Failover(_) => Defaults { agents: 3, rate_each: 50.0, seconds: 0, commit_every: 50 },
            Self::Storm => Defaults { agents: 1000, rate_each: 1.0, seconds: 5, commit_every: 50 },
        }
    }
}

impl Plan {
    /// Fills in what was not said.
    ///
    /// # Errors
    /// What does not fit together, with the remedy.
    pub(crate) fn new(args: &BenchArgs) -> Result<Self, String> {
        let kind = Kind::of(args);
        let defaults = kind.defaults();
        let agents = args.agents.unwrap_or(defaults.agents);
        let rate = args.rate.unwrap_or(match (kind, args.agents) {
            (Kind::Overload | Kind::Storm, Some(agents)) => defaults.rate_each * f64::from(agents),
            _ => defaults.rate_each * f64::from(defaults.agents),
        });
        let each = rate / f64::from(agents);
        if !AGENT_RATES.contains(&each) {
            return Err(format!(
                "--rate: {rate} readings a second are {each} for each of {agents} agents; give {} to {} for each",
                AGENT_RATES.start(),
                AGENT_RATES.end()
            ));
        }
        if args.failover && args.store == StoreKind::Null {
            return Err("--failover: two sites share a store; give --store sqlite or --store influxdb".to_owned());
        }
        Ok(Self {
            database: if args.failover { database(args)? } else { Database::Sqlite },
            store: args.store,
            store_flags: store_flags(args),
            agents,
            rate,
            duration: Duration::from_secs(args.seconds.unwrap_or(defaults.seconds)),
            reading_bytes: args.reading_bytes,
            commit_every_ms: args.commit_every.unwrap_or(defaults.commit_every),
            kind,
            store_rate: (kind == Kind::Overload).then(|| store_rate(rate)),
        })
    }

    /// The rate of each agent.
    pub(crate) fn rate_each(&self) -> f64 {
        self.rate / f64::from(self.agents)
    }

    /// The store's name, as the ingester's flag takes it.
    pub(crate) const fn store_name(&self) -> &'static str {
        match self.store {
            StoreKind::Sqlite => "sqlite",
            StoreKind::Influxdb => "influxdb",
            StoreKind::Null => "null",
        }
    }
}

/// The rate of a store that is given [`OVERLOAD`] times as much.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are above 0, and saturating is right"
)]
fn store_rate(rate: f64) -> u32 {
    ((rate / OVERLOAD) as u32).max(1)
}

/// Where an audit finds the readings.
fn database(args: &BenchArgs) -> Result<Database, String> {
    let Some(url) = args.influxdb_url.clone().filter(|_| args.store == StoreKind::Influxdb) else {
        return Ok(Database::Sqlite);
    };
    let token = match &args.influxdb_token_file {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| format!("--influxdb-token-file: {}: {error}", path.display()))?,
        None => std::env::var(TOKEN_VARIABLE).unwrap_or_default(),
    };
    let (bucket, token) = (args.influxdb_bucket.clone(), token.trim().to_owned());
    let bucket = bucket.unwrap_or_else(|| "fogline".to_owned());
    Ok(Database::Influx(InfluxServer { url, bucket, token, dialect: None }))
}

fn store_flags(args: &BenchArgs) -> Vec<String> {
    let token_file = args.influxdb_token_file.as_ref().map(|path| path.display().to_string());
    let flags = [
        ("--influxdb-url", args.influxdb_url.clone()),
        ("--influxdb-org", args.influxdb_org.clone()),
        ("--influxdb-bucket", args.influxdb_bucket.clone()),
        ("--influxdb-token-file", token_file),
    ];
    flags.into_iter().filter_map(|(flag, value)| value.map(|value| format!("{flag}={value}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn plan(line: &str) -> Result<Plan, String> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Plan::new(&Cli::try_parse_from(words).map_err(|error| error.to_string())?.args)
    }

    #[test]
    fn a_backlog_has_defaults_of_its_own() {
        let steady = plan("").unwrap();
        assert_eq!((steady.agents, steady.rate, steady.store_name()), (10, 1000.0, "sqlite"));
        let backlog = plan("--backlog 1000").unwrap();
        assert_eq!((backlog.agents, backlog.rate, backlog.kind), (1, 10.0, Kind::Backlog(1000)));
        let overload = plan("--overload --agents 50").unwrap();
        assert_eq!((overload.rate, overload.store_rate, overload.commit_every_ms), (500.0, Some(100), 1000));
        assert_eq!(plan("--storm").unwrap().agents, 1000);
        let failover = plan("--failover").unwrap();
        assert_eq!((failover.agents, failover.rate, failover.kind), (3, 150.0, Kind::Failover(3)));
    }

    #[test]
    fn what_an_agent_cannot_do_is_refused() {
        for line in [
            "--rate 0.5 --agents 10",
            "--rate 200000 --agents 1",
            "--rate NaN",
            "--store influxdb",
            "--outbox --agents 2",
            "--storm --overload",
            "--storm --backlog 5",
            "--failover --store null",
            "--failover --backlog 1",
            "--failover --seconds 1",
            "--rounds 2",
            "--failover --rounds 0",
        ] {
            assert!(plan(line).is_err(), "{line}");
        }
        let influx = plan("--store influxdb --influxdb-url http://localhost:8086").unwrap();
        assert_eq!(influx.store_flags, ["--influxdb-url=http://localhost:8086"]);
    }
}
