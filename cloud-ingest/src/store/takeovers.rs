//! Two ingesters that share one file.

use super::testing::{EPOCH_US, agent, commit, count, fold, points, shared, take};
use super::{SqliteStore, Store as _};
use fogline_protocol::ids::StreamId;
use fogline_protocol::rng::Rng;
use fogline_protocol::store::{Commit, CommitReport, StoreFault};
use rusqlite::Connection;
use std::sync::mpsc;
use std::time::Duration;

const STREAM: StreamId = StreamId::from_bits(7);
const THREE: CommitReport = CommitReport { stored: 3, dead: 0 };
/// For how long it is watched that a take-over waits. Shorter than it would wait by itself.
const WATCHED: Duration = Duration::from_millis(300);

fn two(dir: &tempfile::TempDir) -> (SqliteStore, SqliteStore) {
    (SqliteStore::new(shared(dir)), SqliteStore::new(shared(dir)))
}

fn through(store: &mut SqliteStore) -> u64 {
    store.recall(&agent("north", "r1"), STREAM).unwrap().map_or(0, |progress| progress.through)
}

fn number(dir: &tempfile::TempDir, query: &str) -> i64 {
    let db = Connection::open(dir.path().join("fogline.db")).unwrap();
    db.query_row(query, [], |row| row.get(0)).unwrap()
}

#[test]
fn who_is_deposed_changes_nothing_and_who_takes_over_carries_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = two(&dir);
    a.take_over(take(1)).unwrap();
    assert_eq!(a.commit(&commit(1, 1, 3)), Ok(THREE));
    let found = b.take_over(take(2)).unwrap();
    assert_eq!((found.term, found.open_windows), (4, vec![fold(EPOCH_US, &[91.0, 92.0])]));
    for late in [commit(1, 2, 6), commit(1, 1, 3)] {
        assert_eq!(a.commit(&late), Err(StoreFault::Deposed));
    }
    assert_eq!((count(&dir, "reading"), through(&mut a), through(&mut b)), (3, 3, 3));
    assert_eq!(b.commit(&commit(2, 1, 6)), Ok(THREE));
    assert_eq!(a.take_over(take(3)).unwrap().term, 5);
    assert_eq!(through(&mut a), 6);
    assert_eq!(a.commit(&commit(3, 1, 9)), Ok(THREE));
    assert_eq!(b.commit(&commit(2, 2, 9)), Err(StoreFault::Deposed));
    assert_eq!((count(&dir, "readings"), number(&dir, "SELECT count(DISTINCT seq) FROM reading")), (9, 9));
    assert_eq!(number(&dir, "SELECT n FROM aggregate"), 6, "averages are exact");
}

#[test]
fn a_takeover_waits_for_a_commit_that_is_under_way() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = two(&dir);
    a.take_over(take(1)).unwrap();
    a.state().connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (done, taken) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(move || done.send(b.take_over(take(2))).unwrap());
        assert_eq!(taken.recv_timeout(WATCHED), Err(mpsc::RecvTimeoutError::Timeout));
        a.state().connection.execute_batch("COMMIT").unwrap();
        assert_eq!(taken.recv().unwrap().unwrap().term, 2);
    });
}

#[test]
fn names_of_a_commit_that_was_undone_are_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = two(&dir);
    a.take_over(take(1)).unwrap();
    a.commit(&commit(1, 1, 3)).unwrap();
    let of =
        |name, run| Commit { run, id: 1, points: vec![points(&agent("north", name), 9, 1, 5000)], ..Commit::default() };
    let limit = |store: &mut SqliteStore, pages: i64| {
        store.state().connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    };
    limit(&mut a, 1);
    let undone = Commit { id: 2, ..of("undone", 1) };
    assert!(matches!(a.commit(&undone), Err(StoreFault::Operator(_))));
    b.take_over(take(2)).unwrap();
    b.commit(&of("other", 2)).unwrap();
    limit(&mut a, 1_000_000);
    assert_eq!(a.commit(&undone), Err(StoreFault::Deposed));
    a.take_over(take(3)).unwrap();
    a.commit(&of("undone", 3)).unwrap();
    for name in ["other", "undone"] {
        assert_eq!(number(&dir, &format!("SELECT count(*) FROM readings WHERE agent = '{name}'")), 5000);
    }
}

#[test]
fn what_the_other_one_has_deleted_stays_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = two(&dir);
    let days_later = EPOCH_US + 3 * 24 * 60 * 60 * 1_000_000;
    let folded = |run, start| Commit { run, id: 1, folds: vec![fold(start, &[1.0])], ..Commit::default() };
    a.take_over(take(1)).unwrap();
    a.commit(&folded(1, EPOCH_US)).unwrap();
    b.take_over(take(2)).unwrap();
    b.commit(&folded(2, days_later)).unwrap();
    a.take_over(take(3)).unwrap();
    a.commit(&folded(3, EPOCH_US)).unwrap();
    assert_eq!((count(&dir, "aggregate"), number(&dir, "SELECT max(start_us) FROM aggregate")), (1, days_later));
}

/// Takes over again and again, and commits until it is deposed. Gives the readings whose commit was answered.
fn race(store: &mut SqliteStore, seed: u64) -> u64 {
    let (mut rng, mut stored) = (Rng::new(seed), 0);
    for _ in 0..60 {
        let run = rng.next_u64();
        store.take_over(take(run)).unwrap();
        let begin = through(store);
        for id in 1..=rng.below(6) {
            let next = commit(run, id, begin + 3 * id);
            match store.commit(&next) {
                Ok(report) => stored += report.stored,
                Err(StoreFault::Deposed) => break,
                Err(other) => panic!("{other}"),
            }
            assert!(matches!(store.commit(&next), Ok(THREE) | Err(StoreFault::Deposed)));
        }
    }
    stored
}

#[test]
fn of_two_that_race_each_reading_that_was_answered_is_there_once() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, mut b) = two(&dir);
    let stored = std::thread::scope(|scope| {
        let other = scope.spawn(|| race(&mut a, 1));
        race(&mut b, 2) + other.join().unwrap()
    });
    let stored = i64::try_from(stored).unwrap();
    assert_eq!((count(&dir, "reading"), i64::try_from(through(&mut a)).unwrap()), (stored, stored));
    assert_eq!(number(&dir, "SELECT count(DISTINCT seq) FROM reading"), stored);
    assert_eq!(number(&dir, "SELECT n FROM aggregate"), stored / 3 * 2);
    assert!(stored > 0);
}
