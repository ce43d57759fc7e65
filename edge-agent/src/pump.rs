//! Runs a source on a thread of its own, no further ahead of the queue than the [`Gate`] allows.

use crate::gate::{Gate, Stopped};
use crate::source::{Offer, Source, SourceError, Step};
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What an offer weighs beside its readings, in bytes: an empty one must count too.
const OFFER_COST_BYTES: usize = 1024;

/// What comes from a source.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Readings; `weight` is to be given back to [`Pump::accepted`] when they are committed.
    Offer { offer: Offer, weight: usize },
    /// The last word of the source.
    End(Result<(), SourceError>),
}

/// A running source.
#[derive(Debug)]
pub(crate) struct Pump {
    gate: Arc<Gate>,
    counts: Arc<Counts>,
    // Bounded by the gate.
    deliveries: UnboundedReceiver<Delivery>,
}

#[derive(Debug, Default)]
struct Counts {
    offered: AtomicU64,
    skipped: AtomicU64,
}

impl Pump {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(crate) fn start(source: Box<dyn Source>) -> std::io::Result<Self> {
        let (gate, counts) = (Arc::new(Gate::default()), Arc::new(Counts::default()));
        let (sender, deliveries) = unbounded_channel();
        let worker =
            Worker { source, gate: Arc::clone(&gate), counts: Arc::clone(&counts), sender, start: Instant::now() };
        std::thread::Builder::new().name("fogline-source".to_owned()).spawn(move || worker.run())?;
        Ok(Self { gate, counts, deliveries })
    }

    /// The next delivery; none after the last one.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
    }

    /// An offer of this weight is committed.
    pub(crate) fn accepted(&self, weight: usize) {
        self.gate.leave(weight);
    }

    /// Makes the source stop. What it still has to hand over comes before its [`Delivery::End`].
    pub(crate) fn stop(&self) {
        self.gate.stop();
    }

    /// Readings handed over, and lines skipped.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.counts.offered.load(Ordering::Relaxed), self.counts.skipped.load(Ordering::Relaxed))
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.gate.stop();
    }
}

struct Worker {
    source: Box<dyn Source>,
    gate: Arc<Gate>,
    counts: Arc<Counts>,
    sender: UnboundedSender<Delivery>,
    start: Instant,
}

impl Worker {
    fn run(mut self) {
        let end = match self.pump() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(Stopped)) => {
                while let Some(offer) = self.source.finish(self.now()) {
                    self.gate.force(weight(&offer));
                    self.deliver(offer);
                }
                Ok(())
            }
            Err(error) => Err(error),
        };
        // Nobody listens when the agent is gone already.
        self.sender.send(Delivery::End(end)).ok();
    }

    fn pump(&mut self) -> Result<Result<(), Stopped>, SourceError> {
        loop {
            let step = self.source.step(self.now())?;
            self.counts.skipped.store(self.source.skipped(), Ordering::Relaxed);
            let passed = match step {
                Step::Offer(offer) => {
                    let passed = self.gate.enter(weight(&offer));
                    if passed.is_err() {
                        // What was taken from outside is not thrown away at a stop.
                        self.gate.force(weight(&offer));
                    }
                    self.deliver(offer);
                    passed
                }
                Step::Wait(until) => self.gate.sleep_until(self.start + Duration::from_micros(until.us())),
                Step::End => return Ok(Ok(())),
            };
            if passed.is_err() {
                return Ok(passed);
            }
        }
    }

    fn deliver(&self, offer: Offer) {
        self.counts.offered.fetch_add(offer.readings.len() as u64, Ordering::Relaxed);
        let weight = weight(&offer);
        self.sender.send(Delivery::Offer { offer, weight }).ok();
    }

    fn now(&self) -> Now {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let wall = Wall::from_us(i64::try_from(us(since_epoch)).unwrap_or(i64::MAX));
        Now { mono: Monotonic::from_us(us(self.start.elapsed())), wall }
    }
}

fn weight(offer: &Offer) -> usize {
    offer.readings.memory_bytes() + OFFER_COST_BYTES
}
