//! The embedded store: points and state in one file, changed in one transaction.

use super::commit::{Begun, StateCommit, fault};
use super::number::to_sql;
use super::{LetterId, Retried, StateDb, Store};
use fogline_protocol::store::{Commit, CommitReport, Points, StoreFault};

/// Keeps points in the table `reading` of the state's own file. The view `readings` shows them with all their names.
pub struct SqliteStore {
    state: StateDb,
    /// The fields of one reading at a time.
    json: Vec<u8>,
}

impl SqliteStore {
    /// A store in the file of this state.
    #[must_use]
    pub const fn new(state: StateDb) -> Self {
        Self { state, json: Vec::new() }
    }
}

impl Store for SqliteStore {
    fn state(&mut self) -> &mut StateDb {
        &mut self.state
    }

    fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault> {
        let mut work = match self.state.begin(commit)? {
            Begun::Done(report) => return Ok(report),
            Begun::New(work) => work,
        };
        for points in &commit.points {
            insert(&mut work, points, &mut self.json).map_err(|error| fault(&error))?;
        }
        work.merge(commit)?;
        work.finish(commit, &[])
    }

    fn retry(&mut self, run: u64, letter: LetterId) -> Result<Retried, StoreFault> {
        let Some(mut letter) = self.state.take_up(run, letter)? else { return Ok(Retried::Unknown) };
        insert(&mut letter.work, &letter.points, &mut self.json).map_err(|error| fault(&error))?;
        letter.stored()
    }
}

fn insert(work: &mut StateCommit<'_>, points: &Points, json: &mut Vec<u8>) -> rusqlite::Result<()> {
    let agent = work.names.agent(&work.db, &points.agent)?;
    let stream = work.names.stream(&work.db, &points.agent, points.stream)?;
    let mut statement = work.db.prepare_cached(
        "INSERT INTO reading (ts_us, clock, series, stream, seq, fields, flags) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    // Neighbours are mostly of the same sensor.
    let mut last = ("", "", 0);
    for point in points.iter() {
        let (kind, sensor) = (point.reading.kind(), point.reading.sensor());
        if (last.0, last.1) != (kind, sensor) {
            last = (kind, sensor, work.names.series(&work.db, agent, kind, sensor)?);
        }
        json.clear();
        point.reading.write_fields_json(json);
        let fields = std::str::from_utf8(json)?;
        let flags = point.flags(points).bits();
        statement.execute((point.reading.ts().us(), points.clock, last.2, stream, to_sql(point.seq), fields, flags))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{agent, commit, count, decision, points, sqlite, state, take};
    use super::*;
    use fogline_protocol::delivery::ranges::Range;
    use fogline_protocol::ids::StreamId;
    use fogline_protocol::store::AgentStatus;
    use fogline_protocol::time::Wall;
    use fogline_protocol::wire::Status;
    use rusqlite::Connection;

    const STREAM: StreamId = StreamId::from_bits(7);

    #[test]
    fn a_commit_is_done_once_however_often_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = sqlite(&dir);
        let report = CommitReport { stored: 3, dead: 0 };
        for _ in 0..3 {
            assert_eq!(store.commit(&commit(1, 1, 3)), Ok(report));
        }
        drop(store);
        assert_eq!(sqlite(&dir).commit(&commit(1, 1, 3)), Ok(report), "also by the next process of the same run");
        assert_eq!((count(&dir, "reading"), count(&dir, "aggregate")), (3, 1));
        let n: i64 = state(&dir).connection.query_row("SELECT n FROM aggregate", [], |row| row.get(0)).unwrap();
        assert_eq!(n, 2);
        let mut next = SqliteStore::new(state(&dir));
        next.take_over(take(2)).unwrap();
        assert_eq!(next.commit(&commit(2, 1, 6)), Ok(report), "another run counts for itself");
        drop(next);
        assert_eq!(count(&dir, "reading"), 6);
    }

    #[test]
    fn only_fresh_readings_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut batch = points(&agent("north", "r1"), 7, 10, 10);
        batch.fresh = vec![Range::new(11, 12), Range::new(19, 19)];
        let report = sqlite(&dir).commit(&Commit { run: 1, id: 1, points: vec![batch], ..Commit::default() });
        assert_eq!(report, Ok(CommitReport { stored: 3, dead: 0 }));
        let db = Connection::open(dir.path().join("fogline.db")).unwrap();
        let mut statement = db.prepare("SELECT seq FROM readings").unwrap();
        let seqs: Vec<i64> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        assert_eq!(seqs, [11, 12, 19]);
    }

    #[test]
    fn points_and_progress_fail_together_and_a_full_disk_needs_the_operator() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = sqlite(&dir);
        store.commit(&commit(1, 1, 3)).unwrap();
        let pages: i64 = store.state.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let limit = |store: &SqliteStore, pages: i64| {
            store.state.connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        };
        limit(&store, pages);
        let mut large = commit(1, 2, 6);
        large.points = vec![points(&agent("north", "r2"), 9, 1, 5000)];
        assert!(matches!(store.commit(&large), Err(StoreFault::Operator(why)) if why.contains("full")));
        assert_eq!(store.recall(&agent("north", "r1"), STREAM).unwrap().unwrap().through, 3);
        assert_eq!((count(&dir, "reading"), count(&dir, "agent")), (3, 1));
        limit(&store, 1_000_000);
        assert_eq!(store.commit(&large), Ok(CommitReport { stored: 5000, dead: 0 }));
        assert_eq!(store.recall(&agent("north", "r1"), STREAM).unwrap().unwrap().through, 6);
        assert_eq!((count(&dir, "readings"), count(&dir, "agent")), (5003, 2), "names are made anew after a failure");
    }

    #[test]
    fn a_busy_file_is_asked_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = sqlite(&dir);
        store.state.connection.busy_timeout(std::time::Duration::ZERO).unwrap();
        let other = Connection::open(dir.path().join("fogline.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert!(matches!(store.commit(&commit(1, 1, 3)), Err(StoreFault::Transient(_))));
        other.execute_batch("ROLLBACK").unwrap();
        store.commit(&commit(1, 1, 3)).unwrap();
    }

    #[test]
    fn the_view_reads_well() {
        let dir = tempfile::tempdir().unwrap();
        sqlite(&dir).commit(&commit(1, 1, 3)).unwrap();
        let db = Connection::open(dir.path().join("fogline.db")).unwrap();
        let row = db
            .query_row(
                "SELECT time, region, agent, sensor, kind, fields, clock, stream, seq,
                     json_extract(fields, '$.speed_kmh') > 91.5 FROM readings LIMIT 1 OFFSET 1",
                [],
                |row| {
                    let texts: Vec<String> = (0..6).map(|column| row.get(column)).collect::<Result<_, _>>()?;
                    Ok((texts.join(" "), row.get::<_, i64>(6)?, row.get::<_, String>(7)?, row.get::<_, i64>(8)?))
                },
            )
            .unwrap();
        let text = r#"2023-11-14T22:13:20.002000Z north r1 lane-1 road {"speed_kmh":92.0}"#;
        assert_eq!(row, (text.to_owned(), 7, "0000000000000007".to_owned(), 2));
    }

    #[test]
    fn the_reader_shows_agents_counts_and_averages() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = sqlite(&dir);
        let status = Status {
            online: true,
            connection: (2, 5),
            ts_us: 17,
            queued: 3,
            queued_bytes: 300,
            oldest_us: Some(11),
            dropped: 4,
            damaged: 0,
        };
        let mut full = commit(1, 1, 3);
        full.progress[0].new_gaps = vec![Range::new(4, 9)];
        full.decisions = vec![decision("r1", 1), decision("r1", 2), decision("r2", 1)];
        let heard = Wall::from_us(4_000_099);
        full.statuses = vec![AgentStatus { agent: agent("north", "r1"), status: status.clone(), heard }];
        store.commit(&full).unwrap();

        let reader = super::super::query::StoreReader::open(&dir.path().join("fogline.db")).unwrap();
        let agents = reader.agents(Default::default()).unwrap();
        assert_eq!(agents.len(), 2);
        assert_eq!((agents[0].status.as_ref(), agents[0].heard_us), (Some(&status), Some(4_000_099)));
        assert_eq!(agents[0].clock_ahead_ms, Some(-4000), "its clock said 17 us");
        assert_eq!((agents[0].streams[0].through, agents[0].streams[0].lost), (3, 6));
        assert_eq!((agents[0].streams[0].gaps[0].first, agents[0].streams[0].gaps[0].last), (4, 9));
        assert_eq!((agents[0].decisions.len(), agents[0].decisions[0].seq), (1, 2));
        assert_eq!((agents[1].status.as_ref(), agents[1].streams.len()), (None, 0));
        let second = reader.agents(super::super::query::Page { limit: 1, offset: 1 }).unwrap();
        assert_eq!(second, agents[1..]);
        let counts = reader.counts().unwrap();
        assert_eq!((counts.stored, counts.lost, counts.agents, counts.outstanding, counts.term), (3, 6, 2, 3, 3));
    }
}
