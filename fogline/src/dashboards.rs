//! Grafana's boards: described here, one file each in `boards`, and written as the files that Grafana is provisioned with, with the alert rules.
//! Fields, units and ranges come from the registry of use cases, so that a board cannot name what is not measured.

mod alert;
mod annotation;
mod board;
mod boards;
mod panel;
mod query;
mod rules;
mod unit;
mod variable;

use crate::cli::EXIT_USAGE;
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline dashboards --out grafana             write the boards and alert rules below grafana/
  fogline dashboards --out grafana --check     say whether the files there are what this program would write

Exit status: 0 when done, 1 when files differ or cannot be written, 2 for bad settings.";

/// Where the files go.
#[derive(Debug, Clone, Args)]
pub struct DashboardsArgs {
    /// The folder that has `dashboards` and `provisioning` in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write nothing: name the files that are missing or differ
    #[arg(long)]
    check: bool,
}

/// A file that Grafana reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrafanaFile {
    /// Below the folder `grafana`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

/// All files.
#[must_use]
pub fn files() -> Vec<GrafanaFile> {
    let file = |path: String, json: &serde_json::Value| GrafanaFile { path, text: format!("{json:#}\n") };
    let boards = boards::all();
    let rules = alert::file(&rules::all(), &boards);
    let mut files: Vec<_> =
        boards.iter().map(|board| file(format!("dashboards/{}.json", board.name), &board.json())).collect();
    files.push(file("provisioning/alerting/rules.json".to_owned(), &rules));
    files
}

/// Writes or checks them, and gives the exit status.
#[must_use]
pub fn execute(args: &DashboardsArgs) -> ExitCode {
    if !args.out.is_dir() {
        eprintln!("error: {} is no folder: make it, or name another with --out", args.out.display());
        return ExitCode::from(EXIT_USAGE);
    }
    let done = files().iter().all(|file| {
        let path = args.out.join(&file.path);
        let result = if args.check { check(&path, &file.text) } else { write(&path, &file.text) };
        result.inspect_err(|problem| eprintln!("error: {}: {problem}", path.display())).is_ok()
    });
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(path: &Path, text: &str) -> Result<(), String> {
    match std::fs::read_to_string(path) {
        Ok(found) if found == text => Ok(()),
        Ok(_) => Err("is not what this program writes: run `fogline dashboards` without --check".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    std::fs::write(path, text).map_err(|error| error.to_string())
}
