//! The thread that a store works on.

use super::Store;
use fogline_protocol::store::{StoreAnswer, StoreCommand};
use std::io;
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::mpsc as answers;

/// A store on a thread of its own. Commands are done one by one, and answered in their order. When the store panics, the
/// channel of answers closes.
pub struct StoreThread {
    /// Unbounded, so that giving a command never blocks: the node bounds what it has outstanding.
    commands: mpsc::Sender<StoreCommand>,
    thread: JoinHandle<()>,
}

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
        let (commands, given) = mpsc::channel();
        let work = move || {
            while let Ok(command) = given.recv() {
                if answers.blocking_send(execute(store.as_mut(), &command)).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(work)?;
        Ok(Self { commands, thread })
    }

    /// Gives a command. Never blocks.
    ///
    /// # Errors
    /// [`StoreClosed`], when the thread has ended.
    pub fn send(&self, command: StoreCommand) -> Result<(), StoreClosed> {
        self.commands.send(command).map_err(|_| StoreClosed)
    }

    /// Takes no more commands, does those that were given, and waits for that: at worst for the time-out of a database that
    /// does not answer. Keep receiving answers meanwhile, or drop the receiver.
    ///
    /// # Errors
    /// [`StoreClosed`], when the thread has panicked.
    pub fn stop(self) -> Result<(), StoreClosed> {
        drop(self.commands);
        self.thread.join().map_err(|_| StoreClosed)
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
    use fogline_protocol::store::{CommitReport, Export, Page, Rows, StoreFault};
    use std::sync::Arc;

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
