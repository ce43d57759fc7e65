//! The boards and alert rules of `grafana/`: they are what the code describes, keep the rules that make them work on any Grafana,
//! fit the schema of `@grafana/schema`, and each of their questions has an answer from real servers that real programs wrote to.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

mod files;
mod fleet;
mod interpolation;
mod prometheus;
mod queries;
mod rules;
mod schema;

use serde_json::Value;
use std::path::{Path, PathBuf};

fn grafana() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("grafana")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// All dashboards with their file names.
fn dashboards() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(grafana().join("dashboards")).unwrap().map(|entry| entry.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let found: Vec<_> = json.map(|path| (name(&path), read(&path))).collect();
    assert!(!found.is_empty(), "there are no dashboards");
    found
}

/// All alert rules.
fn alerts() -> Vec<Value> {
    let file = read(&grafana().join("provisioning/alerting/rules.json"));
    let groups = file["groups"].as_array().unwrap();
    groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// The panels of a dashboard that show something; rows are only headings.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// The queries of a panel.
fn targets(panel: &Value) -> &[Value] {
    panel["targets"].as_array().unwrap()
}

/// What the user can choose, in the order of the dashboard.
fn variables(dashboard: &Value) -> &[Value] {
    dashboard["templating"]["list"].as_array().unwrap()
}
