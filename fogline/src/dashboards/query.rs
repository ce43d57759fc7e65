//! What a panel asks.
//!
//! InfluxQL is kept to what InfluxDB 1.x, 2.x and 3.x all answer: one `SELECT` without a query inside, selectors and
//! aggregates, `GROUP BY` and `fill`.

use serde_json::{Value, json};

/// The data source that InfluxDB is, as a panel names it.
const INFLUXDB: &str = "${datasource}";
/// The data source that Prometheus is.
const PROMETHEUS: &str = "${prometheus}";

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    InfluxDb,
    Prometheus,
}

impl Source {
    /// How panels, queries and annotations name it.
    pub(super) fn reference(self) -> Value {
        match self {
            Self::InfluxDb => json!({ "type": "influxdb", "uid": INFLUXDB }),
            Self::Prometheus => json!({ "type": "prometheus", "uid": PROMETHEUS }),
        }
    }
}

/// A question, and what its answers are called.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) source: Source,
    text: String,
    /// What a series is called: `$tag_agent` of InfluxDB, `{{instance}}` of Prometheus.
    name: String,
    /// Rows as they are, and no series.
    rows: bool,
}

impl Query {
    /// As it stands in a panel; `index` tells it from the others there.
    pub(super) fn json(&self, index: u8) -> Value {
        let letter = char::from(b'A'.saturating_add(index)).to_string();
        match self.source {
            Source::InfluxDb => json!({
                "refId": letter,
                "datasource": self.source.reference(),
                "rawQuery": true,
                "query": self.text,
                "alias": self.name,
                "resultFormat": if self.rows { "table" } else { "time_series" },
            }),
            Source::Prometheus => json!({
                "refId": letter,
                "datasource": self.source.reference(),
                "editorMode": "code",
                "expr": self.text,
                "legendFormat": self.name,
                "range": true,
                "instant": false,
            }),
        }
    }
}

/// A question to Prometheus.
pub(super) fn prometheus(expression: &str, name: &str) -> Query {
    Query { source: Source::Prometheus, text: expression.to_owned(), name: name.to_owned(), rows: false }
}

/// A question to InfluxDB, put together. The time range of the page is always part of it.
#[derive(Debug, Clone)]
pub(super) struct Select {
    what: String,
    from: String,
    only: Vec<String>,
    by: Vec<String>,
    end: String,
    rows: bool,
}

impl Select {
    /// An expression over fields of a measurement: `mean("speed_kmh")` of `road`.
    pub(super) fn new(what: &str, measurement: &str) -> Self {
        let (what, from) = (what.to_owned(), format!("\"{measurement}\""));
        Self { what, from, only: Vec::new(), by: Vec::new(), end: String::new(), rows: false }
    }

    /// Of the regions that are chosen.
    pub(super) fn of_regions(self) -> Self {
        self.of("region")
    }

    /// Of the regions and agents that are chosen.
    pub(super) fn of_agents(self) -> Self {
        self.of_regions().of("agent")
    }

    /// Of the values of a tag that are chosen in the variable of the same name.
    pub(super) fn of(self, tag: &str) -> Self {
        self.only(&format!("\"{tag}\" =~ /^${tag}$/"))
    }

    /// Under one more condition.
    pub(super) fn only(mut self, condition: &str) -> Self {
        self.only.push(condition.to_owned());
        self
    }

    /// One value for each piece of time; where there is none, `fill`.
    pub(super) fn over_time(mut self, fill: &str) -> Self {
        self.by.insert(0, "time($__interval)".to_owned());
        self.end = format!(" fill({fill})");
        self
    }

    /// A series for each value of a tag.
    pub(super) fn by(mut self, tag: &str) -> Self {
        self.by.push(format!("\"{tag}\""));
        self
    }

    /// Rows as they are, newest first, so many.
    pub(super) fn rows(mut self, most: u32) -> Self {
        self.end = format!(" ORDER BY time DESC LIMIT {most}");
        self.rows = true;
        self
    }

    /// Without the time range: for alerts, which have one of their own.
    pub(super) fn within(&self, range: &str) -> String {
        self.text(&format!("time > now() - {range}"))
    }

    /// The question, its series called `name`.
    pub(super) fn named(&self, name: &str) -> Query {
        let text = self.text("$timeFilter");
        Query { source: Source::InfluxDb, text, name: name.to_owned(), rows: self.rows }
    }

    fn text(&self, time: &str) -> String {
        let Self { what, from, only, by, end, .. } = self;
        let conditions: String = only.iter().map(|condition| format!("{condition} AND ")).collect();
        let group = if by.is_empty() { String::new() } else { format!(" GROUP BY {}", by.join(", ")) };
        format!("SELECT {what} FROM {from} WHERE {conditions}{time}{group}{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_put_together() {
        let query = Select::new("mean(\"x\")", "road").of_agents().over_time("null").by("agent").named("$tag_agent");
        let text = r#"SELECT mean("x") FROM "road" WHERE "region" =~ /^$region$/ AND "agent" =~ /^$agent$/ AND $timeFilter GROUP BY time($__interval), "agent" fill(null)"#;
        assert_eq!(query.json(1)["query"], text);
        assert_eq!(query.json(1)["refId"], "B");
        let alert = Select::new("last(\"x\")", "m").by("agent").within("5m");
        assert_eq!(alert, r#"SELECT last("x") FROM "m" WHERE time > now() - 5m GROUP BY "agent""#);
    }
}
