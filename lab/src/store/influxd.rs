//! InfluxDB 1.x: what it has answered is on the disk, so that it can be killed.

use super::{BUCKET, KIND, number, percent_encoded};
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
/// Readings that are asked for at once.
const PAGE: u64 = 50_000;

/// How it is started with its data in `folder`, and the port on which it will listen. Its configuration is in `place`.
pub(super) fn recipe(folder: &Path, place: &Path, log: PathBuf) -> Result<(Recipe, u16), LabError> {
    let server = program("influxd").ok_or(LabError::NotInstalled { name: "influxd" })?;
    let (port, rpc_port) = (free_port()?, free_port()?);
    let dir = folder.display();
    let configuration = format!(
        r#"reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"#
    );
    let path = place.join("influxdb.conf");
    std::fs::write(&path, configuration).map_err(|error| LabError::file(&path, &error))?;
    let recipe = Recipe::new("database", server, log).args(["run", "-config"]).args([path]);
    Ok((recipe, port))
}

/// Whether it answers.
pub(super) async fn is_ready(port: u16) -> bool {
    ask::http(port, "GET", "/ping", "").await.is_ok_and(|(status, _)| status == 204)
}

/// Makes the database of the run.
pub(super) async fn make(port: u16) -> Result<(), LabError> {
    query(port, &format!("CREATE DATABASE {BUCKET}")).await.map(drop)
}

/// The readings that it holds of these agents.
pub(super) async fn readings(port: u16, agents: &[&str], held: &mut BTreeMap<String, Held>) -> Result<(), LabError> {
    for agent in agents {
        let found = held.entry((*agent).to_owned()).or_default();
        let last = count(&query(port, &format!("SELECT max(n) FROM {KIND} WHERE agent = '{agent}'")).await?);
        let Some(last) = last else { continue };
        for from in (0..=last).step_by(usize::try_from(PAGE).unwrap_or(1)) {
            let to = from + PAGE;
            let page = format!("SELECT n FROM {KIND} WHERE agent = '{agent}' AND n >= {from} AND n < {to}");
            let answer = query(port, &page).await?;
            let rows = rows(&answer).into_iter().flatten();
            rows.filter_map(|row| number(row.get(1)?)).for_each(|number| found.add(number));
        }
    }
    Ok(())
}

fn rows(answer: &Value) -> Option<&Vec<Value>> {
    answer.pointer("/results/0/series/0/values")?.as_array()
}

fn count(answer: &Value) -> Option<u64> {
    number(rows(answer)?.first()?.get(1)?)
}

async fn query(port: u16, text: &str) -> Result<Value, LabError> {
    let failed = |error: &dyn std::fmt::Display| LabError::Store(format!("{text}: {error}"));
    let form = format!("q={}", percent_encoded(text));
    let path = format!("/query?db={BUCKET}&epoch=ns");
    let (status, answer) =
        ask::http_within(PATIENCE, port, "POST", &path, &form).await.map_err(|error| failed(&error))?;
    let answer: Value = serde_json::from_str(&answer).map_err(|error| failed(&error))?;
    match answer.pointer("/results/0/error").or_else(|| answer.get("error")) {
        Some(error) => Err(failed(error)),
        None if status == 200 => Ok(answer),
        None => Err(failed(&format!("status {status}"))),
    }
}
