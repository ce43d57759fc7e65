//! What ends rumqttd's own listeners is an ordinary message to our broker, and the agents have nothing of it.

use fogline_tests::real::{Household, Kind, Site, publish_by_hand, until};

#[test]
fn a_topic_that_kills_a_router_does_not_disturb_a_replay() {
    let Some(household) = Household::find("8c345400.csv") else { return };
    let Some(site) = Site::start(Kind::Embedded) else { return };
    let expected = household.account();
    let mut agent = site.agent("house-3").replays(&household.path, "20000").start();
    let database = site.ingester.database();
    let stored = until("rows are stored", || Some(database.stored("house-3")).filter(|stored| *stored > 5000));
    assert!(stored < expected.readings, "the replay was over before the message");
    if !publish_by_hand(&site.broker, "über/x", "x") {
        return;
    }
    agent.finished();
    assert_eq!(database.account("house-3"), expected);
    assert_eq!(site.audit(&[&agent]).passes().total.stored, household.rows.len() as u64);
    assert!(publish_by_hand(&site.broker, "über/x", "x"), "the broker is still there");
}
