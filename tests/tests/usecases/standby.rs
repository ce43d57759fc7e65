//! Two sites, each with a ledger of its own: what a garage hears to be written is in both.

use crate::garages::{AGENT, TARIFF_CENTS, start};
use crate::invoices::{Movement, cars, clarifications, expected, invoices};
use fogline_agent::status;
use fogline_protocol::node::{TUPLES_MAX, TupleState};
use fogline_tests::real::{Agent, Api, Database, Influxd, Kind, Shared, Sites, get, until};

/// Stays that end before anybody is killed.
const ENOUGH: usize = 10;

/// The numbers of the newest exits that the agent knows to be written.
fn acknowledged_exits(agent: &Agent) -> Vec<i64> {
    let report = status::ask_with(agent.folder(), TUPLES_MAX).ok().and_then(|report| report.live);
    let tuples = report.map(|live| live.tuples.newest).unwrap_or_default();
    let exits =
        tuples.iter().filter(|tuple| tuple.state == TupleState::Acknowledged && tuple.fields["event"] == "exit");
    exits.map(|tuple| i64::try_from(tuple.seq).unwrap()).collect()
}

/// The numbers of the exits that a ledger has billed.
fn billed_exits(ledger: &Database) -> Vec<i64> {
    ledger.rows("SELECT exit_seq FROM stay WHERE exit_seq IS NOT NULL", [], |row| row.get(0))
}

fn is_alone(sites: &Sites, ingester: usize) -> bool {
    let (_, page) = get(sites.ingesters[ingester].http(), "/readyz").expect("the ingester answers");
    let metric = sites.ingesters[ingester].metric("fogline_ingest_billing_alone");
    metric == 1 && page.contains("leading alone")
}

/// Kills the leader when it has just acknowledged a bill; the other has every bill that was acknowledged, and goes on.
fn replace(sites: &mut Sites, agent: &Agent, (leader, other): (usize, usize)) {
    until("somebody stands by", || (!is_alone(sites, leader)).then_some(()));
    let before = acknowledged_exits(agent);
    let newest = before.iter().max().copied().unwrap_or(0);
    until("a bill is acknowledged", || acknowledged_exits(agent).into_iter().find(|seq| *seq > newest));
    sites.ingesters[leader].program.kill();
    // What the agent hears from now on comes from the other.
    let known = acknowledged_exits(agent);
    let kept = billed_exits(&sites.ingesters[other].state());
    let missing: Vec<&i64> = known.iter().filter(|seq| !kept.contains(seq)).collect();
    assert!(missing.is_empty(), "acknowledged, and not kept by who takes over: {missing:?}");
    sites.until_leads(other);
    until("it says that it is alone", || is_alone(sites, other).then_some(()));
    let ledger = sites.ingesters[other].state();
    let before = invoices(&ledger).len();
    until("it bills", || (invoices(&ledger).len() >= before + ENOUGH).then_some(()));

    sites.ingesters[leader].restart();
    sites.until_stands_by(leader);
    until("it is not alone any more", || (!is_alone(sites, other)).then_some(()));
}

#[test]
fn a_successor_has_every_bill_that_was_acknowledged() {
    let Some(server) = Influxd::start() else { return };
    let shared = Shared::Influx(server.translator().url(), server.api().url());
    let Some(mut sites) = Sites::start(Kind::under_test(), shared) else { return };
    let mut agent = start(sites.agent(AGENT));
    let ledger = sites.ingesters[0].state();
    until("stays have ended", || (invoices(&ledger).len() >= ENOUGH).then_some(()));
    replace(&mut sites, &agent, (0, 1));
    replace(&mut sites, &agent, (1, 0));
    assert!(agent.program.terminate().success());

    assert!(sites.audit(&[&agent]).passes().total.stored > 0);
    let (billed, _) = expected(&movements(server.api()), TARIFF_CENTS);
    assert!(billed.len() > 3 * ENOUGH, "{}", billed.len());
    for ingester in &sites.ingesters {
        let ledger = ingester.state();
        until("the ledger has all bills", || (invoices(&ledger).len() >= billed.len()).then_some(()));
        assert_eq!(invoices(&ledger), billed);
        assert_eq!(clarifications(&ledger), 0);
    }
}

/// The entries and exits that InfluxDB has, in the order of their numbers.
fn movements(database: Api) -> Vec<Movement> {
    let columns = r#""seq", "sensor", "stream", "event", "plate_hash", "occupied""#;
    let answer = database.query_in("u", &format!(r#"SELECT {columns} FROM "parking""#));
    let rows = answer["results"][0]["series"][0]["values"].as_array().expect("there are points").clone();
    let mut movements: Vec<Movement> = rows
        .iter()
        .map(|row| Movement {
            ts_us: row[0].as_i64().unwrap(),
            seq: row[1].as_i64().unwrap(),
            garage: row[2].as_str().unwrap().to_owned(),
            stream: row[3].as_str().unwrap().to_owned(),
            entry: row[4] == "entry",
            plate_hash: row[5].as_str().unwrap().to_owned(),
            occupied: cars(row[6].as_f64().unwrap()),
        })
        .collect();
    movements.sort_by_key(|movement| movement.seq);
    movements
}
