//! VictoriaMetrics takes InfluxDB's writes. It keeps times to the millisecond and no texts, so the recording with a row
//! every two seconds is compared by values.

use fogline_tests::real::{AgentRecipe, Audit, Broker, Household, Ingester, Kind, Victoria, until};

#[test]
fn every_row_reaches_victoria_metrics_although_the_ingester_is_killed() {
    let Some(household) = Household::find("8c345400.csv") else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(victoria) = Victoria::start(&folder.path().join("victoria")) else { return };
    let broker = Broker::start(Kind::Embedded, folder.path()).unwrap();
    let store = ["--store", "influxdb", "--influxdb-url", &victoria.url()];
    let mut ingester = Ingester::start_with(&broker, &folder.path().join("ingest"), &store);
    let recipe = AgentRecipe::new(&broker, "house-3", &folder.path().join("house-3"));
    let mut agent = recipe.replays(&household.path, "20000").start();

    let stored = || Some(ingester.metric("fogline_ingest_stored_total")).filter(|stored| *stored > 5000);
    until("rows are stored", stored);
    assert_eq!(agent.program.try_ended(), None, "the replay was over before the kill");
    ingester.bounce();
    agent.finished();

    // Two rows of the recording are never within a millisecond, and each is in the one stream of its agent.
    let audited = Audit::of(&ingester).in_influxdb(victoria.url()).and(&agent).passes().total;
    assert_eq!((audited.accepted, audited.stored), (household.rows.len() as u64, household.rows.len() as u64));

    let milliwatts = |watts: f64| format!("{:.0}", watts * 1000.0);
    let stored: Vec<_> =
        victoria.points("power_power_w").into_iter().map(|(ts, watts)| (ts, milliwatts(watts))).collect();
    let rows: Vec<_> = household.rows.iter().map(|row| (row.ts_ms, row.power_mw.to_string())).collect();
    assert_eq!(stored.len(), rows.len());
    assert_eq!(stored.iter().zip(&rows).find(|(stored, row)| stored != row), None);
}
