//! The task that gathers what is new and says it to all who watch.

use super::events::{Batch, Said};
use super::feed::Feed;
use super::gather::Gather;
use super::health::{Leading, Vitals};
use crate::store::query::StoreReader;
use fogline_protocol::store::Commit;
use fogline_runtime::clock;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// How often what is new is said.
const SAY_EVERY: Duration = Duration::from_millis(500);
/// Health is said every so many times: each 2 s.
const HEALTH_EVERY: u32 = 4;
/// Commits that wait to be gathered: a store does some hundred a second at most, and the task is never busy for half a second.
const COMMITS_WAITING: usize = 256;
/// What one who watches may be behind: 16 s. Then it hears how much it missed, and goes on with what is there. Batches are shared,
/// and of some 300 KB at most.
pub(crate) const BATCHES_KEPT: usize = 32;
/// Those who watch at the same time: each holds a connection, of which the door has 256.
pub(crate) const WATCHERS_MAX: usize = 64;

/// Where to watch. Cheap to share.
#[derive(Clone)]
pub(crate) struct Live {
    said: broadcast::Sender<Arc<Batch>>,
    places: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
    pub(crate) vitals: Vitals,
}

/// A place among those who watch.
pub(crate) struct Watching {
    /// What is said from now on.
    pub(crate) said: broadcast::Receiver<Arc<Batch>>,
    /// True when nothing more will be said.
    pub(crate) stopped: watch::Receiver<bool>,
    /// Free again when it is dropped.
    _place: OwnedSemaphorePermit,
}

impl Live {
    /// A place; none when all are taken.
    pub(crate) fn watch(&self) -> Option<Watching> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Watching { said: self.said.subscribe(), stopped: self.stopped.clone(), _place: place })
    }

    /// Says it to all who watch.
    #[cfg(test)]
    pub(crate) fn say(&self, batch: Batch) {
        self.said.send(Arc::new(batch)).ok();
    }
}

/// The task that says it. It ends when this is dropped.
pub(crate) struct LiveTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl LiveTask {
    /// Starts it: it reads averages from `database`.
    pub(crate) fn start(vitals: Vitals, database: PathBuf) -> (Feed, Live, Self) {
        let (commits, taken) = mpsc::channel(COMMITS_WAITING);
        let (said, _) = broadcast::channel(BATCHES_KEPT);
        let (stop, stopped) = watch::channel(false);
        let missed = Arc::new(AtomicU64::new(0));
        let (watchers, meter) = (said.clone(), Arc::clone(&vitals.meter));
        let feed = Feed { commits, missed: Arc::clone(&missed), watchers, meter, asked: VecDeque::new(), tally: None };
        let saying = Saying { said: said.clone(), count: 0, rounds: 0, leading: vitals.leading(), missed };
        let places = Arc::new(Semaphore::new(WATCHERS_MAX));
        let task = tokio::spawn(run(taken, saying, vitals.clone(), database));
        (feed, Live { said, places, stopped, vitals }, Self { stop, task })
    }

    /// Ends it, and with it what all who watch get.
    pub(crate) fn stop(self) {
        drop(self);
    }
}

impl Drop for LiveTask {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.task.abort();
    }
}

/// What was said so far.
struct Saying {
    said: broadcast::Sender<Arc<Batch>>,
    /// How many events.
    count: u64,
    rounds: u32,
    leading: Leading,
    missed: Arc<AtomicU64>,
}

async fn run(mut taken: mpsc::Receiver<Arc<Commit>>, mut saying: Saying, vitals: Vitals, database: PathBuf) {
    let mut gather = Gather::default();
    let mut rounds = interval(SAY_EVERY);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(commit) = taken.recv() => gather.take(&commit),
            _ = rounds.tick() => {
                let gathered = std::mem::take(&mut gather);
                let mut events = if saying.said.receiver_count() > 0 { say(gathered, &database).await } else { Vec::new() };
                saying.add_own(&mut events, &vitals);
                saying.say(events);
            }
        }
    }
}

async fn say(gathered: Gather, database: &std::path::Path) -> Vec<Said> {
    let database = database.to_owned();
    let work = move || gathered.say(StoreReader::open(&database).ok().as_ref(), clock::wall());
    tokio::task::spawn_blocking(work).await.unwrap_or_default()
}

impl Saying {
    /// What does not come from commits.
    fn add_own(&mut self, events: &mut Vec<Said>, vitals: &Vitals) {
        let leading = vitals.leading();
        if leading != self.leading {
            events.push(Said::leader(&leading));
            self.leading = leading;
        }
        if self.rounds.is_multiple_of(HEALTH_EVERY) && self.said.receiver_count() > 0 {
            events.push(Said::health(&vitals.health()));
        }
        self.rounds = self.rounds.wrapping_add(1);
        let missed = self.missed.swap(0, Ordering::Relaxed);
        if missed > 0 {
            events.push(Said::lagged(missed));
        }
    }

    fn say(&mut self, events: Vec<Said>) {
        if events.is_empty() {
            return;
        }
        let first = self.count + 1;
        self.count += events.len() as u64;
        // Nobody may be watching.
        self.said.send(Arc::new(Batch { first, events })).ok();
    }
}
