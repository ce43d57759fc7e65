//! The command line: `fogline lab`.

use crate::account::Account;
use crate::fault;
use crate::machine::Machine;
use crate::options::{BrokerKind, Options, StoreKind};
use crate::run::{LESSON_LENGTH, Plan, run};
use crate::story::Story;
use crate::{LabError, render};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Exit status for options that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;
/// Exit status after Ctrl-C.
const EXIT_INTERRUPTED: u8 = 130;
/// The bounds of a run: a day, and what one machine carries.
const MINUTES_MAX: f64 = 24.0 * 60.0;

/// A seed that was not given is below this: short enough to be read out.
const SEEDS: u64 = 1_000_000;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline lab                               two minutes of faults, then the account
  fogline lab --minutes 30 --seed 7         a long run; the same seed plays the same faults
  fogline lab --faults kill-broker,pause-ingester --store influxdb
  fogline lab --broker mosquitto            the same through Eclipse Mosquitto
  fogline lab list                          the faults, each a lesson too
  fogline lab kill-broker                   one fault with a commentary: what happens, and why nothing is lost

Everything it starts is its own, in a temporary folder and on loopback, and is ended with it.
Exit status: 0 when the verdict is good, 1 when it is not, 2 for bad options, 130 when interrupted.";

/// The command line of the lab.
#[derive(Debug, Clone, Args)]
pub struct LabArgs {
    /// list, or a fault to be played as a lesson [default: a run by a schedule]
    #[arg(value_name = "LESSON")]
    pub lesson: Option<String>,
    /// How long faults are played
    #[arg(long, value_name = "MINUTES", default_value_t = 2.0)]
    pub minutes: f64,
    /// What the schedule is drawn from [default: another one each time, and shown]
    #[arg(long, value_name = "NUMBER", env = "FOGLINE_LAB_SEED")]
    pub seed: Option<u64>,
    /// What the brokers are
    #[arg(long, value_enum, default_value_t)]
    pub broker: BrokerKind,
    /// Where ingesters store
    #[arg(long, value_enum, default_value_t)]
    pub store: StoreKind,
    /// Only these faults [default: all that can be played here]
    #[arg(long, value_name = "FAULT,...", value_delimiter = ',')]
    pub faults: Option<Vec<String>>,
    /// How many agents
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=50))]
    pub agents: u16,
    /// How many sites, each a broker and an ingester
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=3))]
    pub sites: u8,
    /// Readings a second of each agent
    #[arg(long, value_name = "NUMBER", default_value_t = 20.0)]
    pub rate: f64,
    /// Strike this `fogline`, another version for example [default: this program itself]
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
    /// The account as JSON, and no commentary
    #[arg(long)]
    pub json: bool,
    /// Keep the folder of the run, logs and databases, though the verdict is good
    #[arg(long)]
    pub keep: bool,
}

/// Does what was asked for, and gives the exit status.
pub async fn execute(args: LabArgs) -> ExitCode {
    let json = args.json;
    let outcome = tokio::select! {
        outcome = play(args) => outcome,
        () = fogline_runtime::signals::stop() => Err(LabError::Interrupted),
    };
    match outcome {
        Ok(Some(account)) => {
            let good = account.good;
            let shown =
                if json { serde_json::to_string(&account).unwrap_or_default() + "\n" } else { account.to_string() };
            if print(&shown) && good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            match error {
                LabError::Options(_) => ExitCode::from(EXIT_USAGE),
                LabError::Interrupted => ExitCode::from(EXIT_INTERRUPTED),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

async fn play(args: LabArgs) -> Result<Option<Account>, LabError> {
    let json = args.json;
    if args.lesson.as_deref() == Some("list") {
        print(&list());
        return Ok(None);
    }
    let (mut options, machine) = (options(&args)?, Machine::look());
    let plan = match args.lesson {
        None => Plan::of(&options, &machine)?,
        Some(name) => {
            options.set_for(&name)?;
            options.length = LESSON_LENGTH;
            Plan::lesson(&options, &machine)?
        }
    };
    let story = Story::new(options.length, json);
    run(&options, plan, &story).await.map(Some)
}

fn options(args: &LabArgs) -> Result<Options, LabError> {
    if !(0.1..=MINUTES_MAX).contains(&args.minutes) {
        return Err(LabError::Options(format!("--minutes {}: give 0.1 to {MINUTES_MAX}", args.minutes)));
    }
    if !(0.1..=1000.0).contains(&args.rate) {
        return Err(LabError::Options(format!("--rate {}: give 0.1 to 1000 readings a second", args.rate)));
    }
    let own = || std::env::current_exe().map_err(|error| LabError::machine("the path of this program", &error));
    let program = args.program.clone().map_or_else(own, Ok)?;
    let seed = args.seed.unwrap_or_else(|| fogline_runtime::clock::entropy() % SEEDS);
    Ok(Options {
        length: Duration::from_secs_f64(args.minutes * 60.0),
        agents: usize::from(args.agents),
        rate: args.rate,
        sites: usize::from(args.sites),
        broker: args.broker,
        store: args.store,
        faults: args.faults.clone(),
        keep: args.keep,
        ..Options::new(program, seed)
    })
}

/// The faults, what they need, and what happens.
fn list() -> String {
    let machine = Machine::look();
    let mut rows = vec![vec!["lesson".to_owned(), "what happens".to_owned()]];
    for fault in fault::ALL {
        let lacks = fault.needs().iter().find_map(|need| machine.lacks(*need));
        let happens = fault.lesson().happens.split_inclusive('.').next().unwrap_or_default();
        let note = lacks.map_or_else(String::new, |why| format!(" (not here: {why})"));
        rows.push(vec![fault.name().to_owned(), format!("{happens}{note}")]);
    }
    render::texts(&rows)
}

fn print(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}
