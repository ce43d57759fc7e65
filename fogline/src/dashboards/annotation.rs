//! Marks across all charts of a board: failovers and faults, as ingesters write them.

use super::query::Source;
use serde_json::{Value, json};

/// The most marks of a sort: more only hide what is below.
const MARKS_MAX: u32 = 100;

/// What is marked, and how: the tag `event`, what the switch on the page is called, the colour.
const MARKED: [(&str, &str, &str); 3] =
    [("failover", "Failovers", "purple"), ("fault", "Faults", "red"), ("recovery", "Recoveries", "green")];

/// The annotations of a board; of one that does not ask InfluxDB only Grafana's own.
pub(super) fn all(with_events: bool) -> Vec<Value> {
    let mut all = vec![grafana_s_own()];
    if with_events {
        all.extend(MARKED.iter().map(|(event, name, color)| of_events(event, name, color)));
    }
    all
}

/// The question whose rows are the marks of a sort.
fn query(event: &str) -> String {
    format!("SELECT \"text\" FROM \"fogline_event\" WHERE \"event\" = '{event}' AND $timeFilter LIMIT {MARKS_MAX}")
}

fn of_events(event: &str, name: &str, color: &str) -> Value {
    json!({
        "name": name,
        "enable": true,
        "hide": false,
        "iconColor": color,
        "datasource": Source::InfluxDb.reference(),
        // `limit`, `matchAny`, `tags` and `type` mean nothing to InfluxDB; the schema asks for them.
        "target": {
            "refId": "Anno",
            "query": query(event),
            "rawQuery": true,
            "fromAnnotations": true,
            "textColumn": "text",
            "limit": MARKS_MAX,
            "matchAny": false,
            "tags": [],
            "type": "tags",
        },
    })
}

/// Marks that people make in Grafana, and the states of its alerts.
fn grafana_s_own() -> Value {
    json!({
        "builtIn": 1,
        "name": "Annotations & Alerts",
        "enable": true,
        "hide": true,
        "iconColor": "rgba(0, 211, 255, 1)",
        "type": "dashboard",
        "datasource": { "type": "grafana", "uid": "-- Grafana --" },
        "target": { "limit": MARKS_MAX, "matchAny": false, "tags": [], "type": "dashboard" },
    })
}
