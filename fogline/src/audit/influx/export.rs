//! VictoriaMetrics, through its export: a metric for each field of a kind, `road_seq` for example, a series for each sensor.

use super::Progress;
use super::http::{Http, failed};
use crate::audit::error::AuditError;
use crate::audit::facts::{AgentName, Facts, Runs};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{SEQ_MAX, Seq, is_name};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Points of a line: some 200 kB.
const LINE_POINTS: &str = "10000";
/// The end of time in seconds: the export would end now, and a sensor's clock may be ahead.
const END: &str = "9999999999";
/// How the metrics begin that are of no readings.
const OWN: &str = "fogline_";
/// The most sensors of an agent and a kind whose last point is remembered: 20 MB.
const SENSORS_MAX: usize = 100_000;
const EXPORT: &str = "/api/v1/export";

/// Reads the points of these agents. What was written just now is flushed first: else it would not be found.
pub(super) async fn read(
    http: &Http,
    agents: &[(String, AgentName)],
    facts: &mut Facts,
    progress: Progress<'_>,
) -> Result<(), AuditError> {
    http.get("/internal/force_flush", &[]).await?;
    let kinds = kinds(http).await?;
    let mut count = 0;
    for (name, agent) in agents {
        for kind in &kinds {
            read_kind(http, agent, kind, &mut |range| {
                count += range.count();
                progress(count);
                facts.store(name, None, range)
            })
            .await?;
        }
    }
    Ok(())
}

/// A kind has the metrics of its two fields that every point has: a reading's own field may be called `x_seq`.
async fn kinds(http: &Http) -> Result<Vec<String>, AuditError> {
    #[derive(Deserialize)]
    struct Answer {
        data: BTreeSet<String>,
    }
    let path = "/api/v1/label/__name__/values";
    let body = http.get(path, &[("start", "0")]).await?;
    let Answer { data } = serde_json::from_slice(&body)
        .map_err(|error| failed(&http.server, path, format!("this is no answer of VictoriaMetrics ({error})")))?;
    let kinds = data.iter().filter_map(|metric| metric.strip_suffix("_seq"));
    let ours = |kind: &&str| is_name(kind) && !kind.starts_with(OWN) && data.contains(&format!("{kind}_stream"));
    Ok(kinds.filter(ours).map(str::to_owned).collect())
}

#[derive(Deserialize)]
struct Line {
    metric: BTreeMap<String, String>,
    values: Vec<f64>,
    timestamps: Vec<i64>,
}

async fn read_kind(
    http: &Http,
    agent: &AgentName,
    kind: &str,
    store: &mut (dyn FnMut(Range) -> Result<(), AuditError> + Send),
) -> Result<(), AuditError> {
    let AgentName { region, agent } = agent;
    let series = format!(r#"{{__name__="{kind}_seq",region="{region}",agent="{agent}"}}"#);
    let query = [("match[]", series.as_str()), ("start", "0"), ("end", END), ("max_rows_per_line", LINE_POINTS)];
    let mut lines = http.lines(EXPORT, &query).await?;
    let mut last = BTreeMap::new();
    while let Some(line) = lines.next().await? {
        let Line { mut metric, values, timestamps } = serde_json::from_slice(&line)
            .map_err(|error| failed(&http.server, EXPORT, format!("this is no line of an export ({error})")))?;
        let sensor = metric.remove("sensor").unwrap_or_default();
        if !last.contains_key(&sensor) && last.len() >= SENSORS_MAX {
            return Err(failed(&http.server, EXPORT, "an agent has too many sensors"));
        }
        let last = last.entry(sensor).or_default();
        read_line(last, values.into_iter().zip(timestamps), store)?;
    }
    Ok(())
}

/// Without `-dedup.minScrapeInterval` a point that was written again is there again, with the same time: it is one point all
/// the same.
fn read_line(
    last: &mut Option<(Seq, i64)>,
    points: impl Iterator<Item = (f64, i64)>,
    store: &mut (dyn FnMut(Range) -> Result<(), AuditError> + Send),
) -> Result<(), AuditError> {
    let mut runs = Runs::new();
    for (value, time) in points {
        let Some(seq) = seq(value) else { continue };
        if *last != Some((seq, time)) {
            *last = Some((seq, time));
            runs.push((), seq).map_or(Ok(()), |((), range)| store(range))?;
        }
    }
    runs.end().map_or(Ok(()), |((), range)| store(range))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
fn seq(value: f64) -> Option<Seq> {
    let whole = value.fract() == 0.0 && (1.0..=SEQ_MAX as f64).contains(&value);
    whole.then_some(value as Seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_that_was_written_again_is_one_and_one_at_another_time_is_not() {
        let (mut stored, mut last) = (Vec::new(), None);
        let mut store = |range: Range| {
            stored.push((range.first, range.last));
            Ok(())
        };
        let points = [(1.0, 10), (1.0, 10), (2.0, 11), (2.5, 11), (0.0, 12), (-1.0, 12), (3.0, 13)];
        read_line(&mut last, points.into_iter(), &mut store).unwrap();
        read_line(&mut last, [(3.0, 13), (3.0, 14)].into_iter(), &mut store).unwrap();
        assert_eq!(stored, [(1, 3), (3, 3)]);
    }
}
