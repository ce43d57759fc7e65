//! Lets the ingester's InfluxDB store write into InfluxDB 1.x.

use fogline_ingest::store::{InfluxConfig, InfluxStore, Sharing, StateDb, Store, Synchronous};
use fogline_protocol::store::{Commit, Points, TakeOver};
use fogline_protocol::time::Wall;
use fogline_tests::real::Influxd;

/// Writes a commit.
pub(crate) fn store(commit: &Commit, server: &Influxd) {
    let folder = tempfile::tempdir().unwrap();
    let mut state = StateDb::open(&folder.path().join("state.db"), Synchronous::Normal, Sharing::Alone).unwrap();
    state.take_over(TakeOver { run: commit.run, above: 0, since: Wall::MIN }).unwrap();
    let config = InfluxConfig { url: server.translator().url(), ..InfluxConfig::default() };
    let report = InfluxStore::new(state, &config).unwrap().commit(commit).unwrap();
    let readings: u64 = commit.points.iter().map(Points::count).sum();
    assert_eq!((report.stored, report.dead), (readings, 0));
}
