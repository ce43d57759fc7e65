//! VictoriaMetrics takes the same writes. It cuts times to milliseconds and makes texts 0, so that the readings here are a
//! millisecond apart, and are compared by their numbers.

use crate::fixture::{Site, commit, speed};
use crate::servers::{Server, free_port, get, installed};
use fogline_ingest::store::Store as _;
use std::process::Command;

const PROGRAM: &str = "/usr/bin/victoria-metrics";

fn start() -> (Server, String) {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut command = Command::new(PROGRAM);
    command
        .arg(format!("-storageDataPath={}", dir.path().join("data").display()))
        .arg(format!("-httpListenAddr=127.0.0.1:{port}"))
        .args(["-dedup.minScrapeInterval=1ms", "-search.latencyOffset=0s", "-retentionPeriod=100y"])
        .args(["-memory.allowedBytes=64MB"]);
    let mut server = Server::start(&mut command, dir);
    let url = format!("http://127.0.0.1:{port}");
    server.wait_for(&format!("{url}/health"));
    (server, url)
}

/// The values of a metric, by time in milliseconds.
fn export(url: &str, metric: &str) -> Vec<(i64, f64)> {
    get(&format!("{url}/internal/force_flush")).unwrap();
    let text = get(&format!("{url}/api/v1/export?match[]={metric}&start=0")).unwrap();
    let mut found = Vec::new();
    for line in text.lines() {
        let series: serde_json::Value = serde_json::from_str(line).unwrap();
        let times = series["timestamps"].as_array().unwrap().iter().map(|time| time.as_i64().unwrap());
        let values = series["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap());
        found.extend(times.zip(values));
    }
    found.sort_by_key(|(time, _)| *time);
    found
}

#[test]
fn readings_averages_and_repeats() {
    if !installed(PROGRAM) {
        return;
    }
    let (_server, url) = start();
    let mut site = Site::new(&url);
    let (first, second) = (commit(1, 1, 12_000), commit(2, 12_001, 3000));
    assert_eq!(site.store.commit(&first).unwrap().stored, 12_000);
    assert_eq!(site.store.commit(&second).unwrap().stored, 3000);
    // Another ingester that lost its state writes the same points again.
    assert_eq!(Site::new(&url).store.commit(&first).unwrap().stored, 12_000);

    let speeds = export(&url, "road_speed_kmh");
    assert_eq!(speeds.len(), 15_000);
    let sum: f64 = speeds.iter().map(|(_, speed)| speed).sum();
    assert_eq!(sum.to_bits(), (1..=15_000).map(speed).sum::<f64>().to_bits());
    assert_eq!(speeds.first(), Some(&(1_700_000_000_001, 60.25)));
    assert_eq!(speeds.last().unwrap().0, 1_700_000_015_000);
    let seqs = export(&url, "road_seq");
    assert!(seqs.iter().map(|(_, seq)| *seq).eq((1..=15_000).map(f64::from)));
    assert_eq!(export(&url, "fogline_average_n").len(), 1);
}
