//! Answers that are about the server, and what the store makes of them.

use crate::fake::{Behaviour, Fake};
use crate::fixture::{Site, commit};
use fogline_ingest::store::Store as _;
use fogline_protocol::store::{CommitReport, StoreFault};
use std::time::Duration;

const ALL: CommitReport = CommitReport { stored: 100, dead: 0 };

#[test]
fn points_and_progress_are_there_after_a_commit() {
    let server = Fake::start(Behaviour::Good);
    let mut site = Site::new(&server.url);
    assert_eq!(site.store.commit(&commit(1, 1, 100)), Ok(ALL));
    assert_eq!(site.through(), Some(100));
    let seen = server.seen();
    assert_eq!((seen.count("road"), seen.requests), (100, 1));
    let identity = ("road,agent=r1,region=north,sensor=lane-1".to_owned(), 1_700_000_000_001_000_003);
    let fields: Vec<(&str, &str)> = seen.points[&identity].iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(fields, [("seq", "1i"), ("speed_kmh", "60.25"), ("stream", "000000000000feed")]);
}

#[test]
fn faults_change_nothing_and_are_told_apart() {
    let server = Fake::start(Behaviour::Good);
    let mut site = Site::new(&server.url);
    let statuses = [401, 403, 404, 408, 429, 500, 503, 200, 301, 405];
    for status in statuses {
        server.behave(Behaviour::Answers(status));
        let fault = site.store.commit(&commit(1, 1, 100)).unwrap_err();
        let transient = matches!(fault, StoreFault::Transient(_));
        assert_eq!(transient, matches!(status, 408 | 429 | 500 | 503), "{status}: {fault}");
        assert!(fault.to_string().contains(&status.to_string()), "{fault}");
        assert_eq!(site.through(), None, "{status}");
    }
    assert_eq!(server.seen().count("road"), 0);
    server.behave(Behaviour::Good);
    assert_eq!(site.store.commit(&commit(1, 1, 100)), Ok(ALL));
    assert_eq!(server.seen().field("fogline_average", "n"), "100i", "what failed was not folded");
}

#[test]
fn a_lost_reply_is_written_again_to_the_same_points() {
    let server = Fake::start(Behaviour::LosesReply);
    let mut site = Site::with(&server.url, |config| config.timeout = Duration::from_millis(300));
    let fault = site.store.commit(&commit(1, 1, 100)).unwrap_err();
    assert!(matches!(&fault, StoreFault::Transient(why) if why.contains("in time")), "{fault}");
    assert_eq!(site.through(), None);
    assert_eq!(server.seen().count("road"), 100, "the server has them all the same");
    server.behave(Behaviour::Good);
    assert_eq!(site.store.commit(&commit(1, 1, 100)), Ok(ALL));
    let seen = server.seen();
    assert_eq!((seen.count("road"), seen.lines, seen.field("fogline_average", "n")), (100, 202, "100i"));
}

#[test]
fn a_server_that_is_away_is_waited_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let fault = Site::new(&url).store.commit(&commit(1, 1, 1)).unwrap_err();
    assert!(matches!(&fault, StoreFault::Transient(why) if why.contains("reached")), "{fault}");
}

#[test]
fn a_commit_that_was_done_sends_nothing() {
    let server = Fake::start(Behaviour::Good);
    let mut site = Site::new(&server.url);
    for _ in 0..3 {
        assert_eq!(site.store.commit(&commit(1, 1, 100)), Ok(ALL));
    }
    assert_eq!(server.seen().requests, 1);
}

#[test]
fn the_average_that_is_drawn_is_the_merged_one() {
    let server = Fake::start(Behaviour::Good);
    let mut site = Site::new(&server.url);
    site.store.commit(&commit(1, 1, 100)).unwrap();
    site.store.commit(&commit(2, 101, 50)).unwrap();
    assert_eq!(server.seen().field("fogline_average", "n"), "150i");
}

#[test]
fn several_requests_are_under_way_but_not_too_many() {
    let server = Fake::start(Behaviour::Slow(Duration::from_millis(20)));
    let mut site = Site::with(&server.url, |config| config.lines_per_request = 10);
    assert_eq!(site.store.commit(&commit(1, 1, 100)), Ok(ALL));
    let seen = server.seen();
    assert_eq!((seen.requests, seen.under_way_max), (11, 4));
}

#[test]
fn a_body_that_is_too_large_is_halved_and_the_limit_remembered() {
    let server = Fake::start(Behaviour::TakesUpTo(150_000));
    let mut site = Site::new(&server.url);
    assert_eq!(site.store.commit(&commit(1, 1, 5000)).unwrap().stored, 5000);
    let first = server.seen().requests;
    assert_eq!(site.store.commit(&commit(2, 5001, 5000)).unwrap().stored, 5000);
    let seen = server.seen();
    assert_eq!(seen.count("road"), 10_000);
    assert!(seen.requests - first < first, "{first} requests and then {}", seen.requests - first);
}

#[test]
fn a_server_that_takes_nothing_at_all_needs_its_operator() {
    let server = Fake::start(Behaviour::Answers(413));
    let fault = Site::new(&server.url).store.commit(&commit(1, 1, 5000)).unwrap_err();
    assert!(matches!(&fault, StoreFault::Operator(why) if why.contains("too large")), "{fault}");
    assert!(server.seen().requests < 64);
}

#[tokio::test]
async fn a_store_may_be_dropped_anywhere() {
    drop(Site::new("http://127.0.0.1:1"));
}
