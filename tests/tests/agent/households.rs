//! Households by a clock of their own: bounded, restarted without a gap or a repeat, and shown with the state of each tuple.

use fogline_tests::real::{Household, Kind, Site, until};
use serde_json::Value;

/// 2019-12-24T06:00:00Z, and ten minutes later.
const FROM_MS: i64 = 1_577_167_200_000;
const TO_MS: i64 = FROM_MS + 600_000;
/// More than files, so that some are copies.
const HOUSEHOLDS: i64 = 3;

#[test]
fn a_part_of_a_day_is_replayed_once_however_often_the_agent_is_killed() {
    let Some(household) = Household::find("73f34d6c.csv") else { return };
    let Some(site) = Site::start(Kind::Embedded) else { return };
    let played = household.rows.iter().filter(|row| (FROM_MS..TO_MS).contains(&row.ts_ms));
    let expected = HOUSEHOLDS * i64::try_from(played.count()).unwrap();
    let path = household.path.to_str().unwrap();
    let mut agent = site
        .agent("houses")
        .args(["--source", "households", "--raw", "--households", "3", "--pace", "120", "--file", path])
        .args(["--from", "2019-12-24T07:00:00+01:00", "--to", "2019-12-24T06:10:00Z", "--until", "acknowledged"])
        .start();
    let database = site.ingester.database();
    for part in 1..=3 {
        until("rows are stored", || (database.stored("houses") >= expected * part / 5).then_some(()));
        assert_eq!(agent.program.try_ended(), None, "the replay was over before kill {part}");
        agent.program.kill();
        agent.program.restart();
    }
    agent.finished();
    let account = database.account("houses");
    assert_eq!((account.readings, account.distinct), (expected, expected));
    assert!(account.first_us.is_some_and(|us| us >= FROM_MS * 1000), "{account:?}");
    assert!(account.last_us.is_some_and(|us| us < TO_MS * 1000), "{account:?}");
    let audited = site.audit(&[&agent]).passes().total;
    assert_eq!(i64::try_from(audited.stored).unwrap(), expected);
}

#[test]
fn each_tuple_is_shown_with_its_state() {
    let Some(mut site) = Site::start(Kind::Embedded) else { return };
    let agent = site
        .agent("houses")
        .args(["--source", "households", "--households", "4", "--pace", "50", "--from", "2019-12-24T00:00:00Z"])
        .start();
    // None of those that were asked for when nobody says how many.
    let newest = || -> Option<Vec<Value>> { agent.status()?.pointer("/live/tuples/newest")?.as_array().cloned() };
    let has = |state: &str| {
        let found = newest()?.iter().any(|tuple| tuple["state"] == state);
        found.then_some(())
    };
    until("a tuple is acknowledged", || has("acknowledged"));
    let tuple = newest().unwrap()[0].clone();
    assert!(tuple["sensor"].as_str().unwrap().starts_with("house-"), "{tuple}");
    assert!(tuple["fields"]["power_w"].as_f64().is_some_and(|power| power > 0.0), "{tuple}");
    assert_eq!(tuple["fields"]["n"], 5.0, "five samples of a second each");
    assert_eq!(tuple["ts_us"].as_i64().unwrap() % 5_000_000, 0, "{tuple}");
    let heard = agent.status().unwrap().pointer("/live/heard_ms_ago").and_then(Value::as_u64);
    assert!(heard.is_some_and(|ms| ms < 60_000), "{heard:?}");

    site.ingester.program.kill();
    until("what nobody acknowledges is on its way", || has("sent"));
    site.broker.program.kill();
    until("and waits when there is no way", || {
        let all = newest()?;
        all.iter().all(|tuple| tuple["state"] == "new").then_some(())
    });
}
