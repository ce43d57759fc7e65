//! Sites that share a database, each with a state of its own: what a successor needs is told to it.

use crate::alone;
use crate::progress::{acknowledged, running_agent, until_more};
use fogline_tests::real::{Influxd, Kind, Shared, Sites, Victoria, until};
use std::time::Duration;

/// From the SIGKILL of the leader to the next acknowledgement.
const RESUMED_WITHIN: Duration = Duration::from_secs(5);
/// Readings that are averaged before anything is killed.
const ENOUGH: i64 = 100;
/// A leader says what it has averaged some ten times a second: of 50 readings a second a crash takes 5 to 10 with it, and what
/// is still in flight.
const MISSING_MAX: i64 = 25;

fn a_successor_knows_what_its_leader_knew(shared: Shared) {
    let _alone = alone();
    let Some(mut sites) = Sites::start(Kind::under_test(), shared) else { return };
    let mut agent = running_agent(&sites);
    let averaged = |ingester: usize| sites.ingesters[ingester].state().averaged("lane-1");
    until("the follower has averages", || (averaged(1) >= ENOUGH).then_some(()));
    assert!(sites.ingesters[1].stands_by());
    let before = averaged(1);

    let resumed = until_more("acknowledged", || sites.ingesters[0].program.kill(), || acknowledged(&agent));
    assert!(resumed < RESUMED_WITHIN, "{resumed:?}");
    // What it tells of itself is a tenth of a second old.
    sites.until_leads(1);
    until("averages go on", || (sites.ingesters[1].state().averaged("lane-1") >= before + ENOUGH).then_some(()));

    // The other way around, with what was missed meanwhile.
    sites.ingesters[0].restart();
    sites.until_stands_by(0);
    until_more("acknowledged", || sites.ingesters[1].program.kill(), || acknowledged(&agent));
    sites.until_leads(0);
    sites.ingesters[1].restart();
    sites.until_stands_by(1);

    assert!(agent.program.terminate().success());
    let account = sites.audit(&[&agent]).passes();
    let stored = i64::try_from(account.total.stored).unwrap();
    for ingester in &sites.ingesters {
        let averaged = until("all is averaged", || {
            let averaged = ingester.state().averaged("lane-1");
            (averaged >= stored - 2 * MISSING_MAX).then_some(averaged)
        });
        println!("{averaged} of {stored} readings are in the averages of {}", ingester.folder().display());
        assert!(averaged <= stored, "{averaged} values of {stored} readings");
    }
}

#[test]
fn over_influxdb() {
    let Some(server) = Influxd::start() else { return };
    a_successor_knows_what_its_leader_knew(Shared::Influx(server.translator().url(), server.api().url()));
}

#[test]
fn over_victoria_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let Some(victoria) = Victoria::start(folder.path()) else { return };
    a_successor_knows_what_its_leader_knew(Shared::Influx(victoria.url(), victoria.url()));
}
