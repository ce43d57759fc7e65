//! Averages of a city in an ingester whose points go to InfluxDB.

use crate::fake::{Behaviour, Fake};
use crate::fixture::{EPOCH_US, Site, commit};
use fogline_ingest::store::Store as _;
use fogline_ingest::store::query::StoreReader;
use fogline_protocol::city::Aggregate;
use fogline_protocol::ids::Name;
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::Commit;
use fogline_protocol::time::Wall;
use std::sync::Arc;

/// A commit with one reading of a coordinator.
fn average(id: u64) -> Commit {
    let mut commit = commit(id, id, 1);
    let mut readings = Readings::new();
    let from_us = f64::from(u32::try_from(EPOCH_US / 1_000_000).unwrap()) * 1e6;
    let fields = [("pm10_ugm3", Value::Number(21.5)), ("n", Value::Number(3.0)), ("from_us", Value::Number(from_us))];
    readings.push(Wall::from_us(EPOCH_US + 5_000_000), "node-1", "city", &fields).unwrap();
    commit.points[0].readings = Arc::new(readings);
    commit
}

#[test]
fn averages_are_there_once_the_database_has_their_points() {
    let server = Fake::start(Behaviour::Answers(503));
    let mut site = Site::new(&server.url);
    let (id, (from_us, to_us)) = (Name::new("node-1").unwrap(), (EPOCH_US, EPOCH_US + 5_000_000));
    let latest = |site: &Site| StoreReader::open(&site.path()).unwrap().city_latest(&id, 9).unwrap();
    assert!(site.store.commit(&average(1)).is_err());
    assert_eq!(latest(&site), []);
    server.behave(Behaviour::Good);
    site.store.commit(&average(1)).unwrap();
    site.store.commit(&average(2)).unwrap();
    let id = id.clone();
    assert_eq!(latest(&site), [Aggregate { id, ts_us: to_us, from_us, to_us, mean_ugm3: 21.5, n: 3 }]);
    assert_eq!(server.seen().field("city", "pm10_ugm3"), "21.5");
}
