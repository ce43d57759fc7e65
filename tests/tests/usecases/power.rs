//! Households are told where they are, remember it, and count for their state.

use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::usecase::power::Places;
use fogline_tests::real::{AgentRecipe, Broker, Database, Ingester, Kind, Site, until};
use serde_json::{Value, json};

const KEY: &str = "notice/postcode";
/// Five-second windows come ten times a second.
const SIMULATED: [&str; 6] = ["--source", "households", "--pace", "50", "--from", "2019-12-24T00:00:00Z"];

/// What is kept of a group: how many values, and how many of these by the agents.
fn group(database: &Database, state: &str) -> i64 {
    let sql = "SELECT coalesce(sum(n), 0) FROM aggregate g JOIN average v ON v.id = g.average
               WHERE region = '' AND agent = ?1 AND kind = 'power' AND field = 'power_w' AND width_s = 3600";
    database.query(sql, [format!("de-{}", state.to_ascii_lowercase())], |row| row.get(0)).unwrap_or(0)
}

#[test]
fn a_household_is_told_its_postcode_and_keeps_it() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let mut agent = site.agent("houses").args(SIMULATED).args(["--households", "3"]).start();
    let (id, places) =
        (AgentId { region: Name::new("north").unwrap(), agent: Name::new("houses").unwrap() }, Places::default());
    let drawn = |sensor: &str| {
        let postcode = places.postcode(&id, sensor);
        json!({ "state": places.state(&postcode).unwrap(), "postcode": postcode })
    };
    let expected: serde_json::Map<String, Value> =
        ["house-1", "house-2", "house-3"].map(|sensor| (sensor.to_owned(), drawn(sensor))).into_iter().collect();
    let told = || {
        let body = agent.in_force(KEY)?;
        (body.get("households")?.as_object()? == &expected).then_some(())
    };
    until("all households are told where they are", told);
    let database = site.ingester.database();
    for place in expected.values() {
        let state = place["state"].as_str().unwrap();
        until(&format!("{state} has an average"), || (group(&database, state) > 0).then_some(()));
    }
    // The acknowledgement of what it was told is stored.
    let fate =
        "SELECT fate FROM decisions WHERE agent = 'houses' AND key = 'notice/postcode' ORDER BY seq DESC LIMIT 1";
    until("the notice is acknowledged", || {
        database.query(fate, [], |row| row.get::<_, String>(0)).filter(|fate| fate == "applied")
    });

    // Nobody can tell it again: what it knows is what it kept.
    site.ingester.program.kill();
    agent.program.kill();
    assert_eq!(agent.in_force(KEY).unwrap()["households"], Value::Object(expected.clone()), "while it is down");
    agent.program.restart();
    until("it knows it when it runs again", || {
        let status = agent.status()?;
        status.pointer("/live/pid")?;
        (status.pointer("/households/house-2")? == &expected["house-2"]).then_some(())
    });
    site.ingester.restart();
    let before = database.stored("houses");
    until("it goes on", || (database.stored("houses") > before).then_some(()));
    assert!(agent.program.terminate().success());
    assert!(site.audit(&[&agent]).passes().total.stored > 0);
}

#[test]
fn an_operator_says_where_households_are() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::under_test(), folder.path()) else { return };
    let file = folder.path().join("households.csv");
    let lines = "region,agent,household,postcode\nnorth,houses,house-1,80331\nnorth,houses,house-2,10115\n";
    std::fs::write(&file, lines).unwrap();
    let households = ["--households", file.to_str().unwrap()];
    let ingester = Ingester::start_with(&broker, &folder.path().join("ingest"), &households);
    let mut agent = AgentRecipe::new(&broker, "houses", &folder.path().join("houses"))
        .args(SIMULATED)
        .args(["--households", "2"])
        .start();
    let body = until("both are told", || {
        agent.in_force(KEY).filter(|body| body["households"].as_object().is_some_and(|all| all.len() == 2))
    });
    assert_eq!(body["households"]["house-1"], json!({ "postcode": "80331", "state": "BY" }));
    assert_eq!(body["households"]["house-2"], json!({ "postcode": "10115", "state": "BE" }));

    let database = ingester.database();
    until("both states have averages", || (group(&database, "BY") > 5 && group(&database, "BE") > 5).then_some(()));
    assert!(agent.program.terminate().success());
    // Bayern is the first household, Berlin the second, and nobody else is anywhere.
    let count = "SELECT count(*) FROM readings WHERE agent = 'houses' AND sensor = ?1";
    for (state, sensor) in [("BY", "house-1"), ("BE", "house-2")] {
        assert_eq!(Some(group(&database, state)), database.query(count, [sensor], |row| row.get(0)), "{state}");
    }
    let groups = "SELECT DISTINCT agent FROM average WHERE region = '' ORDER BY agent";
    assert_eq!(database.rows(groups, [], |row| row.get::<_, String>(0)), ["de-be", "de-by"]);
}
