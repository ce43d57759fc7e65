//! VictoriaMetrics, which keeps neither texts nor times shorter than a millisecond.

use crate::databases::Site;
use fogline_tests::real::Victoria;

#[test]
fn readings_are_accounted_for_by_agent_and_number() {
    let folder = tempfile::tempdir().unwrap();
    let Some(victoria) = Victoria::start(&folder.path().join("victoria")) else { return };
    let mut site = Site::start(&victoria.url());
    let audit = site.audit(victoria.url());
    site.until_more_are_stored(&audit);
    site.ingester.bounce();
    site.until_more_are_stored(&audit);
    site.agents[1].program.kill();
    site.agents[1].program.restart();
    site.until_more_are_stored(&audit);
    site.end(&audit);
    let before = audit.passes();
    assert!(!before.by_stream);

    // An hour after whatever was there, so that it is a point of its own.
    let latest = victoria.points("road_seq").last().unwrap().0 + 3_600_000;
    for (seq, ahead) in [(10, 0), (11, 1), (11, 2)] {
        victoria.write(&format!(
            "road,agent=lane-2,region=north,sensor=lane-2-1 seq={seq}i,stream=\"00000000000000aa\" {}000000",
            latest + ahead
        ));
    }
    let account = audit.account();
    let lane = account.agent("north/lane-2").unwrap();
    assert_eq!((account.passed, account.total.duplicates, lane.counts.duplicates), (false, 3, 3), "{account}");
    assert_eq!(lane.duplicate_ranges.iter().map(|range| (range.first, range.last)).collect::<Vec<_>>(), [(10, 11)]);

    victoria.delete(r#"{agent="lane-1"}"#);
    let account = audit.account();
    let [lane, was] = [&account, &before].map(|account| account.agent("north/lane-1").unwrap().counts);
    assert_eq!((lane.stored, lane.lost + lane.queued, lane.accepted), (0, was.accepted, was.accepted), "{account}");
    assert!(lane.lost > 0 && account.agent("north/lane-2").unwrap().counts.lost == 0);
}
