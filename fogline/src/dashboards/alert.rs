//! What an alert rule is, as Grafana is provisioned with it.

use super::board::Board;
use serde_json::{Value, json};

/// The uid of the data source that InfluxDB is, in `grafana/provisioning/datasources/`.
pub(super) const INFLUXDB_UID: &str = "fogline-influxdb";
/// The same of Prometheus.
pub(super) const PROMETHEUS_UID: &str = "fogline-prometheus";
/// How often rules are looked at.
const INTERVAL: &str = "30s";

/// A question whose answers are looked at.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// InfluxQL, with a time range of its own, one value for each series.
    InfluxDb(String),
    /// An expression of Prometheus.
    Prometheus(&'static str),
}

/// When an answer is bad.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bad {
    Above(f64),
    Below(f64),
}

/// A rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) uid: &'static str,
    pub(super) title: &'static str,
    /// What is the matter, with `{{ .Labels.agent }}` for the series.
    pub(super) summary: &'static str,
    /// What to do.
    pub(super) advice: &'static str,
    pub(super) severity: &'static str,
    pub(super) ask: Ask,
    pub(super) bad: Bad,
    /// For so long it must be bad.
    pub(super) lasts: &'static str,
    /// What no answer means: `OK`, `NoData` or `Alerting`.
    pub(super) no_data: &'static str,
    /// The board, and the panel on it, that shows the same.
    pub(super) shown: (&'static str, &'static str),
}

/// The file of all rules.
pub(super) fn file(rules: &[Rule], boards: &[Board]) -> Value {
    let rules: Vec<Value> = rules.iter().map(|rule| rule.json(boards)).collect();
    json!({
        "apiVersion": 1,
        "groups": [{ "orgId": 1, "name": "fogline", "folder": "Fogline", "interval": INTERVAL, "rules": rules }],
    })
}

impl Rule {
    /// Without a `$`: in provisioned files it would begin the name of a variable of Grafana's environment.
    fn json(&self, boards: &[Board]) -> Value {
        let (name, title) = self.shown;
        let panel = boards.iter().find(|board| board.name == name).and_then(|board| board.panel_id(title));
        json!({
            "uid": self.uid,
            "title": self.title,
            "condition": "C",
            "data": [self.question(), reduced(), self.condition()],
            "for": self.lasts,
            "noDataState": self.no_data,
            // A database that cannot be asked is an alert of its own; that each rule says so too helps nobody.
            "execErrState": if self.no_data == "Alerting" { "Alerting" } else { "Error" },
            "dashboardUid": format!("fogline-{name}"),
            "panelId": panel,
            "annotations": { "summary": self.summary, "description": self.advice },
            "labels": { "severity": self.severity },
            "isPaused": false,
        })
    }

    fn question(&self) -> Value {
        let (uid, model) = match &self.ask {
            Ask::InfluxDb(query) => {
                (INFLUXDB_UID, json!({ "refId": "A", "rawQuery": true, "query": query, "resultFormat": "time_series" }))
            }
            Ask::Prometheus(expression) => (
                PROMETHEUS_UID,
                json!({ "refId": "A", "editorMode": "code", "expr": expression, "instant": true, "range": false }),
            ),
        };
        json!({ "refId": "A", "datasourceUid": uid, "relativeTimeRange": { "from": 600, "to": 0 }, "model": model })
    }

    fn condition(&self) -> Value {
        let (kind, bound) = match self.bad {
            Bad::Above(bound) => ("gt", bound),
            Bad::Below(bound) => ("lt", bound),
        };
        let condition = json!({ "evaluator": { "type": kind, "params": [bound] } });
        expression("C", json!({ "refId": "C", "type": "threshold", "expression": "B", "conditions": [condition] }))
    }
}

fn reduced() -> Value {
    let settings = json!({ "mode": "dropNN" });
    expression(
        "B",
        json!({ "refId": "B", "type": "reduce", "expression": "A", "reducer": "last", "settings": settings }),
    )
}

fn expression(letter: &str, model: Value) -> Value {
    let range = json!({ "from": 0, "to": 0 });
    json!({ "refId": letter, "datasourceUid": "__expr__", "relativeTimeRange": range, "model": model })
}
