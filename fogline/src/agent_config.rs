//! `fogline agent config`: how often an agent samples and over which windows it averages, by its operator.

use crate::analyst::api::AnalystError;
use crate::cli::EXIT_USAGE;
use crate::directive::{ApiArgs, Row, TargetArgs, WaitArgs, agents_of, carry_out, change, directives, show, time, who};
use clap::{Args, Subcommand};
use fogline_agent::durations::Span;
use fogline_protocol::sensing::{KEY, Sensing};
use serde_json::json;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline agent config set --agent a7/lane-1 sampling=10s window=30s
  fogline agent config get --agent a7/lane-1
  fogline agent config clear --agent a7/lane-1   as it was started
  fogline agent config --api https://site-1:8080 --ca ca.pem --token-file operator.token set --region a7 sampling=1s

It is asked of the ingester that leads the region, which tells the agents; `fogline agent run --print-config` shows what an agent is started with. An agent
tries a new configuration, and goes back to what it had when it does not hear an ingester within two minutes, or does not live so long.

Exit status: 0 when all agents that are online have it, 1 when not, 2 for bad settings.";

/// Whom to ask, and for what.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
    /// Set it; what is not named is as the agent was started
    #[command(after_help = "Examples:\n  fogline agent config set --agent a7/lane-1 sampling=10s window=30s\n  \
                            fogline agent config set --region a7 window=none")]
    Set {
        #[command(flatten)]
        target: TargetArgs,
        /// sampling=DURATION (100ms to 1h), window=DURATION (1s to 1h) or window=none
        #[arg(required = true, value_name = "NAME=VALUE")]
        settings: Vec<Setting>,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Show what is set, by whom, and what agents have of it
    #[command(
        after_help = "Examples:\n  fogline agent config get --agent a7/lane-1\n  fogline agent config get --region a7 --json"
    )]
    Get {
        #[command(flatten)]
        target: TargetArgs,
    },
    /// Take back what was set: the agents work as they were started
    #[command(after_help = "Examples:\n  fogline agent config clear --agent a7/lane-1")]
    Clear {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        wait: WaitArgs,
    },
}

/// One of the things that can be set.
#[derive(Debug, Clone, Copy)]
enum Setting {
    Sampling(Duration),
    Window(Duration),
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("sampling", value)) => Ok(Self::Sampling(value.parse::<Span>()?.0)),
            Some(("window", "none")) => Ok(Self::Window(Duration::ZERO)),
            Some(("window", value)) => Ok(Self::Window(value.parse::<Span>()?.0)),
            _ => Err("give sampling=DURATION or window=DURATION, as in sampling=10s window=30s".to_owned()),
        }
    }
}

fn sensing(settings: &[Setting]) -> Sensing {
    let ms = |duration: Duration| Some(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX));
    settings.iter().fold(Sensing::default(), |sensing, setting| match *setting {
        Setting::Sampling(every) => Sensing { sampling_ms: ms(every), ..sensing },
        Setting::Window(width) => Sensing { window_ms: ms(width), ..sensing },
    })
}

/// Does what was ordered, and gives the exit status.
#[must_use]
pub fn execute(args: ConfigArgs) -> ExitCode {
    let ConfigArgs { api, order } = args;
    carry_out(&api, || match order {
        Order::Set { target, settings, wait } => {
            let sensing = sensing(&settings);
            if let Err(error) = sensing.check() {
                eprintln!("error: {error}");
                return Ok(ExitCode::from(EXIT_USAGE));
            }
            change(&api, &wait, &target.path("config"), Some(&sensing.body()), |row| format!("set: {}", title(row)))
        }
        Order::Get { target } => get(&api, &target),
        Order::Clear { target, wait } => {
            change(&api, &wait, &target.path("config"), None, |row| format!("cleared: {}", title(row)))
        }
    })
}

fn title(row: &Row) -> String {
    format!("{} for {}", words(&row.body), row.whom())
}

fn words(body: &serde_json::Value) -> String {
    let sensing = Sensing::parse(body).unwrap_or_default();
    let span = |ms: u64| Span(Duration::from_millis(ms)).to_string();
    let window = sensing.window_ms.map(|ms| if ms == 0 { "none".to_owned() } else { span(ms) });
    let named = [("sampling", sensing.sampling_ms.map(span)), ("window", window)];
    let named = named.map(|(name, value)| format!("{name}={}", value.unwrap_or_else(|| "as started".to_owned())));
    named.join(" ")
}

fn get(args: &ApiArgs, target: &TargetArgs) -> Result<ExitCode, AnalystError> {
    let api = args.api().map_err(AnalystError::Problem)?;
    let (region, agent) = target.names();
    let rows = directives(&api, KEY, region, false)?;
    let agent = agent.map(fogline_protocol::ids::Name::as_str);
    // One of an agent counts before that of its region.
    let of = |wanted: Option<&str>| rows.iter().find(|row| row.agent.as_deref() == wanted);
    let Some(row) = agent.and_then(|agent| of(Some(agent))).or_else(|| of(None)) else {
        let nothing = "nothing is set: it works as it was started";
        println!("{}", if args.json { "null" } else { nothing });
        return Ok(ExitCode::SUCCESS);
    };
    let mut agents = agents_of(&api, row.id)?;
    agents.retain(|told| agent.is_none_or(|agent| told.agent == agent));
    if args.json {
        println!("{}", json!({ "directive": row, "agents": agents }));
    } else {
        println!("{}; set {} by {}", title(row), time(row.set_us), who(row.by.as_ref()));
        show(&agents);
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_shown() {
        let settings = ["sampling=10s", "window=1m"].map(|text| text.parse::<Setting>().unwrap());
        let set = sensing(&settings);
        assert_eq!(set, Sensing { sampling_ms: Some(10_000), window_ms: Some(60_000) });
        assert_eq!(words(&set.body()), "sampling=10s window=1m");
        let none = sensing(&["window=none".parse().unwrap()]);
        assert_eq!(words(&none.body()), "sampling=as started window=none");
        for bad in ["sampling", "sampling=", "sampling=10", "speed=1s", "window=-1s"] {
            assert!(bad.parse::<Setting>().is_err(), "{bad}");
        }
    }
}
