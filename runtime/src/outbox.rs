//! The queue on disk of an agent: an SQLite file, and a thread that executes the commands of
//! [`fogline_protocol::queue`] on it.
//!
//! A tour begins with `outbox/schema.sql`. [`Outbox::open`] makes the file or checks it (`file`), takes its lock (`lock`)
//! and starts the thread (`worker`), which does each command in one transaction (`queue`; `append`, `bounds`, `gaps`,
//! `load`, `free`) and answers after its commit. [`inspect()`], [`holdings()`] and [`Reader`] look into a queue from outside.
//!
//! - An answer means that it is durable. With [`Synchronous::Full`] it outlives a loss of power.
//! - What counting would need a scan for is kept in counters, in the same transaction: a queue opens at once, however
//!   much it holds.
//! - Answers come in the order of their commands, but for `Freed`: a free waits for the next write, at most
//!   [`OutboxConfig::free_within`], and its answer with it. Frees are answered in the order of frees.
//! - A queue that has filled its disk still drains (`room`).
//! - When a write fails nothing of it has happened, and the next one finds the queue as it was.
//! - Damage costs the records that it hit, and no more: what cannot be read, or is not as its seal says (`seal`), becomes a
//!   gap and is set aside (`aside`), when the queue is opened and while it works (`heal`).

mod append;
mod aside;
mod books;
mod bounds;
mod error;
mod file;
mod free;
mod gaps;
mod heal;
mod holdings;
mod inspect;
mod load;
mod lock;
mod queue;
mod reader;
mod room;
mod seal;
mod state;
mod worker;

pub use aside::{SetAside, set_aside};
pub use error::OutboxError;
pub use holdings::{Holdings, holdings};
pub use inspect::{Inspection, inspect};
pub use reader::{Reader, SealState, StoredReading, Walk};

use fogline_protocol::queue::{QueueAnswer, QueueCommand, QueueFault, QueueLimits, QueueState};
use fogline_protocol::time::Wall;
use lock::{Lock, with_suffix};
use queue::Queue;
use room::Room;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use worker::{Order, Worker};

/// How long a free waits for a write to go with, unless configured otherwise: rare enough to write little when nothing is
/// appended, soon enough that the queue's depth is right to a second.
const FREE_WITHIN: Duration = Duration::from_secs(1);
/// Rows deleted at a time, unless configured otherwise: some 100 pages.
const DELETE_ROWS: u64 = 4_096;

/// Tells the time of day.
pub type Clock = Arc<dyn Fn() -> Wall + Send + Sync>;

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// Once the disk has it. It outlives a loss of power.
    #[default]
    Full,
    /// Once the system has it. It outlives the death of the process, but a loss of power may take the last commits.
    Normal,
}

/// How a queue is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct OutboxConfig {
    /// The file. Its folder must exist; SQLite keeps `-wal` and `-shm` beside it, the lock is in `.lock`, 6 MiB are held
    /// back in `.reserve`, and what damage left is in `.damaged-*` ([`set_aside()`]).
    pub path: PathBuf,
    /// How much it holds, and what gives way when it is full.
    pub limits: QueueLimits,
    /// Whose readings it holds, as "region/agent": a queue that holds another agent's is refused. None: it is not asked.
    pub owner: Option<String>,
    /// When a commit counts as durable. [`Synchronous::Full`] by default.
    pub synchronous: Synchronous,
    /// How long a free may wait for a write to go with. 1 s by default; zero: each free is a transaction of its own.
    pub free_within: Duration,
    /// How many freed or dropped rows are kept in the file before they are deleted in one go. 4,096 by default. Fewer
    /// write more.
    pub delete_rows: u64,
    /// What the age of readings is counted from. The system's clock by default.
    pub clock: Clock,
}

impl OutboxConfig {
    /// The queue at `path`, with the defaults for all else.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, limits: QueueLimits) -> Self {
        Self {
            path: path.into(),
            limits,
            owner: None,
            synchronous: Synchronous::default(),
            free_within: FREE_WITHIN,
            delete_rows: DELETE_ROWS,
            clock: Arc::new(system_clock),
        }
    }
}

fn system_clock() -> Wall {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_us(i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX))
}

/// An open queue: what it held, the hand that gives commands, and the answers.
#[derive(Debug)]
pub struct Outbox {
    /// What it held when it was opened. Its `opening` is durable.
    pub state: QueueState,
    /// Takes commands.
    pub handle: OutboxHandle,
    /// One answer per command. Ends when the queue is closed, after the last answer. It has no bound of its own: whoever
    /// gives the commands bounds how many are not answered yet.
    pub answers: UnboundedReceiver<QueueAnswer>,
}

impl Outbox {
    /// Opens the queue, or makes an empty one where no file is. Takes some milliseconds, however much the queue holds; a
    /// damaged one is healed first, which reads all of it.
    ///
    /// # Errors
    /// [`OutboxError`]: one variant for each thing that the operator can do about it. A file that is refused is left as it
    /// was.
    pub fn open(config: OutboxConfig) -> Result<Self, OutboxError> {
        let path = config.path.clone();
        let lock = Lock::take(&path)?;
        let (queue, state) = match open_healed(&config) {
            // To open takes some room too: that of the earlier opening.
            Err(OutboxError::DiskFull { .. }) if Room::release(&path) => open_healed(&config)?,
            result => result?,
        };
        let (orders, received) = channel();
        let (answer, answers) = unbounded_channel();
        let worker = Worker::new(queue, answer, config.free_within);
        let work = move || {
            let result = worker.run(&received);
            drop(lock);
            result
        };
        let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(work);
        let thread = thread.map_err(|error| OutboxError::system(&path, &error))?;
        Ok(Self { state, handle: OutboxHandle { orders, thread, path }, answers })
    }
}

/// Opens the file, and heals it first when it is damaged.
fn open_healed(config: &OutboxConfig) -> Result<(Queue, QueueState), OutboxError> {
    let path = &config.path;
    heal::finish(path)?;
    match open_file(config) {
        Err(OutboxError::Damaged { what, .. }) => {
            tracing::warn!(queue = %path.display(), what, "the queue is damaged: healing it");
            heal::heal(path, None, (config.clock)())?;
            open_file(config)
        }
        result => result,
    }
}

fn open_file(config: &OutboxConfig) -> Result<(Queue, QueueState), OutboxError> {
    let path = &config.path;
    let log = with_suffix(path, "-wal");
    if path.exists() {
        file::check(path)?;
    } else if log.exists() {
        let what = "the file is gone, but its log is still there".to_owned();
        return Err(OutboxError::Damaged { path: path.clone(), what });
    } else {
        file::create(path)?;
    }
    Queue::open(config).map_err(|fault| OutboxError::of(path, &fault))
}

/// Gives commands to a queue. Dropped without [`close`](Self::close), the queue finishes what it was asked for and closes
/// as well, but nobody learns whether that went well.
#[derive(Debug)]
pub struct OutboxHandle {
    orders: Sender<Order>,
    thread: JoinHandle<Result<(), QueueFault>>,
    path: PathBuf,
}

impl OutboxHandle {
    /// Gives a command; never blocks. Should the thread have died the answers end, and the command does nothing.
    pub fn send(&self, command: QueueCommand) {
        self.orders.send(Order::Do(command)).ok();
    }

    /// Keeps these bounds from the next append on: what is too much then gives way as at any append.
    pub fn bound(&self, limits: QueueLimits) {
        self.orders.send(Order::Bound(limits)).ok();
    }

    /// Does what was asked for, the frees that wait included, writes the log back into the file and closes it. Blocks for
    /// as long as that takes: some milliseconds, seconds on a slow disk.
    ///
    /// # Errors
    /// [`OutboxError::DiskFull`] or [`OutboxError::Io`] when the log could not be written back. What was answered is safe
    /// all the same: the next opening finds it in the log.
    pub fn close(self) -> Result<(), OutboxError> {
        self.orders.send(Order::Close).ok();
        let path = self.path;
        match self.thread.join() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(QueueFault::DiskFull(cause))) => Err(OutboxError::DiskFull { path, cause }),
            Ok(Err(QueueFault::Io(cause))) => Err(OutboxError::Io { path, cause }),
            Err(_) => Err(OutboxError::Io { path, cause: "its thread has panicked".to_owned() }),
        }
    }
}
