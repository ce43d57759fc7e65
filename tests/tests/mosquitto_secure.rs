//! Mosquitto as it is shipped for other machines, `mosquitto-compat/mosquitto-secure.conf`: readings arrive over TLS, limits come
//! back, and strangers stay out.
//!
//! With `FOGLINE_TEST_BROKER=mosquitto` whole suites run on it: docs/brokers.md says which.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use fogline_tests::real::{Kind, Site, strangers_stay_out, until};

#[test]
fn agents_and_ingester_log_in_over_tls_and_strangers_do_not() {
    let Some(mut site) = Site::start(Kind::SecureMosquitto) else { return };
    assert!(site.broker.address().starts_with("mqtts://"));
    let mut agent = site.agent("lane-1").watches_a_road("20").start();
    let limit = agent.until_limited();
    assert!((60.0..=130.0).contains(&limit), "{limit} km/h");
    strangers_stay_out(&site.broker, &site.path(""));
    // Its users are still there, and so is what the broker had not delivered.
    site.broker.bounce();
    let database = site.ingester.database();
    let before = database.stored("lane-1");
    until("readings are stored again", || (database.stored("lane-1") > before).then_some(()));
    assert!(agent.program.terminate().success());
    let total = site.audit(&[&agent]).passes().total;
    assert!(total.stored > 0 && total.dropped == 0 && database.stored("stranger") == 0, "{total:?}");
}
