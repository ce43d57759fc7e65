//! The thread that a store works on.

use super::Store;
use fogline_protocol::store::{StoreAnswer, StoreCommand, StoreFault};
use std::io;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use tokio::sync::{Semaphore, mpsc as answers, oneshot};

/// The most changes from outside that wait: people ask for them one by one, and commits go on between them.
const CHANGES_MAX: usize = 16;

/// A store on a thread of its own. Commands are done one by one, and answered in their order. When the store panics, the
/// channel of answers closes.
pub struct StoreThread {
    /// Unbounded, so that giving a command never blocks: the node bounds what it has outstanding.
    work: mpsc::Sender<Work>,
    changes: Arc<Semaphore>,
    thread: JoinHandle<()>,
}

enum Work {
    Command(StoreCommand),
    Change(Change),
    Stop,
}

/// Gets the store, and the run with which this ingester took the lead in it last.
type Change = Box<dyn FnOnce(&mut dyn Store, Option<u64>) + Send>;

/// The store's thread has ended: nothing more will be stored until the process is started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store's thread has ended")]
pub struct StoreClosed;

impl StoreThread {
    /// Starts the thread. It waits while `answers` is full, and ends when that is closed.
    ///
    /// # Errors
    /// The system's, when it has no thread to give.
    pub fn spawn(mut store: Box<dyn Store>, answers: answers::Sender<StoreAnswer>) -> io::Result<Self> {
        let (work, given) = mpsc::channel();
        let serve = move || {
            let mut leads = None;
            while let Ok(work) = given.recv() {
                match work {
                    Work::Command(command) => {
                        let answer = execute(store.as_mut(), &command);
                        if let StoreAnswer::TakenOver(run, Ok(_)) = &answer {
                            leads = Some(*run);
                        }
                        if answers.blocking_send(answer).is_err() {
                            break;
                        }
                    }
                    Work::Change(change) => change(store.as_mut(), leads),
                    Work::Stop => break,
                }
            }
        };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(serve)?;
        Ok(Self { work, changes: Arc::new(Semaphore::new(CHANGES_MAX)), thread })
    }

    /// Gives a command. Never blocks.
    ///
    /// # Errors
    /// [`StoreClosed`], when the thread has ended.
    pub fn send(&self, command: StoreCommand) -> Result<(), StoreClosed> {
        self.work.send(Work::Command(command)).map_err(|_| StoreClosed)
    }

    /// For changes that people ask for.
    pub(crate) fn changes(&self) -> StoreChanges {
        StoreChanges { work: self.work.clone(), waiting: Arc::clone(&self.changes) }
    }

    /// Takes no more commands, does those that were given, and waits for that: at worst for the time-out of a database that
    /// does not answer. Keep receiving answers meanwhile, or drop the receiver.
    ///
    /// # Errors
    /// [`StoreClosed`], when the thread has panicked.
    pub fn stop(self) -> Result<(), StoreClosed> {
        // Others may still hold a sender. The thread has ended when nobody takes it.
        self.work.send(Work::Stop).ok();
        self.thread.join().map_err(|_| StoreClosed)
    }
}

/// Changes that people ask for, between the commands of the node.
#[derive(Clone)]
pub(crate) struct StoreChanges {
    work: mpsc::Sender<Work>,
    waiting: Arc<Semaphore>,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChangeError {
    /// This ingester does not lead in the store.
    #[error("this ingester stands by")]
    StandsBy,
    /// Ask again.
    #[error("{CHANGES_MAX} changes are waiting: ask again in a moment")]
    Busy,
    /// The ingester stops.
    #[error(transparent)]
    Closed(#[from] StoreClosed),
    /// As the store says.
    #[error(transparent)]
    Fault(StoreFault),
}

impl StoreChanges {
    /// Makes a change with the store as the run that leads, and waits for it.
    pub(crate) async fn make<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut dyn Store, u64) -> Result<T, StoreFault> + Send + 'static,
    ) -> Result<T, ChangeError> {
        let room = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| ChangeError::Busy)?;
        let (done, answer) = oneshot::channel();
        let work: Change = Box::new(move |store, leads| {
            let result = leads.map_or(Err(StoreFault::Deposed), |run| change(store, run));
            drop(room);
            // Who asked may have left; it is done all the same.
            done.send(result).ok();
        });
        self.work.send(Work::Change(work)).map_err(|_| StoreClosed)?;
        answer.await.map_err(|_| StoreClosed)?.map_err(|fault| match fault {
            StoreFault::Deposed => ChangeError::StandsBy,
            fault => ChangeError::Fault(fault),
        })
    }
}

fn execute(store: &mut dyn Store, command: &StoreCommand) -> StoreAnswer {
    match command {
        StoreCommand::Commit(commit) => StoreAnswer::Committed(commit.id, store.commit(commit)),
        StoreCommand::Recall(agent, stream) => {
            StoreAnswer::Recalled(agent.clone(), *stream, store.recall(agent, *stream))
        }
        StoreCommand::TakeOver(take) => StoreAnswer::TakenOver(take.run, store.take_over(*take)),
        StoreCommand::Export(export) => StoreAnswer::Exported(store.export(export)),
        StoreCommand::Adopt(rows) => StoreAnswer::Adopted(store.adopt(rows)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{agent, commit, sqlite, take};
    use super::*;
    use fogline_protocol::ids::StreamId;
    use fogline_protocol::store::{CommitReport, Export, Page, Rows};

    #[test]
    fn answers_come_in_the_order_of_the_commands() {
        let dir = tempfile::tempdir().unwrap();
        let (sink, mut answers) = answers::channel(8);
        let thread = StoreThread::spawn(Box::new(sqlite(&dir)), sink).unwrap();
        let (id, stream) = (agent("north", "r1"), StreamId::from_bits(7));
        thread.send(StoreCommand::Recall(id.clone(), stream)).unwrap();
        thread.send(StoreCommand::Commit(Arc::new(commit(1, 1, 3)))).unwrap();
        thread.send(StoreCommand::Recall(id.clone(), stream)).unwrap();
        let stored = Ok(CommitReport { stored: 3, dead: 0 });
        assert_eq!(answers.blocking_recv(), Some(StoreAnswer::Recalled(id.clone(), stream, Ok(None))));
        assert_eq!(answers.blocking_recv(), Some(StoreAnswer::Committed(1, stored)));
        let Some(StoreAnswer::Recalled(_, _, Ok(Some(progress)))) = answers.blocking_recv() else { panic!() };
        assert_eq!(progress.through, 3);
        thread.stop().unwrap();
        assert_eq!(answers.blocking_recv(), None);
    }

    #[test]
    fn every_command_has_its_answer() {
        let dir = tempfile::tempdir().unwrap();
        let (sink, mut answers) = answers::channel(8);
        let thread = StoreThread::spawn(Box::new(sqlite(&dir)), sink).unwrap();
        thread.send(StoreCommand::TakeOver(take(2))).unwrap();
        thread.send(StoreCommand::Commit(Arc::new(commit(1, 1, 3)))).unwrap();
        thread.send(StoreCommand::Adopt(Arc::default())).unwrap();
        thread.send(StoreCommand::Export(Export::Page { after: None })).unwrap();
        assert!(matches!(answers.blocking_recv(), Some(StoreAnswer::TakenOver(2, Ok(found))) if found.term == 2));
        assert_eq!(answers.blocking_recv(), Some(StoreAnswer::Committed(1, Err(StoreFault::Deposed))));
        assert_eq!(answers.blocking_recv(), Some(StoreAnswer::Adopted(Ok(()))));
        let Some(StoreAnswer::Exported(Ok(Page { rows, next: None }))) = answers.blocking_recv() else { panic!() };
        assert_eq!(Rows { term: 2, plate_key: rows.plate_key.clone(), ..Rows::default() }, rows);
        thread.stop().unwrap();
    }

    #[tokio::test]
    async fn changes_are_made_between_commands_by_the_run_that_leads() {
        let dir = tempfile::tempdir().unwrap();
        let (sink, mut answers) = answers::channel(8);
        let mut state = super::super::testing::state(&dir);
        state.take_over(take(1)).unwrap();
        let thread = StoreThread::spawn(Box::new(super::super::SqliteStore::new(state)), sink).unwrap();
        let changes = thread.changes();
        assert_eq!(changes.make(|_, run| Ok(run)).await, Err(ChangeError::StandsBy), "another process led");
        thread.send(StoreCommand::TakeOver(take(2))).unwrap();
        assert!(answers.recv().await.is_some());
        assert_eq!(changes.make(|_, run| Ok(run)).await, Ok(2));
        let fault = StoreFault::Transient("wait".into());
        let asked = fault.clone();
        assert_eq!(changes.make(move |_, _| Err::<(), _>(asked)).await, Err(ChangeError::Fault(fault)));
        tokio::task::spawn_blocking(|| thread.stop()).await.unwrap().unwrap();
        assert_eq!(changes.make(|_, run| Ok(run)).await, Err(ChangeError::Closed(StoreClosed)));
    }

    #[tokio::test]
    async fn only_so_many_changes_wait() {
        let dir = tempfile::tempdir().unwrap();
        let (sink, mut answers) = answers::channel(8);
        let thread = StoreThread::spawn(Box::new(sqlite(&dir)), sink).unwrap();
        thread.send(StoreCommand::TakeOver(take(2))).unwrap();
        assert!(answers.recv().await.is_some());
        let changes = thread.changes();
        let (open, gate) = mpsc::channel::<()>();
        let first = {
            let changes = changes.clone();
            tokio::spawn(async move { changes.make(move |_, _| Ok(gate.recv().is_err())).await })
        };
        let others: Vec<_> = (1..CHANGES_MAX)
            .map(|_| {
                let changes = changes.clone();
                tokio::spawn(async move { changes.make(|_, _| Ok(())).await })
            })
            .collect();
        while changes.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(changes.make(|_, _| Ok(())).await, Err(ChangeError::Busy));
        drop(open);
        assert_eq!(first.await.unwrap(), Ok(true));
        for other in others {
            assert_eq!(other.await.unwrap(), Ok(()));
        }
        assert_eq!(changes.waiting.available_permits(), CHANGES_MAX);
        tokio::task::spawn_blocking(|| thread.stop()).await.unwrap().unwrap();
    }

    #[test]
    fn a_dropped_receiver_ends_the_thread() {
        let dir = tempfile::tempdir().unwrap();
        let (sink, answers) = answers::channel(1);
        let thread = StoreThread::spawn(Box::new(sqlite(&dir)), sink).unwrap();
        drop(answers);
        thread.send(StoreCommand::Recall(agent("north", "r1"), StreamId::from_bits(7))).unwrap();
        thread.stop().unwrap();
    }
}
