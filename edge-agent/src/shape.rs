//! The one stage between every source and the queue: units, scaling, sampling, windows, deadbands.
//!
//! ```text
//! source -> scale, offset, unit -> every -> window -> deadband -> queue
//! ```
//!
//! Each step works on a sensor (with its kind) by itself. What a step holds back is bounded: sensors by [`SENSORS_MAX`], windows by their
//! own fields, deadbands by the newest reading. The stage has no thread: it is a [`Source`] around a source.
//!
//! Sources with a position (recordings, households, garages) are not shaped: a window that a crash takes could not be asked for again.

mod config;
mod deadband;
mod linear;
mod stage;
pub mod units;
mod window;

pub use config::{Deadband, FieldShape, ShapeConfig, Shaping};
pub(crate) use config::{interval, read_field_shape};
pub use linear::Linear;
pub use window::Aggregate;

use crate::source::{Offer, Receipt, Source, SourceError, Step};
use crate::tuning::{Tuning, TuningReader};
use fogline_protocol::time::{Monotonic, Now};
use stage::Stage;
use std::time::Duration;

/// The most sensors whose state is kept; beyond it the one that was silent longest begins anew.
pub const SENSORS_MAX: usize = 1024;

/// A source whose readings are shaped.
pub(crate) struct Shaped {
    inner: Box<dyn Source>,
    config: ShapeConfig,
    /// The source samples by itself, at the interval that the tuning says.
    polled: bool,
    tuning: TuningReader,
    tuned: Tuning,
    stage: Stage,
    /// What the inner source waits for.
    inner_until: Monotonic,
    ended: bool,
}

impl Shaped {
    pub(crate) fn new(inner: Box<dyn Source>, config: ShapeConfig, polled: bool, tuning: TuningReader) -> Self {
        let tuned = tuning.get();
        let stage = Stage::new(effective(&config, polled, tuned));
        Self { inner, config, polled, tuning, tuned, stage, inner_until: Monotonic::ZERO, ended: false }
    }

    /// Takes over what the operator has decided meanwhile. Open windows are closed as they were opened.
    fn tune(&mut self) {
        let tuned = self.tuning.get();
        if tuned != self.tuned {
            self.tuned = tuned;
            // A polled source may be due earlier than it said.
            self.inner_until = Monotonic::ZERO;
            tracing::info!(source = %self.tuning.name(), sampling = ?tuned.sampling, window = ?tuned.window, "sampling was tuned");
            self.stage.reconfigure(effective(&self.config, self.polled, tuned));
        }
    }

    fn shaped(&mut self, offer: Offer, now: Now) -> Offer {
        if self.stage.is_idle() {
            return offer;
        }
        let Offer { readings, position, receipts } = offer;
        for reading in readings.iter() {
            self.stage.add(reading, now.mono);
        }
        Offer { readings: self.stage.take(), position, receipts }
    }

    /// When to look again, at the latest: the gate sleeps until then, and a tuning must not wait for long.
    fn wake_at(&self, until: Monotonic, now: Monotonic) -> Monotonic {
        let soon = now + LOOK_EVERY;
        let due = self.stage.due_at().unwrap_or(until);
        until.min(due).min(soon)
    }
}

/// An offer of which nothing is left goes nowhere, and whoever waits for it is told: it was taken as the configuration says.
fn settle(offer: Offer) -> Option<Offer> {
    if offer.readings.is_empty() && offer.position.is_none() {
        offer.receipts.iter().for_each(Receipt::give);
        return None;
    }
    Some(offer)
}

/// How long a source that waits is left alone, so that a tuning counts soon.
const LOOK_EVERY: Duration = Duration::from_millis(500);

fn effective(config: &ShapeConfig, polled: bool, tuned: Tuning) -> ShapeConfig {
    let positive = |length: Duration| Some(length).filter(|length| !length.is_zero());
    let mut config = config.clone();
    if let Some(window) = tuned.window {
        config.window = positive(window);
    }
    if let Some(sampling) = tuned.sampling {
        config.every = positive(sampling);
    }
    if polled {
        config.every = None;
    }
    config
}

impl Source for Shaped {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        self.tune();
        self.stage.flush_due(now.mono);
        if !self.stage.is_empty() {
            return Ok(Step::Offer(Offer { readings: self.stage.take(), ..Offer::default() }));
        }
        if self.ended {
            return Ok(Step::End);
        }
        if self.inner_until > now.mono {
            return Ok(Step::Wait(self.wake_at(self.inner_until, now.mono)));
        }
        match self.inner.step(now)? {
            Step::Offer(offer) => {
                let shaped = self.shaped(offer, now);
                Ok(settle(shaped).map_or(Step::Wait(now.mono), Step::Offer))
            }
            Step::Wait(until) => {
                self.inner_until = until;
                Ok(Step::Wait(self.wake_at(until, now.mono)))
            }
            Step::End => {
                self.ended = true;
                self.stage.flush_all();
                Ok(Step::Wait(now.mono))
            }
        }
    }

    fn finish(&mut self, now: Now) -> Option<Offer> {
        if !self.ended {
            while let Some(offer) = self.inner.finish(now) {
                let shaped = self.shaped(offer, now);
                if let Some(offer) = settle(shaped) {
                    return Some(offer);
                }
            }
            self.ended = true;
            self.stage.flush_all();
        }
        (!self.stage.is_empty()).then(|| Offer { readings: self.stage.take(), ..Offer::default() })
    }

    fn skipped(&self) -> u64 {
        self.inner.skipped() + self.stage.skipped()
    }
}

#[cfg(test)]
mod tests;
