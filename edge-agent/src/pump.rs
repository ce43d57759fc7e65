//! Runs each source on a thread of its own, all of them together no further ahead of the queue than the [`Gate`] allows.

use crate::gate::{Gate, Stopped};
use crate::source::{Offer, Source, SourceError, Step};
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What an offer weighs beside its readings, in bytes: an empty one must count too.
const OFFER_COST_BYTES: usize = 1024;

/// What comes from a source.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// Readings; `weight` is to be given back to [`Pump::accepted`] when they are committed.
    Offer { offer: Offer, weight: usize },
    /// The last word of the last source, and the first failure of any.
    End(Result<(), SourceError>),
}

/// A source and the name by which it is known.
pub(crate) struct NamedSource {
    pub(crate) name: String,
    pub(crate) source: Box<dyn Source>,
}

/// The running sources.
#[derive(Debug)]
pub(crate) struct Pump {
    gate: Arc<Gate>,
    counts: Vec<(String, Arc<Counts>)>,
    // Bounded by the gate.
    deliveries: UnboundedReceiver<Sent>,
    /// Sources that have not ended.
    running: usize,
    failure: Option<SourceError>,
}

/// What comes from a source's thread: an offer and its weight, or the end of the source of this index.
#[derive(Debug)]
enum Sent {
    Offer(Offer, usize),
    End(usize, Result<(), SourceError>),
}

#[derive(Debug, Default)]
struct Counts {
    offered: AtomicU64,
    skipped: AtomicU64,
    ended: AtomicBool,
}

/// How a source of several is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceCounts {
    pub(crate) name: String,
    /// Readings handed over.
    pub(crate) offered: u64,
    /// Lines, samples or messages that were no readings.
    pub(crate) skipped: u64,
    pub(crate) ended: bool,
}

impl Pump {
    /// Starts the threads; none when there is no source.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(crate) fn start(sources: Vec<NamedSource>) -> std::io::Result<Option<Self>> {
        if sources.is_empty() {
            return Ok(None);
        }
        let (gate, start) = (Arc::new(Gate::default()), Instant::now());
        let (sender, deliveries) = unbounded_channel();
        let running = sources.len();
        let mut pump = Self { gate, counts: Vec::new(), deliveries, running, failure: None };
        for (index, NamedSource { name, source }) in sources.into_iter().enumerate() {
            let counts = Arc::new(Counts::default());
            pump.counts.push((name, Arc::clone(&counts)));
            let worker = Worker { index, source, gate: Arc::clone(&pump.gate), counts, sender: sender.clone(), start };
            std::thread::Builder::new().name("fogline-source".to_owned()).spawn(move || worker.run())?;
        }
        Ok(Some(pump))
    }

    /// The next delivery; none after the last one. One source of several that ends does not end the others.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        loop {
            match self.deliveries.recv().await? {
                Sent::Offer(offer, weight) => return Some(Delivery::Offer { offer, weight }),
                Sent::End(index, end) => {
                    self.ended(index, end);
                    if self.running == 0 {
                        return Some(Delivery::End(self.failure.take().map_or(Ok(()), Err)));
                    }
                }
            }
        }
    }

    fn ended(&mut self, index: usize, end: Result<(), SourceError>) {
        self.running = self.running.saturating_sub(1);
        let source = self.counts.get(index).map_or("", |(name, _)| name.as_str());
        match end {
            Ok(()) if self.running > 0 => tracing::info!(source, others = self.running, "a source has ended"),
            Ok(()) => {}
            Err(error) => {
                if self.running > 0 {
                    tracing::error!(source, %error, others = self.running, "a source failed, the others go on");
                }
                self.failure.get_or_insert(error);
            }
        }
    }

    /// An offer of this weight is committed.
    pub(crate) fn accepted(&self, weight: usize) {
        self.gate.leave(weight);
    }

    /// Makes the sources stop. What they still have to hand over comes before the [`Delivery::End`].
    pub(crate) fn stop(&self) {
        self.gate.stop();
    }

    /// Readings handed over, and lines skipped, of all sources together.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let all = |count: fn(&Counts) -> &AtomicU64| {
            self.counts.iter().map(|(_, counts)| count(counts).load(Ordering::Relaxed)).sum()
        };
        (all(|counts| &counts.offered), all(|counts| &counts.skipped))
    }

    /// The same of each source.
    pub(crate) fn each(&self) -> impl Iterator<Item = SourceCounts> + '_ {
        self.counts.iter().map(|(name, counts)| SourceCounts {
            name: name.clone(),
            offered: counts.offered.load(Ordering::Relaxed),
            skipped: counts.skipped.load(Ordering::Relaxed),
            ended: counts.ended.load(Ordering::Relaxed),
        })
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.gate.stop();
    }
}

struct Worker {
    index: usize,
    source: Box<dyn Source>,
    gate: Arc<Gate>,
    counts: Arc<Counts>,
    sender: UnboundedSender<Sent>,
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
        self.counts.ended.store(true, Ordering::Relaxed);
        self.sender.send(Sent::End(self.index, end)).ok();
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
        self.sender.send(Sent::Offer(offer, weight)).ok();
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
