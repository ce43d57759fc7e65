//! Kills and orderly stops on sites that share a SQLite file.

use crate::alone;
use crate::progress::{acknowledged, place, running_agent, until_more};
use fogline_tests::real::{Agent, Kind, Shared, Sites};
use std::time::Duration;

/// From the SIGKILL of the leader to the first new reading in the store.
const AFTER_A_KILL: Duration = Duration::from_secs(5);
/// From its SIGTERM.
const AFTER_A_STOP: Duration = Duration::from_secs(2);
/// From the SIGKILL of a broker to the next acknowledgement on an agent that was there.
const AFTER_A_BROKER: Duration = Duration::from_secs(8);
/// The same when the leader died with it.
const AFTER_A_SITE: Duration = Duration::from_secs(10);

fn start(kind: Kind) -> Option<(Sites, Agent)> {
    let sites = Sites::start(kind, Shared::File)?;
    let agent = running_agent(&sites);
    Some((sites, agent))
}

fn stored(sites: &Sites) -> i64 {
    sites.ingesters[1].database().stored("lane-1")
}

/// Drains, and accounts for everything.
fn end(sites: &Sites, mut agent: Agent) {
    assert!(agent.program.terminate().success());
    let account = sites.audit(&[&agent]).passes();
    assert!(account.total.stored > 0 && account.total.dropped == 0, "{account}");
}

fn a_killed_leader_is_replaced_and_stands_by_when_it_is_back(kind: Kind) {
    let _alone = alone();
    let Some((mut sites, agent)) = start(kind) else { return };
    let database = sites.ingesters[1].database();
    let kill = || sites.ingesters[0].program.kill();
    let resumed = until_more("stored by the other", kill, || database.stored("lane-1"));
    assert!(resumed < AFTER_A_KILL, "{resumed:?}");
    // What it tells of itself is a tenth of a second old.
    sites.until_leads(1);

    sites.ingesters[0].restart();
    sites.until_stands_by(0);
    let leads = sites.ingesters[1].metric("fogline_ingest_leads_total");
    until_more("stored while both are there", || {}, || stored(&sites));
    assert!(sites.ingesters[1].leads() && !sites.ingesters[0].leads(), "a newcomer does not depose");
    assert_eq!((leads, sites.ingesters[1].metric("fogline_ingest_leads_total")), (1, 1));
    assert_eq!(sites.ingesters[0].metric("fogline_ingest_leads_total"), 0);
    end(&sites, agent);
}

#[test]
fn a_killed_leader_is_replaced_through_fogline_broker() {
    a_killed_leader_is_replaced_and_stands_by_when_it_is_back(Kind::Embedded);
}

#[test]
fn a_killed_leader_is_replaced_through_mosquitto() {
    a_killed_leader_is_replaced_and_stands_by_when_it_is_back(Kind::Mosquitto);
}

#[test]
fn a_leader_that_is_stopped_in_order_hands_over_at_once() {
    let _alone = alone();
    let Some((mut sites, agent)) = start(Kind::under_test()) else { return };
    let database = sites.ingesters[1].database();
    // What it stores on its way out is not the other's.
    let stored = || sites.ingesters[1].metric("fogline_ingest_stored_total");
    let stop = || sites.ingesters[0].program.signal(rustix::process::Signal::TERM);
    let resumed = until_more("stored by the other", stop, stored);
    assert!(resumed < AFTER_A_STOP, "{resumed:?}");
    assert!(sites.ingesters[0].program.ended().success());
    assert!(database.stored("lane-1") > 0);
    end(&sites, agent);
}

#[test]
fn agents_of_a_killed_broker_are_acknowledged_over_the_other() {
    let _alone = alone();
    let Some((mut sites, agent)) = start(Kind::under_test()) else { return };
    assert_eq!(place(&agent), Some(1));
    let resumed = until_more("acknowledged", || sites.brokers[0].program.kill(), || acknowledged(&agent));
    assert!(resumed < AFTER_A_BROKER, "{resumed:?}");
    assert_eq!(place(&agent), Some(2));
    assert!(sites.ingesters[0].leads(), "it reaches the other broker as well");
    sites.brokers[0].program.restart();
    end(&sites, agent);
}

#[test]
fn a_site_may_die() {
    let _alone = alone();
    let Some((mut sites, agent)) = start(Kind::under_test()) else { return };
    let kill = || {
        sites.brokers[0].program.kill();
        sites.ingesters[0].program.kill();
    };
    let resumed = until_more("acknowledged", kill, || acknowledged(&agent));
    assert!(resumed < AFTER_A_SITE, "{resumed:?}");
    assert_eq!(place(&agent), Some(2));
    sites.until_leads(1);
    sites.brokers[0].program.restart();
    sites.ingesters[0].restart();
    sites.until_stands_by(0);
    end(&sites, agent);
}
