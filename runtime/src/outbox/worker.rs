//! The thread of a queue: takes commands, answers them once they are durable, and puts off frees to the next write.

use super::queue::{Queue, Written};
use fogline_protocol::ids::Seq;
use fogline_protocol::queue::{Append, Free, QueueAnswer, QueueCommand, QueueFault, QueueLimits, SavedDecision};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedSender;

/// Frees of so many rows in all are not put off any longer: a transaction that counts and deletes them takes some 10 ms, and
/// appends wait for it.
const FREE_AT_ONCE_ROWS: u64 = 8_192;
/// No more frees than this are put off, however small: their answers take memory.
const FREE_AT_ONCE_COMMANDS: usize = 256;

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Order {
    /// Execute and answer.
    Do(QueueCommand),
    /// Keep other bounds from the next append on.
    Bound(QueueLimits),
    /// Finish what was put off, and end.
    Close,
}

/// The thread's state.
pub(super) struct Worker {
    queue: Queue,
    answers: UnboundedSender<QueueAnswer>,
    free_within: Duration,
    put_off: Vec<Free>,
    due: Option<Instant>,
}

impl Worker {
    pub(super) fn new(queue: Queue, answers: UnboundedSender<QueueAnswer>, free_within: Duration) -> Self {
        Self { queue, answers, free_within, put_off: Vec::new(), due: None }
    }

    /// Works until it is told to close, or until nobody can tell it anything any more.
    pub(super) fn run(mut self, orders: &Receiver<Order>) -> Result<(), QueueFault> {
        while let Some(order) = self.next(orders) {
            match order {
                Order::Do(command) => {
                    let writes = !matches!(command, QueueCommand::Load(_));
                    self.execute(command);
                    if writes {
                        self.queue.tidy();
                    }
                }
                Order::Bound(limits) => self.queue.bound(limits),
                Order::Close => break,
            }
        }
        self.free();
        self.queue.close()
    }

    /// The next order, after doing what falls due before it.
    fn next(&mut self, orders: &Receiver<Order>) -> Option<Order> {
        loop {
            let Some(due) = self.due else { return orders.recv().ok() };
            match orders.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(order) => return Some(order),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    self.free();
                    self.queue.tidy();
                }
            }
        }
    }

    fn execute(&mut self, command: QueueCommand) {
        match command {
            QueueCommand::Append(append) => self.append(&append),
            QueueCommand::SaveDecision(decision) => self.save_decision(&decision),
            QueueCommand::Free(free) => self.put_off(free),
            QueueCommand::Settle(settles) => {
                let result = self.queue.settle(&self.put_off, &settles);
                let result = self.with_frees(result);
                self.answer(QueueAnswer::Settled(result.map(|()| settles)));
            }
            QueueCommand::Drop { through } => {
                let result = self.queue.drop_through(&self.put_off, through);
                let dropped = self.with_frees(result);
                self.answer(QueueAnswer::Dropped(dropped));
            }
            QueueCommand::Load(load) => {
                let loaded = self.queue.load(self.put_off_through(), &load);
                self.answer(QueueAnswer::Loaded(loaded));
            }
        }
    }

    fn append(&mut self, append: &Append) {
        let result = self.queue.append(&self.put_off, append);
        let appended = self.with_frees(result);
        self.answer(QueueAnswer::Appended(appended));
    }

    fn save_decision(&mut self, saved: &SavedDecision) {
        let result = self.queue.save_decision(&self.put_off, saved);
        let result = self.with_frees(result);
        self.answer(QueueAnswer::DecisionSaved(result.map(|()| saved.decision.key.clone())));
    }

    fn put_off(&mut self, free: Free) {
        self.put_off.push(free);
        let now = Instant::now();
        let due = *self.due.get_or_insert(now + self.free_within);
        let many = self.put_off.len() >= FREE_AT_ONCE_COMMANDS
            || self.queue.rows_through(self.put_off_through()) >= FREE_AT_ONCE_ROWS;
        if many || due <= now {
            self.free();
        }
    }

    /// Rows up to here are as good as freed.
    fn put_off_through(&self) -> Seq {
        self.put_off.iter().map(|free| free.through).max().unwrap_or(0)
    }

    /// Does what was put off.
    fn free(&mut self) {
        if self.put_off.is_empty() {
            return;
        }
        let result = self.queue.free(&self.put_off);
        self.answer_frees(result.map(|written| written.usages));
    }

    /// Answers the frees of a transaction. When it failed they are tried on their own: they make room.
    fn with_frees<T>(&mut self, result: Result<Written<T>, QueueFault>) -> Result<T, QueueFault> {
        match result {
            Ok(Written { usages, done }) => {
                self.answer_frees(Ok(usages));
                Ok(done)
            }
            Err(fault) => {
                self.free();
                Err(fault)
            }
        }
    }

    fn answer_frees(&mut self, result: Result<Vec<fogline_protocol::queue::QueueUsage>, QueueFault>) {
        self.due = None;
        let frees = std::mem::take(&mut self.put_off);
        match result {
            Ok(usages) => {
                for done in frees.into_iter().zip(usages) {
                    self.answer(QueueAnswer::Freed(Ok(done)));
                }
            }
            Err(fault) => {
                for _ in frees {
                    self.answer(QueueAnswer::Freed(Err(fault.clone())));
                }
            }
        }
    }

    fn answer(&self, answer: QueueAnswer) {
        // Nobody listens when the node is gone already: what was asked for is done all the same.
        self.answers.send(answer).ok();
    }
}
