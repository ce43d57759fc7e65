//! Each stay is billed once, and nobody but the ledger knows a plate.

use crate::garages::{AGENT, TARIFF_CENTS, occupancy, start, until_answered};
use crate::invoices::{clarifications, expected, invoices, movements, plates};
use fogline_tests::real::{AgentRecipe, Broker, Database, Influxd, Ingester, Kind, Site, until};
use serde_json::json;

/// Entries and exits between two strikes.
const MORE: i64 = 40;

fn until_more(database: &Database) {
    let before = database.stored(AGENT);
    until("more entries and exits are stored", || (database.stored(AGENT) >= before + MORE).then_some(()));
}

#[test]
fn each_stay_has_one_invoice_whatever_is_killed() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let mut agent = start(site.agent(AGENT));
    let database = site.ingester.database();
    until_more(&database);
    let answer = until("the garages are told how full all are", || occupancy(&agent));
    assert!(answer[0] <= 2 && answer[1] <= answer[2], "{answer:?}");
    site.broker.bounce();
    until_more(&database);
    agent.program.kill();
    agent.program.restart();
    until_more(&database);
    site.ingester.bounce();
    until_more(&database);
    agent.program.kill();
    site.ingester.program.kill();
    site.broker.bounce();
    site.ingester.restart();
    agent.program.restart();
    until_more(&database);
    assert!(agent.program.terminate().success());

    let audited = site.audit(&[&agent]).passes().total;
    assert_eq!((audited.lost, audited.dropped), (0, 0));
    let said = movements(&database, AGENT);
    let (billed, inside) = expected(&said, TARIFF_CENTS);
    assert!(billed.len() > 50, "{} invoices of {} entries and exits", billed.len(), said.len());
    assert_eq!(invoices(&database), billed);
    assert_eq!(clarifications(&database), 0);
    for garage in ["garage-1", "garage-2"] {
        let last = said.iter().rfind(|movement| movement.garage == garage).unwrap();
        assert_eq!(usize::try_from(last.occupied).ok(), inside.get(garage).copied().or(Some(0)), "{garage}");
    }

    // Who has no garage may ask too.
    let asks = ["--source", "none", "--ask", "occupancy", "--ask-every", "1s"];
    until_answered(&site.agent("desk").args(asks).start(), &said);
    nobody_knows_a_plate(&database, &database);
}

#[test]
fn a_plate_is_in_no_table_but_the_ledger_and_in_no_line_of_influxdb() {
    let Some(server) = Influxd::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::under_test(), folder.path()) else { return };
    let url = server.translator().url();
    let ingester =
        Ingester::start_with(&broker, &folder.path().join("ingest"), &["--store", "influxdb", "--influxdb-url", &url]);
    let mut agent = start(AgentRecipe::new(&broker, AGENT, &folder.path().join(AGENT)));
    let state = ingester.state();
    until("stays have ended", || (invoices(&state).len() > 20).then_some(()));
    assert!(agent.program.terminate().success());
    // A number that is a text all of a sudden is refused for good, with its plate. InfluxDB looks at the same week only.
    let file = folder.path().join("lines");
    let fields = json!({ "event": "entry", "plate": "B-XY 9876", "occupied": "many" });
    let line = json!({ "ts_us": 1_717_203_600_000_000_i64, "sensor": "garage-1", "kind": "parking", "fields": fields });
    std::fs::write(&file, format!("{line}\n")).unwrap();
    AgentRecipe::new(&broker, AGENT, &folder.path().join("other")).reads(&file).args(["--in-order"]).start().finished();

    let dead: Vec<String> = state.rows("SELECT reading FROM dead_letter", [], |row| row.get(0));
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert!(dead[0].contains("plate_hash") && !dead[0].contains("9876"), "{dead:?}");
    nobody_knows_a_plate(&state, &state);
    let lines = server.api().query("SELECT * FROM /.*/").to_string();
    assert!(lines.contains("plate_hash"), "{lines}");
    for plate in plates(&state) {
        assert!(!lines.contains(&plate), "{plate}");
    }
}

/// Wherever readings are kept.
fn nobody_knows_a_plate(ledger: &Database, store: &Database) {
    let plates = plates(ledger);
    assert!(plates.len() > 10, "{plates:?}");
    for (table, column) in [("reading", "fields"), ("latest", "fields"), ("dead_letter", "reading")] {
        let kept: Vec<String> = store.rows(&format!("SELECT {column} FROM {table}"), [], |row| row.get(0));
        for plate in &plates {
            assert!(!kept.iter().any(|text| text.contains(plate)), "{plate} in the table {table}");
        }
        assert!(table != "latest" || kept.iter().any(|text| text.contains("plate_hash")), "{kept:?}");
    }
}
