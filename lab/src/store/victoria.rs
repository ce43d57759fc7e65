//! VictoriaMetrics: keeps what it has answered in memory for some seconds, so that it is ended in order or held, and never killed.
//! It keeps times to the millisecond, of which the lab's sensors give each only once.

use super::{KIND, number, percent_encoded};
use crate::LabError;
use crate::ask;
use crate::books::Held;
use crate::machine::program;
use crate::ports::free_port;
use crate::process::Recipe;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long it may take to find readings.
const PATIENCE: Duration = Duration::from_secs(60);

/// How it is started with its data in `folder`, and the port on which it will listen.
pub(super) fn recipe(folder: &Path, log: PathBuf) -> Result<(Recipe, u16), LabError> {
    let name = "victoria-metrics";
    let server = program(name).ok_or(LabError::NotInstalled { name })?;
    let port = free_port()?;
    let recipe = Recipe::new("database", server, log)
        .args([format!("-httpListenAddr=127.0.0.1:{port}"), format!("-storageDataPath={}", folder.display())])
        // A point that is written again is one point; what was written just now is found; a clock may be an hour ahead.
        .args(["-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s", "-retentionPeriod=100y"]);
    Ok((recipe, port))
}

/// Whether it answers.
pub(super) async fn is_ready(port: u16) -> bool {
    ask::http(port, "GET", "/health", "").await.is_ok_and(|(status, _)| status == 200)
}

/// The readings that it holds of these agents.
pub(super) async fn readings(port: u16, agents: &[&str], held: &mut BTreeMap<String, Held>) -> Result<(), LabError> {
    get(port, "/internal/force_flush").await?;
    for agent in agents {
        let found = held.entry((*agent).to_owned()).or_default();
        let series = percent_encoded(&format!("{KIND}_n{{agent=\"{agent}\"}}"));
        let exported = get(port, &format!("/api/v1/export?match[]={series}&reduce_mem_usage=1")).await?;
        for line in exported.lines() {
            let block: Value = serde_json::from_str(line)
                .map_err(|error| LabError::Store(format!("an export that is no JSON: {error}")))?;
            let values = block.get("values").and_then(Value::as_array).into_iter().flatten();
            values.filter_map(number).for_each(|number| found.add(number));
        }
    }
    Ok(())
}

async fn get(port: u16, path: &str) -> Result<String, LabError> {
    let failed = |error: &dyn std::fmt::Display| LabError::Store(format!("{path}: {error}"));
    match ask::http_within(PATIENCE, port, "GET", path, "").await {
        Ok((200 | 204, answer)) => Ok(answer),
        Ok((status, answer)) => Err(failed(&format!("status {status}: {answer}"))),
        Err(error) => Err(failed(&error)),
    }
}
