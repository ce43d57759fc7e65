//! `fogline-agent queue`: what is in an agent's queue, whether the agent runs or not; and putting readings in and taking them
//! out by hand.
//!
//! Looks go through SQLite, read only, and disturb nobody. What changes the queue goes through the running agent, which alone
//! may write to it (`hand`); the queue of a stopped agent is opened as the agent would.

mod export;
mod hand;
mod lines;
mod ls;
mod peek;
mod purge;
mod replay;
mod verify;

use crate::durations::Span;
use crate::settings::QueueFiles;
use crate::status::queue_path;
use clap::{Args, Subcommand, ValueEnum};
use fogline_protocol::ids::Seq;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shown below the options of `queue`.
pub const EXAMPLES: &str = "\
Examples:
  fogline-agent queue ls --name lane-1                       what is in it: streams, numbers, gaps, damage
  fogline-agent queue peek --name lane-1 --count 3           the oldest readings
  fogline-agent queue verify --name lane-1                   reads everything; exit status 1 when something is damaged
  fogline-agent queue export --name lane-1 --output q.jsonl  all readings, to read or to keep
  fogline-agent queue replay set-aside.jsonl --name lane-1   readings of a file as new readings
  fogline-agent queue purge --name lane-1 --older-than 7d --yes

The agent may run or not. Each of them takes --data-dir in place of --name.";

/// What can be done with a queue.
#[derive(Debug, Clone, Subcommand)]
pub enum QueueCommand {
    /// Show what is in the queue: streams, numbers, gaps, damage, files that were set aside
    Ls(LookArgs),
    /// Print readings as JSON lines, the oldest first
    Peek(PeekArgs),
    /// Read everything and hold it against its checksums
    Verify(LookArgs),
    /// Write all readings to a file, or to standard output
    Export(ExportArgs),
    /// Append readings of a file (exported, set aside, or one JSON object a line) as new readings
    Replay(ReplayArgs),
    /// Drop readings for good; they are reported as gaps
    Purge(PurgeArgs),
}

/// Which queue, and how it is shown.
#[derive(Debug, Clone, Args)]
pub struct LookArgs {
    /// Where it is
    #[command(flatten)]
    pub files: QueueFiles,
    /// As one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Which readings are printed.
#[derive(Debug, Clone, Args)]
pub struct PeekArgs {
    /// Where the queue is
    #[command(flatten)]
    pub files: QueueFiles,
    /// The first number to look at [default: the oldest]
    #[arg(long, value_name = "SEQ")]
    pub from: Option<Seq>,
    /// How many readings
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub count: u64,
}

/// In what form readings are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One JSON object a line; `queue replay` reads it
    Jsonl,
    /// A table with one row for each field of a reading
    Csv,
}

/// Where readings are written to.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Where the queue is
    #[command(flatten)]
    pub files: QueueFiles,
    /// The form
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    pub format: ExportFormat,
    /// The file; it must not be there yet [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Which readings are appended.
#[derive(Debug, Clone, Args)]
pub struct ReplayArgs {
    /// One JSON object a line: a reading, or an object with the reading under "reading"; - for standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where the queue is
    #[command(flatten)]
    pub files: QueueFiles,
    /// Only check the file
    #[arg(long)]
    pub dry_run: bool,
    /// As one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Which readings are dropped.
#[derive(Debug, Clone, Args)]
#[group(id = "which", required = true, multiple = false, args = ["through", "older_than", "all"])]
pub struct PurgeArgs {
    /// Where the queue is
    #[command(flatten)]
    pub files: QueueFiles,
    /// All up to this number
    #[arg(long, value_name = "SEQ")]
    pub through: Option<Seq>,
    /// From the oldest on, as long as they are older than this: 12h, 7d
    #[arg(long, value_name = "DURATION")]
    pub older_than: Option<Span>,
    /// All that are there now
    #[arg(long)]
    pub all: bool,
    /// Do it: without this it only says what it would do
    #[arg(long)]
    pub yes: bool,
    /// As one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Does what was asked for. Blocks. The exit status is 1 when `verify` finds damage.
///
/// # Errors
/// What kept it from being done, and what to do about it.
pub fn execute(command: QueueCommand) -> anyhow::Result<ExitCode> {
    match command {
        QueueCommand::Ls(args) => ls::run(&queue_path(&args.files.resolve()?), args.json),
        QueueCommand::Peek(args) => peek::run(&queue_path(&args.files.resolve()?), args.from, args.count),
        QueueCommand::Verify(args) => verify::run(&queue_path(&args.files.resolve()?), args.json),
        QueueCommand::Export(args) => {
            export::run(&queue_path(&args.files.resolve()?), args.format, args.output.as_deref())
        }
        QueueCommand::Replay(args) => replay::run(&args.files.resolve()?, &args.file, args.dry_run, args.json),
        QueueCommand::Purge(args) => {
            let which = match (args.through, args.older_than) {
                (Some(through), _) => purge::Which::Through(through),
                (None, Some(age)) => purge::Which::OlderThan(age),
                (None, None) => purge::Which::All,
            };
            purge::run(&args.files.resolve()?, which, args.yes, args.json)
        }
    }
}

/// A count with commas between thousands, as people read it.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
