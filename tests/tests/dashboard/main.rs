//! The dashboards of `grafana/`: each keeps the rules that make it work on any Grafana, and each of its queries gives rows
//! on a real InfluxDB with data like ours.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

mod ingest;
mod interpolation;
mod points;
mod queries;
mod rules;

use serde_json::Value;
use std::path::{Path, PathBuf};

fn grafana() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("grafana")
}

/// All dashboards with their file names.
fn dashboards() -> Vec<(String, Value)> {
    let files = std::fs::read_dir(grafana().join("dashboards")).unwrap().map(|entry| entry.unwrap().path());
    let json = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    };
    let found: Vec<_> = json.map(read).collect();
    assert!(!found.is_empty(), "there are no dashboards");
    found
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
