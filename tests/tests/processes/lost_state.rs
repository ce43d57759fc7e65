//! The ingester's disk is replaced by an empty one: what is acknowledged was stored there and is gone with it, and all goes on.

use crate::through_both_brokers;
use fogline::audit::Counts;
use fogline_tests::real::{Kind, Site, until};

through_both_brokers!(an_ingester_without_its_state_goes_on);

fn an_ingester_without_its_state_goes_on(kind: Kind) {
    let Some(mut site) = Site::start(kind) else { return };
    let agent = site.agent("lane-1").watches_a_road("20").start();
    let database = site.ingester.database();
    let (seen, _) = until("a limit is acknowledged", || database.applied_limit("lane-1"));

    // An empty state begins with the first term: what the agent has seen must raise it.
    site.ingester.bounce_without_memory();
    let (term, _) = until("a new limit is acknowledged", || database.applied_limit("lane-1"));
    assert!(term > seen, "term {term} after {seen}");
    assert!(database.stored("lane-1") > 0);
    until("the queue holds less than a second", || agent.queued().filter(|queued| *queued < 20));

    // What was acknowledged went with the disk: the audit says so, with the queue, and does not guess without it.
    let account = site.audit(&[&agent]).account();
    let Counts { lost, stored, unknown, .. } = account.total;
    assert!(!account.passed && lost > 0 && stored > 0 && unknown == 0, "{account}");
    let first = account.agents[0].lost_ranges.first().map(|range| range.first);
    assert_eq!((first, account.agents[0].lost_ranges.len()), (Some(1), 1), "{account}");
    let without_queue = site.audit(&[]).account();
    assert_eq!((without_queue.total.lost, without_queue.total.unknown), (0, lost), "{without_queue}");
}
