//! What `fogline audit` says of the same site: a second opinion, by sequence numbers, where the lab's own is by its sensors'
//! numbers.

use crate::LabError;
use crate::site::Site;
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

/// How long it may take: it reads all that is stored.
const DEADLINE: Duration = Duration::from_secs(120);
/// Exit status for settings that cannot be used: a program that has no audit says this.
const EXIT_USAGE: i32 = 2;

/// Runs it. Agents and ingesters must have ended, the database must run. None when the program has no audit.
///
/// # Errors
/// [`LabError::Program`] when it gives no account.
pub(crate) async fn audit(program: &Path, site: &Site) -> Result<Option<Value>, LabError> {
    let mut command = Command::new(program);
    command.args(["audit", "--json"]);
    for folder in site.ingesters_folders() {
        command.arg("--data-dir").arg(folder);
    }
    for agent in &site.agents {
        command.arg("--queue").arg(&agent.folder);
    }
    if let Some(url) = site.database.url() {
        command.args(["--influxdb-url", &url]);
    }
    command.stdin(Stdio::null()).kill_on_drop(true);
    let log = crate::site::log(site.folder(), "audit")?;
    let failed = |cause: String| LabError::Program { program: "fogline audit".to_owned(), cause, log: log.clone() };
    let output = tokio::time::timeout(DEADLINE, command.output()).await;
    let output = output.map_err(|_| failed(format!("no account within {DEADLINE:?}")))?;
    let output = output.map_err(|error| failed(error.to_string()))?;
    std::fs::write(&log, &output.stderr).map_err(|error| LabError::file(&log, &error))?;
    if output.status.code() == Some(EXIT_USAGE) {
        return Ok(None);
    }
    let first = output.stdout.split(|byte| *byte == b'\n').next().unwrap_or_default();
    match serde_json::from_slice(first) {
        Ok(account) => Ok(Some(account)),
        Err(error) => {
            Err(failed(format!("its account is no JSON ({error}): {}", String::from_utf8_lossy(&output.stderr))))
        }
    }
}

/// Whether it found everything in order.
pub(crate) fn passed(account: &Value) -> bool {
    account.get("passed").and_then(Value::as_bool) == Some(true)
}
