//! VictoriaMetrics in InfluxDB's place.

use super::http::{get, post};
use super::ports::free_port;
use super::program::{Program, Recipe};
use super::services::service;
use super::wait::until;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;

/// A database that takes InfluxDB's writes, keeps times to the millisecond and numbers only.
#[derive(Debug)]
pub struct Victoria {
    /// The process.
    pub program: Program,
    address: SocketAddr,
}

impl Victoria {
    /// Starts one with its data in `folder`. None where it is not installed and need not be.
    #[must_use]
    pub fn start(folder: &Path) -> Option<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let recipe = Recipe::new(service("victoria-metrics")?)
            .args([format!("-httpListenAddr={address}"), format!("-storageDataPath={}", folder.display())])
            // A point that is written again is one point; what was written just now is found; recordings are years old.
            .args(["-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s", "-retentionPeriod=100y"])
            .ready_when("started VictoriaMetrics");
        let victoria = Self { program: Program::start(recipe), address };
        until("VictoriaMetrics answers", || get(address, "/health").filter(|(status, _)| *status == 200));
        Some(victoria)
    }

    /// The value for `--influxdb-url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Writes points given as line protocol, times in nanoseconds.
    pub fn write(&self, lines: &str) {
        assert_eq!(post(self.address, "/write", lines).map(|(status, _)| status), Some(204), "{lines}");
    }

    /// Deletes the series that a selector names.
    pub fn delete(&self, selector: &str) {
        let form = format!("match[]={selector}");
        let answer = post(self.address, "/api/v1/admin/tsdb/delete_series", &form);
        assert_eq!(answer.map(|(status, _)| status), Some(204), "{selector}");
    }

    /// The points of all series of a metric, as (milliseconds since 1970, value), by time.
    #[must_use]
    pub fn points(&self, metric: &str) -> Vec<(i64, f64)> {
        let ask = |path: &str| {
            get(self.address, path).filter(|(status, _)| *status == 200).expect("VictoriaMetrics answers").1
        };
        ask("/internal/force_flush");
        let exported = ask(&format!("/api/v1/export?match[]={metric}&reduce_mem_usage=0"));
        let mut points: Vec<(i64, f64)> = exported.lines().flat_map(series).collect();
        points.sort_by_key(|(ts, _)| *ts);
        points
    }
}

/// One line of an export.
fn series(line: &str) -> Vec<(i64, f64)> {
    let series: Value = serde_json::from_str(line).unwrap();
    let list = |key: &str| series[key].as_array().cloned().unwrap_or_default();
    let times = list("timestamps").into_iter().map(|ts| ts.as_i64().unwrap());
    times.zip(list("values").into_iter().map(|value| value.as_f64().unwrap())).collect()
}
