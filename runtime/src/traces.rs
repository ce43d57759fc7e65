//! Traces for OpenTelemetry: where the time of a batch of readings goes, from the sensor to the acknowledgement.
//!
//! Off unless the settings or `OTEL_EXPORTER_OTLP_ENDPOINT` name a collector, as everywhere in OpenTelemetry. Agent and ingester join the same trace without
//! a byte on the wire: ids of traces and spans follow from what a batch says anyway ([`BatchId`]), and so does who is sampled. Spans go to the
//! collector in a thread of their own, by OTLP over HTTP as JSON; they are never in the way of readings, and what has no room is dropped and
//! counted.

mod batch_id;
mod export;
mod otlp;

pub use batch_id::BatchId;
pub use otlp::{Span, Value};

use crate::settings::TracesSettings;
use export::{Endpoint, Exporter};
use fogline_protocol::time::Wall;
use std::sync::Arc;

/// Where spans go.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Which share of batches is traced.
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
/// One batch in a hundred: a fleet of thousands must not drown its collector.
pub const SHARE_DEFAULT: f64 = 0.01;

/// Why nothing can be traced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TracesError {
    /// The address cannot be used.
    #[error(
        "traces_endpoint: {0}; give http://HOST:4318, a collector on this machine or network (for TLS let it forward), or leave it out; the variable is {ENDPOINT}"
    )]
    Endpoint(String),
    /// The share cannot be used.
    #[error(
        "traces_share: {0} is no share; give a number from 0 to 1, for example 0.01, or leave it out; the variable is {RATIO}"
    )]
    Ratio(String),
}

/// Takes spans. Clones share one exporter.
#[derive(Debug, Clone)]
pub struct Traces {
    exporter: Arc<Exporter>,
    ratio: f64,
}

impl Traces {
    /// What the settings ask for, or else the environment: none when neither names a collector. `service` is the program, `instance`
    /// its name.
    ///
    /// # Errors
    /// [`TracesError`], when they ask for what cannot be.
    pub fn start(given: &TracesSettings, service: &str, instance: &str) -> Result<Option<Self>, TracesError> {
        let Some((endpoint, ratio)) = asked(given)? else { return Ok(None) };
        tracing::info!(endpoint = %endpoint, ratio, "batches are traced");
        Ok(Some(Self { exporter: Arc::new(Exporter::start(endpoint, service, instance)), ratio }))
    }

    /// Whether this batch is traced: the same everywhere where the share is the same.
    #[must_use]
    pub fn wants(&self, batch: &BatchId) -> bool {
        batch.is_sampled(self.ratio)
    }

    /// Hands over spans that are complete. Never waits.
    pub fn record(&self, spans: impl IntoIterator<Item = Span>) {
        spans.into_iter().for_each(|span| self.exporter.take(span));
    }

    /// How many spans found no room, or no collector.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.exporter.dropped()
    }
}

/// Where to, and which share.
fn asked(given: &TracesSettings) -> Result<Option<(Endpoint, f64)>, TracesError> {
    // Of programs that were not started by a command line, such as those of the demo, nobody has read the environment.
    let variable = |name| std::env::var(name).ok();
    let endpoint = given.traces_endpoint.clone().or_else(|| variable(ENDPOINT)).filter(|text| !text.is_empty());
    let Some(endpoint) = endpoint else { return Ok(None) };
    let ratio = match (variable(RATIO).filter(|_| given.traces_endpoint.is_none()), given.traces_share) {
        (Some(text), _) => share(&text).map_err(TracesError::Ratio)?,
        (None, Some(number)) => within(number).ok_or_else(|| TracesError::Ratio(number.to_string()))?,
        (None, None) => SHARE_DEFAULT,
    };
    Ok(Some((Endpoint::parse(&endpoint).map_err(TracesError::Endpoint)?, ratio)))
}

/// That these settings can be used.
pub(crate) fn check(given: &TracesSettings) -> Result<(), TracesError> {
    asked(given).map(drop)
}

fn within(share: f64) -> Option<f64> {
    (0.0..=1.0).contains(&share).then_some(share)
}

/// The share that a flag or a variable says. An empty variable says nothing.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    if text.is_empty() {
        return Ok(SHARE_DEFAULT);
    }
    let number = text.trim().parse().ok().and_then(within);
    number.ok_or_else(|| format!("{text:?}, which is not from 0 to 1,"))
}

/// A span of a batch: its name says what went on.
#[must_use]
pub fn span(batch: BatchId, name: &'static str, parent: Option<&'static str>, from: Wall, to: Wall) -> Span {
    Span { batch, name, parent, from, to: to.max(from), values: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_from_nothing_to_all() {
        assert_eq!([share("0"), share("1"), share(" 0.25 "), share("")], [Ok(0.0), Ok(1.0), Ok(0.25), Ok(0.01)]);
        for text in ["-1", "1.1", "NaN", "all"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
