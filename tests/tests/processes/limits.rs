//! A speed limit reaches its agent, is acknowledged, and survives the agent.

use crate::through_both_brokers;
use fogline_tests::real::{Kind, Site, until};

through_both_brokers!(a_limit_is_applied_acknowledged_and_kept);

fn a_limit_is_applied_acknowledged_and_kept(kind: Kind) {
    let Some(mut site) = Site::start(kind) else { return };
    let mut agent = site.agent("lane-1").watches_a_road("20").start();

    // The simulated cars drive 70 to 120 km/h.
    let limit = agent.until_limited();
    assert!((60.0..=130.0).contains(&limit) && limit % 10.0 == 0.0, "{limit} km/h");
    let database = site.ingester.database();
    let (term, acknowledged) = until("the agent's acknowledgement is stored", || database.applied_limit("lane-1"));
    assert!(term >= 1 && (60.0..=130.0).contains(&acknowledged), "{acknowledged} km/h in term {term}");

    // Nobody can tell it the limit again: what it knows is what it kept.
    site.ingester.program.kill();
    let limit = agent.until_limited();
    agent.program.kill();
    assert_eq!(agent.limit(), Some(limit), "while it is down");
    agent.program.restart();
    assert_eq!(agent.until_limited(), limit, "when it runs again");
    let audited = site.audit(&[&agent]).passes();
    assert!(audited.total.stored > 0, "{audited}");
}
