//! A real InfluxDB, durable: Debian's 1.6.7 behind a translator.

use crate::databases::Site;
use fogline::audit::{AuditError, LostRange};
use fogline_tests::real::{Audit, Influxd};
use serde_json::Value;

/// Nanoseconds, number, stream and sensor of a reading of `lane-1`.
fn reading(server: &Influxd, seq: u64) -> (i64, String, String) {
    let query = format!(r#"SELECT "seq", "stream", "sensor" FROM "road" WHERE "agent" = 'lane-1' AND "seq" = {seq}"#);
    let answer = server.api().query_in("ns", &query);
    let row = &answer["results"][0]["series"][0]["values"][0];
    let text = |at: usize| row[at].as_str().unwrap().to_owned();
    (row[0].as_i64().unwrap(), text(2), text(3))
}

fn delete(server: &Influxd, seqs: std::ops::RangeInclusive<u64>) {
    for seq in seqs {
        let (time, ..) = reading(server, seq);
        let deleted =
            server.api().query_in("ns", &format!(r#"DELETE FROM "road" WHERE "agent" = 'lane-1' AND time = {time}"#));
        assert_eq!(deleted["results"][0].get("error").map(Value::to_string), None);
    }
}

fn lost(audit: &Audit) -> Vec<(u64, u64)> {
    let account = audit.account();
    let lane = account.agent("north/lane-1").unwrap();
    assert_eq!(account.total.lost, lane.counts.lost, "{account}");
    let mut ranges: Vec<_> = lane.lost_ranges.iter().map(|LostRange { first, last, .. }| (*first, *last)).collect();
    // Those of streams that the queue has forgotten come last.
    ranges.sort_unstable();
    ranges
}

#[test]
fn nothing_is_lost_whatever_is_killed_and_what_is_taken_away_is_found() {
    let Some(mut server) = Influxd::start() else { return };
    let mut site = Site::start(&server.translator().url());
    let audit = site.audit(server.api().url());
    site.until_more_are_stored(&audit);
    server.bounce();
    site.until_more_are_stored(&audit);
    site.ingester.bounce();
    site.broker.bounce();
    site.until_more_are_stored(&audit);
    site.agents[0].program.kill();
    site.agents[0].program.restart();
    site.until_more_are_stored(&audit);
    site.end(&audit);

    let (time, stream, sensor) = reading(&server, 50);
    delete(&server, 20..=22);
    delete(&server, 40..=40);
    delete(&server, 1..=1);
    assert_eq!(lost(&audit), [(1, 1), (20, 22), (40, 40)]);
    let copy = format!(
        "road,agent=lane-1,region=north,sensor={sensor} seq=50i,stream=\"{stream}\" {}",
        time + 1_000_000_000_000
    );
    server.api().write(&copy);
    let account = audit.account();
    let lane = account.agent("north/lane-1").unwrap();
    assert_eq!((account.by_stream, account.total.lost, lane.counts.duplicates), (true, 5, 1), "{account}");
    assert_eq!((lane.duplicate_ranges[0].first, lane.duplicate_ranges[0].last), (50, 50));
    assert_eq!(account.missing, 0, "it is known which they are");
}

#[test]
fn a_database_that_is_not_there_or_refuses_is_an_error_that_says_so() {
    let Some(mut server) = Influxd::start() else { return };
    let site = Site::start(&server.translator().url());
    let audit = site.audit(server.api().url());
    let refused = audit.clone().of_bucket("no-such").try_account().unwrap_err();
    assert!(
        matches!(&refused, AuditError::Database { detail, .. } if detail.contains("database not found")),
        "{refused}"
    );
    server.program.kill();
    let error = audit.try_account().unwrap_err();
    assert!(error.to_string().contains(&server.api().url()) && error.to_string().contains("refused"), "{error}");
}
