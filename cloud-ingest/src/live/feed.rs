//! Where the shell says what the store has taken.

use super::events::Batch;
use super::meter::Meter;
use crate::telemetry::Tally;
use fogline_protocol::store::{Commit, StoreAnswer, StoreCommand};
use fogline_protocol::time::Wall;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

/// Commits that the store has not answered: the node asks for one at a time, and perhaps again as another run.
const ASKED_MAX: usize = 4;

/// Follows what the store is asked for and what it answers. Never waits.
pub(crate) struct Feed {
    pub(super) commits: mpsc::Sender<Arc<Commit>>,
    /// Commits for which there was no room.
    pub(super) missed: Arc<AtomicU64>,
    /// To know whether anybody watches.
    pub(super) watchers: broadcast::Sender<Arc<Batch>>,
    pub(super) meter: Arc<Mutex<Meter>>,
    pub(super) asked: VecDeque<Arc<Commit>>,
    /// For what boards show; none where nothing is written for them.
    pub(crate) tally: Option<Arc<Mutex<Tally>>>,
}

impl Feed {
    /// The store is asked for this.
    pub(crate) fn asked(&mut self, command: &StoreCommand) {
        let StoreCommand::Commit(commit) = command else { return };
        self.asked.retain(|asked| asked.id != commit.id);
        if self.asked.len() >= ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back(Arc::clone(commit));
    }

    /// The store answered this, at this time.
    pub(crate) fn answered(&mut self, answer: &StoreAnswer, now: Wall) {
        let StoreAnswer::Committed(id, result) = answer else { return };
        let Some(place) = self.asked.iter().position(|asked| asked.id == *id) else { return };
        let Some(commit) = self.asked.remove(place).filter(|_| result.is_ok()) else { return };
        self.meter.lock().unwrap_or_else(PoisonError::into_inner).stored(&commit, now, Instant::now());
        if let Some(tally) = &self.tally {
            tally.lock().unwrap_or_else(PoisonError::into_inner).take(&commit, now);
        }
        if self.watchers.receiver_count() > 0 && self.commits.try_send(commit).is_err() {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::commit;
    use super::*;
    use fogline_protocol::store::{CommitReport, StoreFault};

    fn feed() -> (Feed, mpsc::Receiver<Arc<Commit>>, broadcast::Receiver<Arc<Batch>>) {
        let ((commits, taken), (watchers, watcher)) = (mpsc::channel(2), broadcast::channel(1));
        let meter = Arc::new(Mutex::new(Meter::new(Instant::now())));
        (Feed { commits, missed: Arc::default(), watchers, meter, asked: VecDeque::new(), tally: None }, taken, watcher)
    }

    fn ask(feed: &mut Feed, id: u64) {
        feed.asked(&StoreCommand::Commit(Arc::new(Commit { id, ..commit(1) })));
    }

    fn answer(feed: &mut Feed, id: u64, result: Result<CommitReport, StoreFault>) {
        feed.answered(&StoreAnswer::Committed(id, result), Wall::MIN);
    }

    #[test]
    fn only_what_the_store_has_taken_is_passed_on() {
        let (mut feed, mut taken, _watcher) = feed();
        ask(&mut feed, 1);
        assert!(taken.try_recv().is_err(), "not before the answer");
        answer(&mut feed, 1, Err(StoreFault::Transient("down".into())));
        assert!(taken.try_recv().is_err(), "not what failed");
        ask(&mut feed, 1);
        answer(&mut feed, 1, Ok(CommitReport::default()));
        assert_eq!(taken.try_recv().unwrap().id, 1);
        answer(&mut feed, 1, Ok(CommitReport::default()));
        assert!(taken.try_recv().is_err(), "once");
    }

    #[test]
    fn nothing_is_passed_on_when_nobody_watches_and_nothing_waits_when_nobody_takes_it() {
        let (mut feed, mut taken, watcher) = feed();
        for id in 1..=3 {
            ask(&mut feed, id);
            answer(&mut feed, id, Ok(CommitReport::default()));
        }
        assert_eq!((taken.len(), feed.missed.load(Ordering::Relaxed)), (2, 1));
        while taken.try_recv().is_ok() {}
        drop(watcher);
        ask(&mut feed, 4);
        answer(&mut feed, 4, Ok(CommitReport::default()));
        assert!(taken.is_empty());
    }

    #[test]
    fn what_is_never_answered_is_forgotten() {
        let (mut feed, _taken, _watcher) = feed();
        (1..=10).for_each(|id| ask(&mut feed, id));
        assert_eq!(feed.asked.len(), ASKED_MAX);
    }
}
