//! What is to be measured, with everything decided.

use super::BenchArgs;
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
    pub(crate) backlog: Option<u64>,
}

impl Plan {
    /// Fills in what was not said.
    ///
    /// # Errors
    /// What does not fit together, with the remedy.
    pub(crate) fn new(args: &BenchArgs) -> Result<Self, String> {
        let agents = args.agents.unwrap_or(if args.backlog.is_some() { 1 } else { 10 });
        let rate = args.rate.unwrap_or(if args.backlog.is_some() { 10.0 } else { 1000.0 });
        let each = rate / f64::from(agents);
        if !AGENT_RATES.contains(&each) {
            return Err(format!(
                "--rate: {rate} readings a second are {each} for each of {agents} agents; give {} to {} for each",
                AGENT_RATES.start(),
                AGENT_RATES.end()
            ));
        }
        Ok(Self {
            store: args.store,
            store_flags: store_flags(args),
            agents,
            rate,
            duration: Duration::from_secs(args.seconds.unwrap_or(15)),
            reading_bytes: args.reading_bytes,
            commit_every_ms: args.commit_every,
            backlog: args.backlog,
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
        assert_eq!((backlog.agents, backlog.rate, backlog.backlog), (1, 10.0, Some(1000)));
    }

    #[test]
    fn what_an_agent_cannot_do_is_refused() {
        for line in [
            "--rate 0.5 --agents 10",
            "--rate 200000 --agents 1",
            "--rate NaN",
            "--store influxdb",
            "--outbox --agents 2",
        ] {
            assert!(plan(line).is_err(), "{line}");
        }
        let influx = plan("--store influxdb --influxdb-url http://localhost:8086").unwrap();
        assert_eq!(influx.store_flags, ["--influxdb-url=http://localhost:8086"]);
    }
}
