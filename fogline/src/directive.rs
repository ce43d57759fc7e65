//! What operators decide, over an ingester's API: whom it is for, setting it, and waiting until agents have answered.

use crate::analyst::api::{AnalystError, Answer, Api};
use crate::cli::EXIT_USAGE;
use crate::table::Table;
use clap::Args;
use fogline_agent::calendar::utc;
use fogline_agent::durations::Span;
use fogline_protocol::ids::Name;
use fogline_protocol::time::Wall;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// From one look at the answers to the next.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The most pages of agents of one directive: 100,000 agents.
const PAGES_MAX: usize = 100;

/// How to reach the ingester.
#[derive(Debug, Args)]
pub struct ApiArgs {
    /// Where the ingester that leads answers HTTP
    #[arg(long, global = true, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "FOGLINE_API")]
    api: String,
    /// File that holds a token of the role operator (to look: viewer), for an ingester with tokens
    #[arg(long, global = true, value_name = "FILE", env = "FOGLINE_API_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of the CA that signed the ingester's certificate; needed with https
    #[arg(long, global = true, value_name = "FILE", env = "FOGLINE_API_CA")]
    ca: Option<PathBuf>,
    /// As one line of JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

impl ApiArgs {
    /// The API, or what is wrong with its address.
    pub(crate) fn api(&self) -> Result<Api, String> {
        Api::new(&self.api, self.token_file.clone(), self.ca.clone()).map_err(|problem| format!("--api: {problem}"))
    }
}

/// For whom.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct TargetArgs {
    /// One agent
    #[arg(long, value_name = "REGION/NAME")]
    agent: Option<AgentName>,
    /// All agents of a region, also those that come later
    #[arg(long, value_name = "REGION")]
    region: Option<Name>,
}

/// An agent, as `region/name`.
#[derive(Debug, Clone)]
struct AgentName(Name, Name);

impl FromStr for AgentName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (region, name) = text.split_once('/').ok_or("give the region too, as in a7/lane-1")?;
        let name_of = |text: &str| Name::new(text).map_err(|error| error.to_string());
        Ok(Self(name_of(region)?, name_of(name)?))
    }
}

impl TargetArgs {
    /// The path of one of its resources. Names need no escaping.
    pub(crate) fn path(&self, resource: &str) -> String {
        match (&self.agent, &self.region) {
            (Some(AgentName(region, agent)), _) => format!("/api/v1/agents/{region}/{agent}/{resource}"),
            (None, Some(region)) => format!("/api/v1/regions/{region}/{resource}"),
            (None, None) => String::new(),
        }
    }

    /// The region, and the agent if it is one.
    pub(crate) fn names(&self) -> (Option<&Name>, Option<&Name>) {
        let agent = self.agent.as_ref();
        (agent.map(|AgentName(region, _)| region).or(self.region.as_ref()), agent.map(|AgentName(_, agent)| agent))
    }
}

/// How long to wait for answers.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// How long to wait until all agents that are online have acknowledged; 0s: not at all
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    wait: Span,
}

/// A directive, as the API says it.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) region: String,
    pub(crate) agent: Option<String>,
    pub(crate) key: String,
    pub(crate) body: Value,
    pub(crate) by: Option<String>,
    pub(crate) set_us: i64,
    pub(crate) until_us: Option<i64>,
    pub(crate) ended_us: Option<i64>,
    pub(crate) ended: Option<String>,
    pub(crate) ended_by: Option<String>,
}

impl Row {
    /// Whom it is for.
    pub(crate) fn whom(&self) -> String {
        match &self.agent {
            Some(agent) => format!("agent {}/{agent}", self.region),
            None => format!("all of region {}", self.region),
        }
    }
}

/// What an agent has of it, as the API says it.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Told {
    pub(crate) region: String,
    pub(crate) agent: String,
    pub(crate) online: Option<bool>,
    pub(crate) state: String,
    pub(crate) acknowledged: bool,
    pub(crate) decision: Option<Value>,
}

impl Told {
    /// Whether there is nothing more to wait for.
    fn is_settled(&self) -> bool {
        self.acknowledged || self.state == "overridden" || self.online != Some(true)
    }

    /// True when it has answered that it does something else than it was told.
    fn is_refused(&self) -> bool {
        self.acknowledged && !matches!(self.state.as_str(), "applied" | "overridden")
    }

    fn words(&self) -> String {
        let reason = self.decision.as_ref().and_then(|decision| decision.get("reason")?.as_str());
        match (self.state.as_str(), self.online, reason) {
            ("waiting", None, _) => "never heard of: told when it comes".to_owned(),
            ("waiting", Some(false), _) => "told when it is back".to_owned(),
            ("waiting", Some(true), _) => "has not acknowledged yet".to_owned(),
            ("overridden", ..) => "a setting of its own counts".to_owned(),
            (state, _, Some(reason)) => format!("{}: {reason}", state.replace('_', " ")),
            (state, ..) => state.replace('_', " "),
        }
    }
}

/// A list, as the API pages it.
#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// What became of a directive.
#[derive(Serialize)]
struct Report<'a> {
    directive: &'a Row,
    agents: Vec<Told>,
    online: usize,
    acknowledged: usize,
    done: bool,
}

/// Makes a change, waits until agents have answered, says what became of it, and gives the exit status: success only when all that
/// are online have acknowledged, and do it.
pub(crate) fn change(
    args: &ApiArgs,
    wait: &WaitArgs,
    path: &str,
    set: Option<&Value>,
    title: impl Fn(&Row) -> String,
) -> Result<ExitCode, AnalystError> {
    let api = args.api().map_err(AnalystError::Problem)?;
    let answer = match set {
        Some(body) => api.put(path, body)?,
        None => api.delete(path)?,
    };
    let row: Row = parse(answer)?;
    if !args.json {
        println!("{}", title(&row));
    }
    let agents = until_told(&api, row.id, wait.wait.0)?;
    Ok(say(args, &row, agents))
}

fn say(args: &ApiArgs, row: &Row, agents: Vec<Told>) -> ExitCode {
    let online: Vec<&Told> = agents.iter().filter(|told| told.online == Some(true)).collect();
    let acknowledged = online.iter().filter(|told| told.acknowledged || told.state == "overridden").count();
    let done = acknowledged == online.len() && !online.iter().any(|told| told.is_refused());
    let online = online.len();
    if args.json {
        let report = Report { directive: row, agents, online, acknowledged, done };
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    } else {
        show(&agents);
        println!("{acknowledged} of {online} agents that are online have acknowledged");
    }
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The agents, as a table.
pub(crate) fn show(agents: &[Told]) {
    let mut table = Table::of_texts(&["AGENT", "ONLINE", "STATE"]);
    for told in agents {
        let online = told.online.map_or("-", |online| if online { "yes" } else { "no" });
        table.row([format!("{}/{}", told.region, told.agent), online.to_owned(), told.words()]);
    }
    if !agents.is_empty() {
        table.lines().iter().for_each(|line| println!("{line}"));
    }
}

/// Asks until all that are online have answered, or the time is over. What an agent has answered stays so: its register goes on.
fn until_told(api: &Api, id: u64, wait: Duration) -> Result<Vec<Told>, AnalystError> {
    let end = Instant::now() + wait;
    let mut seen: BTreeMap<String, Told> = BTreeMap::new();
    loop {
        for told in agents_of(api, id)? {
            let known = seen.get(&told.agent).is_some_and(|known| known.acknowledged);
            if !known {
                seen.insert(told.agent.clone(), told);
            }
        }
        if Instant::now() >= end || (!seen.is_empty() && seen.values().all(Told::is_settled)) {
            return Ok(seen.into_values().collect());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// All agents that a directive is for.
pub(crate) fn agents_of(api: &Api, id: u64) -> Result<Vec<Told>, AnalystError> {
    pages(api, &format!("/api/v1/directives/{id}/agents?limit=1000"))
}

/// Directives of a register.
pub(crate) fn directives(api: &Api, key: &str, region: Option<&Name>, ended: bool) -> Result<Vec<Row>, AnalystError> {
    let region = region.map_or_else(String::new, |region| format!("&region={region}"));
    pages(api, &format!("/api/v1/directives?limit=1000&key={key}&ended={ended}{region}"))
}

fn pages<T: for<'de> Deserialize<'de>>(api: &Api, path: &str) -> Result<Vec<T>, AnalystError> {
    let (mut all, mut after) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let Page { items, next } = parse(api.get(&format!("{path}{after}"))?)?;
        all.extend(items);
        let Some(next) = next else { break };
        after = format!("&after={next}");
    }
    Ok(all)
}

/// The answer as what it is to be.
pub(crate) fn parse<T: for<'de> Deserialize<'de>>(answer: Answer) -> Result<T, AnalystError> {
    let value = match answer {
        Answer::Found(value) => value,
        Answer::Nothing => Value::Null,
    };
    serde_json::from_value(value).map_err(|error| AnalystError::Unexpected(error.to_string()))
}

/// A time for people.
pub(crate) fn time(us: i64) -> String {
    utc(Wall::from_us(us))
}

/// Who did something.
pub(crate) fn who(by: Option<&String>) -> &str {
    by.map_or("-", String::as_str)
}

/// Does what was ordered if the address can be one, and gives the exit status; what went wrong is on standard error.
pub(crate) fn carry_out(args: &ApiArgs, order: impl FnOnce() -> Result<ExitCode, AnalystError>) -> ExitCode {
    if let Err(problem) = args.api() {
        eprintln!("error: {problem}");
        return ExitCode::from(EXIT_USAGE);
    }
    order().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(state: &str, online: Option<bool>, acknowledged: bool) -> Told {
        let (region, agent) = ("a7".to_owned(), "lane-1".to_owned());
        Told { region, agent, online, state: state.to_owned(), acknowledged, decision: None }
    }

    #[test]
    fn what_is_waited_for() {
        for (state, online, acknowledged, settled) in [
            ("waiting", Some(true), false, false),
            ("waiting", Some(false), false, true),
            ("waiting", None, false, true),
            ("applied", Some(true), true, true),
            ("rolled_back", Some(true), true, true),
            ("overridden", Some(true), false, true),
        ] {
            let told = told(state, online, acknowledged);
            assert_eq!(told.is_settled(), settled, "{state} {online:?}");
            assert_eq!(told.is_refused(), state == "rolled_back", "{state}");
        }
    }

    #[test]
    fn a_reason_is_shown() {
        let decision = Some(serde_json::json!({ "reason": "too short" }));
        let told = Told { decision, ..told("rolled_back", Some(true), true) };
        assert_eq!(told.words(), "rolled back: too short");
    }
}
