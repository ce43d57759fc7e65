//! What a user chooses on a board.

use super::query::Source;
use serde_json::{Value, json};

/// A choice.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    name: &'static str,
    label: &'static str,
    source: Source,
    query: String,
    /// What "all" is, as a regular expression.
    all: &'static str,
}

impl Variable {
    /// The regions of a measurement.
    pub(super) fn region(measurement: &str) -> Self {
        Self::tag("region", "Region", measurement, "", ".*")
    }

    /// The agents of a measurement in the regions that are chosen.
    pub(super) fn agent(measurement: &str) -> Self {
        Self::tag("agent", "Agent", measurement, " WHERE \"region\" =~ /^$region$/", ".*")
    }

    /// The values of a tag of a measurement.
    pub(super) fn tag(
        name: &'static str,
        label: &'static str,
        measurement: &str,
        condition: &str,
        all: &'static str,
    ) -> Self {
        let query = format!("SHOW TAG VALUES FROM \"{measurement}\" WITH KEY = \"{name}\"{condition}");
        Self { name, label, source: Source::InfluxDb, query, all }
    }

    /// The values of a label of a metric of Prometheus.
    pub(super) fn label(name: &'static str, label: &'static str, metric: &str) -> Self {
        Self { name, label, source: Source::Prometheus, query: format!("label_values({metric}, {name})"), all: ".*" }
    }

    pub(super) fn json(&self) -> Value {
        let query = match self.source {
            Source::InfluxDb => json!(self.query),
            Source::Prometheus => json!({ "refId": "variable", "qryType": 1, "query": self.query }),
        };
        json!({
            "type": "query",
            "name": self.name,
            "label": self.label,
            "datasource": self.source.reference(),
            "query": query,
            "refresh": 2,
            "sort": 1,
            "multi": true,
            "includeAll": true,
            "allValue": self.all,
            "current": { "text": ["All"], "value": ["$__all"] },
            "options": [],
            "hide": 0,
        })
    }
}

/// The data source itself: a Grafana may have several of a kind.
pub(super) fn data_source(source: Source) -> Value {
    let (name, label, kind, uid, title) = match source {
        Source::InfluxDb => ("datasource", "Database", "influxdb", "fogline-influxdb", "Fogline"),
        Source::Prometheus => ("prometheus", "Metrics", "prometheus", "fogline-prometheus", "Fogline metrics"),
    };
    json!({
        "type": "datasource",
        "name": name,
        "label": label,
        "query": kind,
        "regex": "",
        "refresh": 1,
        "multi": false,
        "includeAll": false,
        "current": { "text": title, "value": uid },
        "options": [],
        "hide": 0,
    })
}
