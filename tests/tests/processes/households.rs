//! A real recording goes in through `csv`, and the store holds all of it, whatever is killed on the way.

use crate::through_both_brokers;
use fogline_protocol::rng::Rng;
use fogline_tests::real::{Household, Kind, Site, until};
use std::time::Duration;

through_both_brokers!(every_row_outlives_broker_and_ingester, every_row_outlives_the_agent);

/// A day in about six seconds: long enough to be interrupted, however fast the machine is.
const PACE: &str = "15000";
/// How often the agent is killed.
const KILLS: i64 = 5;
/// The longest time from a condition to a kill.
const MOMENT: Duration = Duration::from_millis(100);

fn every_row_outlives_broker_and_ingester(kind: Kind) {
    let Some(household) = Household::find("dc183066.csv") else { return };
    let Some(mut site) = Site::start(kind) else { return };
    let expected = household.account();
    let mut agent = site.agent("house-1").replays(&household.path, PACE).start();

    let database = site.ingester.database();
    let until_stored = |part: i64| {
        let wanted = expected.readings * part / 10;
        let stored = until("rows are stored", || Some(database.stored("house-1")).filter(|stored| *stored >= wanted));
        assert!(stored < expected.readings, "the replay was over before the kill");
    };
    until_stored(2);
    site.broker.bounce();
    until_stored(4);
    site.ingester.bounce();
    until_stored(6);
    site.broker.program.kill();
    site.ingester.program.kill();
    site.broker.program.restart();
    site.ingester.program.restart();

    agent.finished();
    assert_eq!(database.account("house-1"), expected);
    let audited = site.audit(&[&agent]).passes().total;
    assert_eq!((audited.accepted, audited.stored), (household.rows.len() as u64, household.rows.len() as u64));
}

fn every_row_outlives_the_agent(kind: Kind) {
    let Some(household) = Household::find("73f34d6c.csv") else { return };
    let Some(site) = Site::start(kind) else { return };
    let expected = household.account();
    let mut agent = site.agent("house-2").replays(&household.path, PACE).start();

    let database = site.ingester.database();
    let mut random = Rng::new(20_191_224);
    for kill in 0..KILLS {
        // Somewhere in its share of the rows, and a drawn while after that was stored.
        let share = expected.readings * 9 / 10 / KILLS;
        let wanted = kill * share + i64::try_from(random.below(share.unsigned_abs())).unwrap();
        until("rows are stored", || Some(database.stored("house-2")).filter(|stored| *stored >= wanted));
        std::thread::sleep(MOMENT.mul_f64(random.between(0.0, 1.0)));
        assert_eq!(agent.program.try_ended(), None, "the replay was over before kill {kill}");
        agent.program.kill();
        agent.program.restart();
    }

    agent.finished();
    assert_eq!(database.account("house-2"), expected);
    let audited = site.audit(&[&agent]).passes().total;
    assert_eq!((audited.accepted, audited.stored), (household.rows.len() as u64, household.rows.len() as u64));
}
