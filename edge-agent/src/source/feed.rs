//! A source that waits for the network or a device: its tasks run on a runtime of their own, on the source's thread.
//!
//! A task gives offers to its [`Feed`] and waits when the queue does. [`FeedSource`] hands them on step by step; while it waits for one, the
//! tasks run. When it is dropped they are dropped with it, and with them sockets, ports and children.

use super::{Offer, Skipped, Source, SourceError, Step};
use fogline_protocol::reading::Readings;
use fogline_protocol::time::{Monotonic, Now};
use fogline_runtime::clock::wall;
use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long a step waits for an offer at most, so that a stop is noticed.
const PATIENCE: Duration = Duration::from_millis(500);
/// Offers that wait between a task and the source: then the task waits, and with it whoever speaks to it.
const OFFERS_WAITING: usize = 16;

/// Where a task gives its readings. Clones are the same feed.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    name: Arc<str>,
    offers: mpsc::Sender<Offer>,
    skipped: Arc<Mutex<Skipped>>,
}

/// The source has been stopped: nobody takes readings any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Feed {
    /// Hands over an offer, as soon as there is room.
    pub(crate) async fn give(&self, offer: Offer) -> Result<(), Gone> {
        self.offers.send(offer).await.map_err(|_| Gone)
    }

    /// The same for readings that nobody waits for; none are no offer.
    pub(crate) async fn give_readings(&self, readings: Readings) -> Result<(), Gone> {
        if readings.is_empty() {
            return Ok(());
        }
        self.give(Offer { readings, ..Offer::default() }).await
    }

    /// Counts what was no reading, and shows it now and then.
    pub(crate) fn skip(&self, text: &[u8], why: &dyn Display) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.note_of(&self.name, text, why);
    }

    /// Waits until the source has been stopped.
    pub(crate) async fn closed(&self) {
        self.offers.closed().await;
    }

    /// The source's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The time of what comes now.
    pub(crate) fn wall(&self) -> fogline_protocol::time::Wall {
        wall()
    }
}

/// The source around a task.
pub(crate) struct FeedSource {
    // Before the runtime, which drops the task.
    offers: mpsc::Receiver<Offer>,
    skipped: Arc<Mutex<Skipped>>,
    task: Option<JoinHandle<Result<(), SourceError>>>,
    runtime: Runtime,
}

impl FeedSource {
    /// Starts a task; it runs while the source is asked for steps.
    ///
    /// # Errors
    /// [`SourceError::Runtime`] when the system gives nothing to wait with.
    pub(crate) fn start<F, T>(name: &str, task: F) -> Result<Self, SourceError>
    where
        F: FnOnce(Feed) -> T,
        T: Future<Output = Result<(), SourceError>> + Send + 'static,
    {
        let runtime = Builder::new_current_thread().enable_all().build().map_err(SourceError::Runtime)?;
        let (sender, offers) = mpsc::channel(OFFERS_WAITING);
        let skipped = Arc::new(Mutex::new(Skipped::new()));
        let feed = Feed { name: name.into(), offers: sender, skipped: Arc::clone(&skipped) };
        let task = Some(runtime.spawn(task(feed)));
        Ok(Self { offers, skipped, task, runtime })
    }

    fn end(&mut self) -> Result<Step, SourceError> {
        let Some(task) = self.task.take() else { return Ok(Step::End) };
        match self.runtime.block_on(task) {
            Ok(end) => end.map(|()| Step::End),
            Err(error) => Err(SourceError::Runtime(std::io::Error::other(error))),
        }
    }
}

impl Source for FeedSource {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        let offers = &mut self.offers;
        match self.runtime.block_on(async { tokio::time::timeout(PATIENCE, offers.recv()).await }) {
            Ok(Some(offer)) => Ok(Step::Offer(offer)),
            Ok(None) => self.end(),
            Err(_) => Ok(Step::Wait(Monotonic::from_us(now.mono.us()))),
        }
    }

    fn finish(&mut self, _now: Now) -> Option<Offer> {
        self.offers.close();
        self.offers.try_recv().ok()
    }

    fn skipped(&self) -> u64 {
        self.skipped.lock().unwrap_or_else(PoisonError::into_inner).count()
    }
}
