//! From settings to a configuration: every value in range, or a problem with its remedy.

use super::limit::LimitSettings;
use super::source::SourceConfig;
use super::sources::SourceEntry;
use super::{Durability, HttpSettings, Settings, SourceKind, WhenFull};
use crate::durations::Span;
use crate::limit::{DEFAULT_LIMIT_KMH, LimitSinks};
use crate::tuning::Tunings;
use clap::ValueEnum;
use fogline_door::http::HttpConfig;
use fogline_protocol::clock::HOLD;
use fogline_protocol::delivery::lanes::Order;
use fogline_protocol::failover::{
    FAILOVER_AFTER, FAILOVER_AFTER_MAX, FAILOVER_AFTER_MIN, PREFER_PRIMARY_AFTER_MAX, PREFER_PRIMARY_AFTER_MIN,
};
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::node::Question;
use fogline_protocol::queue::{FullPolicy, QueueLimits};
use fogline_protocol::trial::TRIAL_FOR;
use fogline_protocol::usecase::REGISTRY;
use fogline_runtime::link::{BrokerAddress, LinkSecurity};
use fogline_runtime::outbox::Synchronous;
use fogline_runtime::settings::{SecuritySettings, TracesSettings};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Readings may gather for so long; what gathers is lost with the process, though not to a source that can repeat it.
const COMMIT_EVERY_MAX: Duration = Duration::from_secs(60);
/// The smallest bound of the queue in bytes: some of the longest readings.
const QUEUE_BYTES_MIN: u64 = 64 * 1024;
/// The shortest bound by age: below it readings would be dropped on their way.
const MAX_AGE_MIN: Duration = Duration::from_secs(1);

/// When an agent stops of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Until {
    /// Not before it is told to
    #[default]
    Stopped,
    /// When the source has ended and everything is queued
    Queued,
    /// When the source has ended and everything is acknowledged
    Acknowledged,
}

/// Holds the password where a container platform hands it over in the environment.
const PASSWORD_VARIABLE: &str = "FOGLINE_AGENT_PASSWORD";

/// Readings that wait for a clock longer than this are better sent.
const CLOCK_HOLD_MAX: Duration = Duration::from_secs(86_400);
/// Shorter than an answer may take; and longer than anybody waits who has cut off an agent.
const CONFIG_TRIAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);

/// What a garage asks: how full all of them are.
const OCCUPANCY: &str = "occupancy";
/// How often an ingester is asked, unless configured otherwise.
const ASK_EVERY: Duration = Duration::from_secs(10);
/// The shortest interval of a question: an ingester has thousands of agents.
const ASK_EVERY_MIN: Duration = Duration::from_secs(1);
const ASK_EVERY_MAX: Duration = Duration::from_secs(86_400);

/// An agent's configuration, complete and checked.
#[derive(Debug, Clone)]
pub struct AgentConfig {
    /// Who it is.
    pub id: AgentId,
    /// Brokers in order of preference.
    pub brokers: Vec<BrokerAddress>,
    /// How long an ingester may be silent, while it is waited for, before the next broker is used: 3 s to an hour. It repeats
    /// itself within 2 s. Default 10 s.
    pub failover_after: Duration,
    /// After how long a good connection to another broker to return to the first, 10 s to 30 days. Each return in vain is a gap
    /// of some seconds. Default: never.
    pub prefer_primary_after: Option<Duration>,
    /// Whom it trusts, and who it says it is.
    pub security: LinkSecurity,
    /// Where its queue and its status socket are. Made when it is missing.
    pub data_dir: PathBuf,
    /// The bounds of the queue.
    pub limits: QueueLimits,
    /// How long readings gather before they are committed together, at most a minute. Longer writes less, and delays more.
    pub commit_every: Duration,
    /// How long readings of a clock that was never set wait for it, from the start of the device on: at most a day. They
    /// wait at least a minute after the first connection, or as long as this if it is less, and as long as there is none.
    pub clock_hold: Duration,
    /// How long a configuration that an operator sets is tried before it is rolled back, from a second to an hour. Default 2
    /// min.
    pub config_trial: Duration,
    /// When a commit counts as durable.
    pub synchronous: Synchronous,
    /// Whether newer readings may overtake a backlog. Default: they do.
    pub order: Order,
    /// What it asks its ingester from time to time. Default: nothing.
    pub questions: Vec<Question>,
    /// Where readings come from. Default: nowhere.
    pub source: SourceConfig,
    /// Further sources, beside it: those of the tables `[[sources]]`. Default: none.
    pub sources: Vec<SourceEntry>,
    /// Changes how sources are sampled while the agent runs. Default: nothing is changed.
    pub tunings: Tunings,
    /// When it stops of its own accord.
    pub until: Until,
    /// The speed limit in km/h that holds while no decision is in force, above 0 and at most 400. Default 130.
    pub default_limit_kmh: f64,
    /// Who is told of the limit, beside whoever asks for the status. Default: nobody.
    pub limit_sinks: LimitSinks,
    /// Where health and metrics are served. Default: nowhere.
    pub http: Option<HttpConfig>,
    /// Where traces go. Default: where the environment says, or nowhere.
    pub traces: TracesSettings,
}

impl AgentConfig {
    /// An agent with the defaults for everything else: what `fogline-agent run` does without further flags.
    #[must_use]
    pub fn new(id: AgentId, brokers: Vec<BrokerAddress>, data_dir: PathBuf, source: SourceConfig) -> Self {
        let parks = matches!(source, SourceConfig::Garage(_));
        Self {
            id,
            brokers,
            failover_after: FAILOVER_AFTER,
            prefer_primary_after: None,
            security: LinkSecurity::default(),
            data_dir,
            limits: QueueLimits {
                readings: 10_000_000,
                bytes: 1 << 30,
                max_age_us: None,
                policy: FullPolicy::DropOldest,
            },
            commit_every: Duration::from_millis(50),
            clock_hold: HOLD,
            config_trial: TRIAL_FOR,
            synchronous: Synchronous::Full,
            order: if parks { Order::Accepted } else { Order::FreshFirst },
            questions: parks.then(|| Question { what: OCCUPANCY.to_owned(), every: ASK_EVERY }).into_iter().collect(),
            source,
            sources: Vec::new(),
            tunings: Tunings::new(),
            until: Until::Stopped,
            default_limit_kmh: DEFAULT_LIMIT_KMH,
            limit_sinks: LimitSinks::default(),
            http: None,
            traces: TracesSettings::defaults(),
        }
    }
}

impl Settings {
    /// What holds where nothing is `given`.
    pub(super) fn defaults(given: &Self) -> Self {
        let name = given.name.clone().unwrap_or_else(|| "agent-1".to_owned());
        let parks = given.source == Some(SourceKind::Garage);
        Self {
            brokers: vec!["127.0.0.1:1883".to_owned()],
            failover_after: Some(Span(FAILOVER_AFTER)),
            region: Some("local".to_owned()),
            log: Some("info".to_owned()),
            data_dir: Some(PathBuf::from("fogline-data").join(&name)),
            name: Some(name),
            commit_every: Some(Span(Duration::from_millis(50))),
            synchronous: Some(Durability::Full),
            clock_hold: Some(Span(HOLD)),
            config_trial: Some(Span(TRIAL_FOR)),
            queue_readings: Some(10_000_000),
            queue_bytes: Some(1 << 30),
            when_full: Some(WhenFull::DropOldest),
            in_order: Some(parks),
            ask: if parks { vec![OCCUPANCY.to_owned()] } else { Vec::new() },
            ask_every: Some(Span(ASK_EVERY)),
            until: Some(Until::Stopped),
            limit: LimitSettings::defaults(&given.limit),
            traces: TracesSettings::defaults(),
            ..Self::source_defaults(given)
        }
    }

    /// The configuration; none when there are problems. `given` is what is not a default.
    pub(super) fn check(self, given: &Self, problems: &mut Vec<String>) -> Option<AgentConfig> {
        let id = self.check_id(problems);
        let brokers = self.check_brokers(problems);
        let security = self.check_security(&brokers, problems);
        let (failover_after, prefer_primary_after) = self.check_failover(brokers.len(), problems);
        let limits = self.check_limits(problems);
        let commit_every = self.commit_every.map_or(Duration::ZERO, |span| span.0);
        if commit_every > COMMIT_EVERY_MAX {
            problems.push(format!("commit_every: {} is too long, give at most 60s", Span(commit_every)));
        }
        let clock_hold = self.clock_hold.map_or(HOLD, |span| span.0);
        if clock_hold > CLOCK_HOLD_MAX {
            problems.push(format!("clock_hold: {} is too long, give at most 1d", Span(clock_hold)));
        }
        let config_trial = self.config_trial.map_or(TRIAL_FOR, |span| span.0);
        if !CONFIG_TRIAL.contains(&config_trial) {
            problems.push(format!("config_trial: {} is not from 1s to 1h", Span(config_trial)));
        }
        let order = if self.in_order == Some(true) { Order::Accepted } else { Order::FreshFirst };
        let questions = self.check_questions(problems);
        let (source, sources) = self.check_sources(given, id.as_ref(), problems);
        let until = self.until.unwrap_or_default();
        self.traces.check(problems);
        let (default_limit_kmh, limit_sinks) = self.limit.check(id.as_ref(), problems);
        let http = check_http(self.http, problems);
        let synchronous = match self.synchronous {
            Some(Durability::Normal) => Synchronous::Normal,
            Some(Durability::Full) | None => Synchronous::Full,
        };
        let data_dir = self.data_dir.unwrap_or_default();
        Some(AgentConfig {
            id: id?,
            brokers,
            failover_after,
            prefer_primary_after,
            security,
            data_dir,
            limits,
            commit_every,
            clock_hold,
            config_trial,
            synchronous,
            order,
            questions,
            source: source?,
            sources,
            tunings: Tunings::new(),
            until,
            default_limit_kmh,
            limit_sinks,
            http,
            traces: self.traces,
        })
    }

    fn check_id(&self, problems: &mut Vec<String>) -> Option<AgentId> {
        let mut name = |text: &Option<String>, what: &str| {
            let checked = Name::new(text.as_deref().unwrap_or_default());
            checked.map_err(|error| problems.push(format!("{what}: {error}"))).ok()
        };
        let (region, agent) = (name(&self.region, "region"), name(&self.name, "name"));
        Some(AgentId { region: region?, agent: agent? })
    }

    fn check_brokers(&self, problems: &mut Vec<String>) -> Vec<BrokerAddress> {
        let mut parse = |text: &String| {
            let parsed = text.parse::<BrokerAddress>();
            parsed.map_err(|error| problems.push(format!("broker: {text}: {error}"))).ok()
        };
        self.brokers.iter().filter_map(&mut parse).collect()
    }

    fn check_security(&self, brokers: &[BrokerAddress], problems: &mut Vec<String>) -> LinkSecurity {
        let given = SecuritySettings {
            broker_ca: self.broker_ca.clone(),
            broker_cert: self.broker_cert.clone(),
            broker_key: self.broker_key.clone(),
            user: self.user.clone(),
            password_file: self.password_file.clone(),
        };
        given.check(self.name.as_deref().unwrap_or_default(), brokers, PASSWORD_VARIABLE, problems)
    }

    fn check_questions(&self, problems: &mut Vec<String>) -> Vec<Question> {
        let every = self.ask_every.map_or(ASK_EVERY, |span| span.0);
        if !(ASK_EVERY_MIN..=ASK_EVERY_MAX).contains(&every) {
            problems.push(format!("ask_every: {}, give 1s to 1d", Span(every)));
        }
        let known: Vec<&str> = REGISTRY.iter().filter_map(|usecase| usecase.question()).collect();
        for what in self.ask.iter().filter(|what| !known.contains(&what.as_str())) {
            problems.push(format!("ask: no ingester answers {what:?}, ask for {}", known.join(" or ")));
        }
        self.ask.iter().map(|what| Question { what: what.clone(), every }).collect()
    }

    fn check_failover(&self, brokers: usize, problems: &mut Vec<String>) -> (Duration, Option<Duration>) {
        let after = self.failover_after.map_or(FAILOVER_AFTER, |span| span.0);
        let mut check = |what: &str, given: Duration, least: Duration, most: Duration| {
            if !(least..=most).contains(&given) {
                problems.push(format!("{what}: {}, give {} to {}", Span(given), Span(least), Span(most)));
            }
        };
        check("failover_after", after, FAILOVER_AFTER_MIN, FAILOVER_AFTER_MAX);
        let prefer = self.prefer_primary_after.map(|span| span.0);
        if let Some(prefer) = prefer {
            check("prefer_primary_after", prefer, PREFER_PRIMARY_AFTER_MIN, PREFER_PRIMARY_AFTER_MAX);
            if brokers == 1 {
                problems.push(
                    "prefer_primary_after: there is one broker only, name another one or leave it out".to_owned(),
                );
            }
        }
        (after, prefer)
    }

    fn check_limits(&self, problems: &mut Vec<String>) -> QueueLimits {
        let readings = self.queue_readings.unwrap_or(0);
        if readings == 0 {
            problems.push("queue_readings: a queue without room, give at least 1".to_owned());
        }
        let bytes = self.queue_bytes.unwrap_or(0);
        if bytes < QUEUE_BYTES_MIN {
            problems.push(format!("queue_bytes: {bytes} is too small, give at least {QUEUE_BYTES_MIN}"));
        }
        let max_age_us = self.queue_max_age.and_then(|Span(age)| {
            if age < MAX_AGE_MIN {
                problems.push(format!("queue_max_age: {} is too short, give at least 1s", Span(age)));
            }
            i64::try_from(age.as_micros()).ok()
        });
        let policy = match self.when_full {
            Some(WhenFull::DropNewest) => FullPolicy::DropNewest,
            Some(WhenFull::Block) => FullPolicy::Block,
            Some(WhenFull::DropOldest) | None => FullPolicy::DropOldest,
        };
        QueueLimits { readings, bytes, max_age_us, policy }
    }
}

/// Not served unless an address is given.
fn check_http(given: HttpSettings, problems: &mut Vec<String>) -> Option<HttpConfig> {
    match given.http {
        Some(address) => Some(given.checked(address, problems)),
        None if given != HttpSettings::default() => {
            problems.push("http: missing, give --http ADDRESS:PORT, or leave out tokens and certificate".to_owned());
            None
        }
        None => None,
    }
}
