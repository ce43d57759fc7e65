//! A panel, as Grafana reads it.

use super::query::{Query, Source};
use super::unit;
use fogline_protocol::usecase::Field;
use serde_json::{Value, json};

/// How something is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Chart,
    Bars,
    Number,
    Table,
    States,
}

/// From here on a value has this colour; none: from the lowest.
pub(super) type Threshold = (Option<f64>, &'static str);

/// What is well.
pub(super) const GOOD: &str = "green";
/// What somebody should look at.
pub(super) const WARNING: &str = "orange";
/// What somebody must mend.
pub(super) const BAD: &str = "red";

/// One picture with its questions.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    kind: Kind,
    title: &'static str,
    description: String,
    unit: String,
    least: Option<f64>,
    thresholds: Vec<Threshold>,
    queries: Vec<Query>,
    size: (u8, u8),
    calculation: &'static str,
    states: Vec<(u8, &'static str, &'static str)>,
}

impl Panel {
    fn new(kind: Kind, title: &'static str, description: &str, unit: &str, size: (u8, u8)) -> Self {
        Self {
            kind,
            title,
            description: description.to_owned(),
            unit: unit.to_owned(),
            least: None,
            thresholds: Vec::new(),
            queries: Vec::new(),
            size,
            calculation: "lastNotNull",
            states: Vec::new(),
        }
    }

    /// Lines over time; half of the width.
    pub(super) fn chart(title: &'static str, description: &str, unit: &str) -> Self {
        Self::new(Kind::Chart, title, description, unit, (12, 8))
    }

    /// Bars over time, on top of each other; half of the width.
    pub(super) fn bars(title: &'static str, description: &str, unit: &str) -> Self {
        Self::new(Kind::Bars, title, description, unit, (12, 8))
    }

    /// The newest number; a sixth of the width.
    pub(super) fn number(title: &'static str, description: &str, unit: &str) -> Self {
        Self::new(Kind::Number, title, description, unit, (4, 4))
    }

    /// Rows; all of the width.
    pub(super) fn table(title: &'static str, description: &str) -> Self {
        Self::new(Kind::Table, title, description, unit::NONE, (24, 9))
    }

    /// What something was at which time; all of the width.
    pub(super) fn states(title: &'static str, description: &str, states: &[(u8, &'static str, &'static str)]) -> Self {
        Self { states: states.to_vec(), ..Self::new(Kind::States, title, description, unit::NONE, (24, 7)) }
    }

    /// A chart of a field of the registry: its unit, and no value that cannot be true.
    pub(super) fn of(field: Field, title: &'static str, description: &str) -> Self {
        let description = format!(
            "{description} `{}` in {}; what is outside of {} to {} cannot be true and is marked in the store.",
            field.name, field.unit, field.min, field.max
        );
        Self::chart(title, &description, &unit::of(field.unit))
    }

    pub(super) fn ask(mut self, query: Query) -> Self {
        self.queries.push(query);
        self
    }

    pub(super) fn thresholds(self, thresholds: &[Threshold]) -> Self {
        Self { thresholds: thresholds.to_vec(), ..self }
    }

    pub(super) fn from(self, min: f64) -> Self {
        Self { least: Some(min), ..self }
    }

    pub(super) fn size(self, width: u8, height: u8) -> Self {
        Self { size: (width, height), ..self }
    }

    /// How many numbers become one: `sum` or `max` in place of the newest.
    pub(super) fn calculated(self, calculation: &'static str) -> Self {
        Self { calculation, ..self }
    }

    /// Width and height in Grafana's grid.
    pub(super) const fn extent(&self) -> (u8, u8) {
        self.size
    }

    pub(super) fn is_titled(&self, title: &str) -> bool {
        self.title == title
    }

    /// Who answers it.
    fn source(&self) -> Source {
        self.queries.first().map_or(Source::InfluxDb, |query| query.source)
    }

    /// Whether it asks `source`.
    pub(super) fn asks(&self, source: Source) -> bool {
        self.queries.iter().any(|query| query.source == source)
    }

    pub(super) fn json(&self, id: u32, x: u8, y: u32) -> Value {
        let (kind, options, custom) = match self.kind {
            Kind::Chart => ("timeseries", chart_options(), chart_custom("line", !self.thresholds.is_empty())),
            Kind::Bars => ("timeseries", chart_options(), chart_custom("bars", false)),
            Kind::Number => ("stat", number_options(self.calculation), json!({})),
            Kind::Table => ("table", table_options(), table_custom()),
            Kind::States => ("state-timeline", states_options(), json!({ "fillOpacity": 80, "lineWidth": 0 })),
        };
        let (width, height) = self.size;
        let queries: Vec<Value> = self.queries.iter().zip(0..).map(|(query, index)| query.json(index)).collect();
        json!({
            "id": id,
            "type": kind,
            "title": self.title,
            "description": self.description,
            "datasource": self.source().reference(),
            "gridPos": { "x": x, "y": y, "w": width, "h": height },
            "fieldConfig": { "defaults": self.defaults(custom), "overrides": [] },
            "options": options,
            "targets": queries,
        })
    }

    fn defaults(&self, custom: Value) -> Value {
        let steps: Vec<Value> = match self.thresholds.as_slice() {
            [] => vec![json!({ "value": null, "color": GOOD })],
            steps => steps.iter().map(|(value, color)| json!({ "value": value, "color": color })).collect(),
        };
        let by_value = !self.thresholds.is_empty() && self.kind != Kind::Chart || self.kind == Kind::States;
        let mut defaults = json!({
            "unit": self.unit,
            "color": { "mode": if by_value { "thresholds" } else { "palette-classic" } },
            "thresholds": { "mode": "absolute", "steps": steps },
            "custom": custom,
        });
        if let Some(min) = self.least {
            defaults["min"] = json!(min);
        }
        if !self.states.is_empty() {
            let named = |(value, text, color): &(u8, &str, &str)| {
                (value.to_string(), json!({ "text": text, "color": color, "index": value }))
            };
            let options: serde_json::Map<String, Value> = self.states.iter().map(named).collect();
            defaults["mappings"] = json!([{ "type": "value", "options": options }]);
        }
        defaults
    }
}

/// A link to another board, with time range and choices.
pub(super) fn link(title: &str, uid: &str) -> Value {
    json!({
        "type": "link",
        "title": title,
        "tooltip": "",
        "icon": "dashboard",
        "url": format!("/d/{uid}"),
        "tags": [],
        "asDropdown": false,
        "includeVars": true,
        "keepTime": true,
        "targetBlank": false,
    })
}

fn chart_options() -> Value {
    json!({
        "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
        "tooltip": { "mode": "multi", "sort": "desc" },
    })
}

fn chart_custom(style: &str, threshold_lines: bool) -> Value {
    let bars = style == "bars";
    json!({
        "drawStyle": style,
        "lineWidth": 1,
        "fillOpacity": if bars { 60 } else { 8 },
        "showPoints": "auto",
        // A hole in the data is a hole in the line: what is missing is what these boards are for.
        "spanNulls": false,
        "stacking": { "mode": if bars { "normal" } else { "none" }, "group": "A" },
        "thresholdsStyle": { "mode": if threshold_lines { "dashed" } else { "off" } },
    })
}

fn number_options(calculation: &str) -> Value {
    json!({
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": true,
        "showPercentChange": false,
        "percentChangeColorMode": "standard",
        "reduceOptions": { "calcs": [calculation], "fields": "", "values": false },
    })
}

fn table_options() -> Value {
    json!({ "showHeader": true, "cellHeight": "sm", "frameIndex": 0 })
}

fn table_custom() -> Value {
    json!({ "align": "auto", "inspect": false, "cellOptions": { "type": "auto" } })
}

fn states_options() -> Value {
    json!({
        "mergeValues": true,
        "showValue": "auto",
        "alignValue": "left",
        "rowHeight": 0.85,
        "legend": { "showLegend": true, "displayMode": "list", "placement": "bottom", "calcs": [] },
        "tooltip": { "mode": "single", "sort": "none" },
    })
}
