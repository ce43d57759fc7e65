//! rumqttd's router can be killed by an ordinary client. That ends the broker's process, and loses nothing.

use fogline_tests::real::{Household, Kind, Site, kill_router, until};

#[test]
fn a_dead_router_ends_the_broker_and_a_new_one_takes_over() {
    let Some(household) = Household::find("8c345400.csv") else { return };
    let Some(mut site) = Site::start(Kind::Embedded) else { return };
    let expected = household.account();
    let mut agent = site.agent("house-3").replays(&household.path, "20000").start();
    let database = site.ingester.database();
    let stored = until("rows are stored", || Some(database.stored("house-3")).filter(|stored| *stored > 5000));
    assert!(stored < expected.readings, "the replay was over before the kill");

    kill_router(&site.broker);
    let status = site.broker.program.ended();
    let said = site.broker.program.output().whole();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("error: the router died"), "{said}");

    site.broker.program.restart();
    agent.finished();
    assert_eq!(database.account("house-3"), expected);
}
