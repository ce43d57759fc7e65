//! `fogline limit`: the speed limit of an agent or a region, by its operator.

use crate::analyst::api::AnalystError;
use crate::directive::{ApiArgs, Row, TargetArgs, WaitArgs, carry_out, change, directives, time, who};
use crate::table::Table;
use clap::{Args, Subcommand};
use fogline_agent::calendar::instant;
use fogline_agent::durations::Span;
use fogline_protocol::ids::Name;
use fogline_protocol::time::Wall;
use fogline_runtime::clock;
use serde_json::json;
use std::process::ExitCode;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline limit set 80 --region a7 --for 30m
  fogline limit set 60 --agent a7/lane-1 --until 2026-11-22T18:00:00+01:00
  fogline limit clear --region a7                what is computed counts again, at once
  fogline limit list
  fogline limit --api https://site-1:8080 --ca ca.pem --token-file operator.token set 80 --region a7 --for 2h

A limit that is set counts before what is computed, one for an agent before one for its region, until its time is over (a day at
most) or it is cleared. Agents that are away are told when they are back. Where ingesters divide regions, ask one that takes the region.

Exit status: 0 when all agents that are online have acknowledged, 1 when not, 2 for bad settings.";

/// Whom to ask, and for what.
#[derive(Debug, Args)]
pub struct LimitArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
    /// Set a limit over what is computed
    #[command(after_help = "Examples:\n  fogline limit set 80 --region a7 --for 30m\n  \
                            fogline limit set 60 --agent a7/lane-1 --until 2026-11-22T18:00:00Z --wait 30s")]
    Set {
        /// In km/h, between the ingester's lowest and highest limit
        limit_kmh: f64,
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        end: End,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// Take it back
    #[command(
        after_help = "Examples:\n  fogline limit clear --region a7\n  fogline limit clear --agent a7/lane-1 --json"
    )]
    Clear {
        #[command(flatten)]
        target: TargetArgs,
        #[command(flatten)]
        wait: WaitArgs,
    },
    /// List the limits that operators have set, newest first
    #[command(after_help = "Examples:\n  fogline limit list\n  fogline limit list --region a7 --ended --json")]
    List {
        /// Only those of this region
        #[arg(long)]
        region: Option<Name>,
        /// Those that ended too
        #[arg(long)]
        ended: bool,
    },
}

/// Until when.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct End {
    /// Until this time, with its offset: 2026-11-22T18:00:00+01:00
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Wall>,
    /// For so long: 90s, 30m, 2h
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<Span>,
}

impl End {
    fn us(&self) -> i64 {
        match (self.until, self.lasting) {
            (Some(until), _) => until.us(),
            (None, Some(Span(lasting))) => (clock::wall() + lasting).us(),
            (None, None) => 0,
        }
    }
}

fn moment(text: &str) -> Result<Wall, String> {
    instant(text)
        .ok_or_else(|| "write it with its offset, as in 2026-11-22T18:00:00+01:00 or 2026-11-22T17:00:00Z".to_owned())
}

/// Does what was ordered, and gives the exit status.
#[must_use]
pub fn execute(args: LimitArgs) -> ExitCode {
    let LimitArgs { api, order } = args;
    carry_out(&api, || match order {
        Order::Set { limit_kmh, target, end, wait } => {
            let body = json!({ "limit_kmh": limit_kmh, "until_us": end.us() });
            change(&api, &wait, &target.path("limit"), Some(&body), |row| format!("set: {}", title(row)))
        }
        Order::Clear { target, wait } => {
            change(&api, &wait, &target.path("limit"), None, |row| format!("cleared: {}", title(row)))
        }
        Order::List { region, ended } => list(&api, region.as_ref(), ended),
    })
}

fn title(row: &Row) -> String {
    let until = row.until_us.map_or_else(String::new, |us| format!(" until {}", time(us)));
    format!("{} km/h for {}{until}", kmh(row), row.whom())
}

fn kmh(row: &Row) -> String {
    row.body["limit_kmh"].as_f64().map_or_else(|| row.body.to_string(), |kmh| kmh.to_string())
}

fn list(args: &ApiArgs, region: Option<&Name>, ended: bool) -> Result<ExitCode, AnalystError> {
    let api = args.api().map_err(AnalystError::Problem)?;
    let rows = directives(&api, "limit", region, ended)?;
    if args.json {
        println!("{}", serde_json::to_string(&rows).unwrap_or_default());
        return Ok(ExitCode::SUCCESS);
    }
    if rows.is_empty() {
        println!("no operator has set a limit");
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::of_texts(&["FOR", "KM/H", "SET", "BY", "UNTIL", "ENDED"]);
    for row in &rows {
        let ended = row.ended.as_ref().map_or_else(String::new, |how| {
            let by = row.ended_by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
            format!("{how}{by} {}", row.ended_us.map(time).unwrap_or_default())
        });
        let until = row.until_us.map(time).unwrap_or_default();
        table.row([row.whom(), kmh(row), time(row.set_us), who(row.by.as_ref()).to_owned(), until, ended]);
    }
    table.lines().iter().for_each(|line| println!("{}", line.trim_end()));
    Ok(ExitCode::SUCCESS)
}
