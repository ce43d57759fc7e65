//! Lines that the database refuses for good.

use crate::fake::{Behaviour, Fake};
use crate::fixture::{Site, commit_with};
use fogline_ingest::store::query::{After, StoreReader};
use fogline_ingest::store::{LetterId, Retried, Store as _};
use fogline_protocol::store::{CommitReport, StoreFault};

/// The searching requests that are allowed, the first one, the probe, and what was under way.
const REQUESTS_MAX: u32 = 256 + 10;

#[test]
fn bad_readings_become_dead_letters_and_the_others_are_stored() {
    for behaviour in [Behaviour::RefusesWhole, Behaviour::RefusesLines(400), Behaviour::RefusesLines(422)] {
        let server = Fake::start(behaviour);
        let mut site = Site::new(&server.url);
        let bad = [17, 400, 401, 1000];
        let commit = commit_with(1, 1, 1000, |seq| bad.contains(&seq));
        let report = CommitReport { stored: 996, dead: 4 };
        assert_eq!(site.store.commit(&commit), Ok(report), "{behaviour:?}");
        assert_eq!(site.dead(), bad.map(|seq| (seq, "refused".to_owned())), "{behaviour:?}");
        assert_eq!(server.seen().count("road"), 996);
        assert_eq!(server.seen().count("fogline_average"), 1);
        assert!(server.seen().requests < REQUESTS_MAX, "{}", server.seen().requests);
        assert_eq!(site.through(), Some(1000));
        assert_eq!(site.store.commit(&commit), Ok(report), "and once only");
        assert_eq!(site.dead().len(), 4);
        let counts = StoreReader::open(&site.path()).unwrap().counts().unwrap();
        assert_eq!((counts.stored, counts.dead["refused"]), (996, 4));
    }
}

#[test]
fn the_search_for_bad_readings_is_bounded_and_nothing_is_lost() {
    for every in [1, 2, 7] {
        let server = Fake::start(Behaviour::RefusesWhole);
        let mut site = Site::new(&server.url);
        let commit = commit_with(1, 1, 1000, |seq| (200..600).contains(&seq) && seq % every == 0);
        let report = site.store.commit(&commit).unwrap();
        assert!(server.seen().requests < REQUESTS_MAX, "{}", server.seen().requests);
        let dead = site.dead();
        assert_eq!(u64::try_from(dead.len()).unwrap(), report.dead);
        assert_eq!(report.stored + report.dead, 1000);
        assert_eq!(u64::try_from(server.seen().count("road")).unwrap(), report.stored);
        assert!(dead.iter().all(|(seq, _)| (190..610).contains(seq)), "few good ones are among them");
    }
}

#[test]
fn a_server_that_refuses_everything_is_not_the_readings_fault() {
    for status in [400, 422] {
        let server = Fake::start(Behaviour::Answers(status));
        let mut site = Site::new(&server.url);
        let fault = site.store.commit(&commit_with(1, 1, 100, |_| false)).unwrap_err();
        assert!(matches!(&fault, StoreFault::Operator(why) if why.contains("test point")), "{fault}");
        assert!(site.dead().is_empty());
        assert_eq!(site.through(), None);
    }
}

#[test]
fn a_fault_during_the_search_leaves_no_dead_letters() {
    // Between the first refusal, with its probe, and the last single line.
    let server = Fake::start(Behaviour::RefusesWholeThenFails { after: 12 });
    let mut site = Site::with(&server.url, |config| config.requests_in_flight = 1);
    let commit = commit_with(1, 1, 1000, |seq| seq == 500);
    assert!(matches!(site.store.commit(&commit), Err(StoreFault::Transient(_))));
    assert_eq!(server.seen().requests, 13);
    assert!(site.dead().is_empty());
    server.behave(Behaviour::RefusesWhole);
    assert_eq!(site.store.commit(&commit), Ok(CommitReport { stored: 999, dead: 1 }));
    assert_eq!(site.dead(), [(500, "refused".to_owned())]);
}

/// The only dead letter.
fn letter(site: &Site) -> LetterId {
    let letters = StoreReader::open(&site.path()).unwrap().dead_letters(&After::new(10, None)).unwrap().items;
    assert_eq!(letters.len(), 1);
    letters[0].id.parse().unwrap()
}

#[test]
fn a_dead_letter_is_given_back_as_the_point_that_it_was_to_be() {
    let server = Fake::start(Behaviour::RefusesWhole);
    let mut site = Site::new(&server.url);
    let commit = commit_with(1, 1, 10, |seq| seq == 4);
    site.store.commit(&commit).unwrap();
    let id = letter(&site);
    assert!(matches!(site.store.retry(1, id), Ok(Retried::Refused(why)) if why.contains("a bad line")));
    assert_eq!((letter(&site), server.seen().count("road")), (id, 9), "it stays");
    server.behave(Behaviour::Answers(503));
    assert!(matches!(site.store.retry(1, id), Err(StoreFault::Transient(_))));
    server.behave(Behaviour::Answers(400));
    assert!(matches!(site.store.retry(1, id), Err(StoreFault::Operator(_))), "it is not the reading's fault");
    assert_eq!(letter(&site), id);

    server.behave(Behaviour::Good);
    assert_eq!(site.store.retry(1, id), Ok(Retried::Stored));
    assert_eq!((site.dead().len(), server.seen().count("road")), (0, 10));
    let again = Fake::start(Behaviour::Good);
    Site::new(&again.url).store.commit(&commit).unwrap();
    let points = |server: &Fake| {
        let mut points = server.seen().points.clone();
        points.retain(|(series, _), _| series != "fogline_probe");
        points
    };
    assert_eq!(points(&server), points(&again), "as if it had never been refused");
}
