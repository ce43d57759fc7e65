//! InfluxDB 1, 2 and 3, through InfluxQL.
//!
//! The points of an agent and a kind come page by page in the order of their times. Points of several sensors may have one
//! time, so a page begins with the time at which the last one ended, and what was there already is left out: at one time a
//! sensor has one point.

use super::Progress;
use super::http::{Http, failed};
use crate::audit::error::AuditError;
use crate::audit::facts::{AgentName, Facts, Runs};
use fogline_protocol::ids::{Seq, StreamId, is_name};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// Points of a page: about a megabyte.
const PAGE: usize = 10_000;
/// A page is made larger, up to this, when all of its points have one time.
const PAGE_MAX: usize = 160_000;
/// How the measurements begin that are no kinds of readings.
const OWN: &str = "fogline_";
const PATH: &str = "/query";

/// Reads the points of these agents.
pub(super) async fn read(
    http: &Http,
    agents: &[(String, AgentName)],
    facts: &mut Facts,
    progress: Progress<'_>,
) -> Result<(), AuditError> {
    let kinds = kinds(http).await?;
    let mut count = 0;
    for (name, agent) in agents {
        for kind in &kinds {
            let mut points = Points::new(http, agent, kind);
            let mut runs = Runs::new();
            while let Some(page) = points.next().await? {
                count += page.len() as u64;
                for Point(_, seq, stream, _) in page {
                    // A point without them is none of ours.
                    let Some((seq, stream)) = seq.zip(stream.and_then(|text| text.parse::<StreamId>().ok())) else {
                        continue;
                    };
                    runs.push(stream, seq).map_or(Ok(()), |(stream, range)| facts.store(name, Some(stream), range))?;
                }
                progress(count);
            }
            runs.end().map_or(Ok(()), |(stream, range)| facts.store(name, Some(stream), range))?;
        }
    }
    Ok(())
}

/// Time in nanoseconds, number, stream, sensor.
#[derive(Debug, Deserialize)]
struct Point(i64, Option<Seq>, Option<String>, Option<String>);

impl Point {
    fn sensor(&self) -> &str {
        self.3.as_deref().unwrap_or_default()
    }
}

/// The points of an agent and a kind.
struct Points<'a> {
    http: &'a Http,
    agent: &'a AgentName,
    kind: &'a str,
    limit: usize,
    /// The time of the last point; none before the first page.
    time: Option<i64>,
    /// The sensors whose points of that time were given.
    sensors: Vec<String>,
    done: bool,
}

impl<'a> Points<'a> {
    const fn new(http: &'a Http, agent: &'a AgentName, kind: &'a str) -> Self {
        Self { http, agent, kind, limit: PAGE, time: None, sensors: Vec::new(), done: false }
    }

    /// The next points; none after the last.
    async fn next(&mut self) -> Result<Option<Vec<Point>>, AuditError> {
        if self.done {
            return Ok(None);
        }
        let mut page: Vec<Point> = rows(self.http, &self.query()).await?;
        self.done = page.len() < self.limit;
        let Some(last) = page.last().map(|point| point.0) else { return Ok(None) };
        if self.time == Some(last) && !self.done {
            self.grow()?;
        }
        page.retain(|point| self.time != Some(point.0) || !self.sensors.iter().any(|known| known == point.sensor()));
        if self.time != Some(last) {
            self.sensors.clear();
        }
        self.time = Some(last);
        self.sensors.extend(page.iter().filter(|point| point.0 == last).map(|point| point.sensor().to_owned()));
        Ok(Some(page))
    }

    /// All these points have one time: the next page must reach beyond it.
    fn grow(&mut self) -> Result<(), AuditError> {
        self.limit *= 2;
        if self.limit <= PAGE_MAX {
            return Ok(());
        }
        let what =
            format!("{}/{} has too many points of kind {} at one time", self.agent.region, self.agent.agent, self.kind);
        Err(failed(&self.http.server, PATH, what))
    }

    /// All that is quoted has the form of a name, in which nothing needs an escape.
    fn query(&self) -> String {
        let Self { agent, kind, limit, .. } = self;
        let AgentName { region, agent } = agent;
        let since = self.time.map_or_else(String::new, |time| format!(" AND time >= {time}"));
        format!(
            "SELECT \"seq\", \"stream\", \"sensor\" FROM \"{kind}\" WHERE \"region\" = '{region}' AND \"agent\" = '{agent}'{since} \
             ORDER BY time ASC LIMIT {limit}"
        )
    }
}

/// The kinds of which there are readings.
async fn kinds(http: &Http) -> Result<Vec<String>, AuditError> {
    let names: Vec<(String,)> = rows(http, "SHOW MEASUREMENTS").await?;
    if names.is_empty() {
        // Of a database that does not exist, InfluxDB 1 shows none, and says so only when it is asked for points.
        let _: Vec<serde_json::Value> = rows(http, "SELECT \"ok\" FROM \"fogline_probe\" LIMIT 1").await?;
    }
    Ok(names.into_iter().map(|(name,)| name).filter(|name| is_name(name) && !name.starts_with(OWN)).collect())
}

#[derive(Deserialize)]
struct Answer<T> {
    #[serde(default = "Vec::new")]
    results: Vec<Statement<T>>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Statement<T> {
    #[serde(default = "Vec::new")]
    series: Vec<Series<T>>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct Series<T> {
    #[serde(default = "Vec::new")]
    values: Vec<T>,
}

/// The rows that a query finds.
async fn rows<T: DeserializeOwned>(http: &Http, query: &str) -> Result<Vec<T>, AuditError> {
    let body = http.get(PATH, &[("db", &http.server.bucket), ("epoch", "ns"), ("q", query)]).await?;
    let answer: Answer<T> = serde_json::from_slice(&body)
        .map_err(|error| failed(&http.server, PATH, format!("this is no answer of InfluxDB ({error})")))?;
    let refused = answer.error.or_else(|| answer.results.iter().find_map(|statement| statement.error.clone()));
    if let Some(refused) = refused {
        return Err(failed(&http.server, PATH, refused));
    }
    let series = answer.results.into_iter().flat_map(|statement| statement.series);
    Ok(series.flat_map(|series| series.values).collect())
}
