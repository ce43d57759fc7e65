//! Traces for OpenTelemetry: where the time of a batch of readings goes, from the sensor to the acknowledgement.
//!
//! Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector, as everywhere in OpenTelemetry. Agent and ingester join the same trace without
//! a byte on the wire: ids of traces and spans follow from what a batch says anyway ([`BatchId`]), and so does who is sampled. Spans go to the
//! collector in a thread of their own, by OTLP over HTTP as JSON; they are never in the way of readings, and what has no room is dropped and
//! counted.

mod batch_id;
mod export;
mod otlp;

pub use batch_id::BatchId;
pub use otlp::{Span, Value};

use export::{Endpoint, Exporter};
use fogline_protocol::time::Wall;
use std::sync::Arc;

/// Where spans go.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Which share of batches is traced.
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
/// One batch in a hundred: a fleet of thousands must not drown its collector.
const RATIO_DEFAULT: f64 = 0.01;

/// Why nothing can be traced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TracesError {
    /// The address cannot be used.
    #[error(
        "{ENDPOINT}: {0}; give http://HOST:4318, a collector on this machine or network (for TLS let it forward), or unset it"
    )]
    Endpoint(String),
    /// The share cannot be used.
    #[error("{RATIO}: {0:?} is no share; give a number from 0 to 1, for example 0.01, or unset it")]
    Ratio(String),
}

/// Takes spans. Clones share one exporter.
#[derive(Debug, Clone)]
pub struct Traces {
    exporter: Arc<Exporter>,
    ratio: f64,
}

impl Traces {
    /// What the environment asks for: none when it names no collector. `service` is the program, `instance` its name.
    ///
    /// # Errors
    /// [`TracesError`], when it asks for what cannot be.
    pub fn from_environment(service: &str, instance: &str) -> Result<Option<Self>, TracesError> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(endpoint) = variable(ENDPOINT) else { return Ok(None) };
        let ratio = variable(RATIO).map_or(Ok(RATIO_DEFAULT), |text| ratio(&text))?;
        let endpoint = Endpoint::parse(&endpoint).map_err(TracesError::Endpoint)?;
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

fn ratio(text: &str) -> Result<f64, TracesError> {
    let number = text.trim().parse().ok().filter(|share| (0.0..=1.0).contains(share));
    number.ok_or_else(|| TracesError::Ratio(text.to_owned()))
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
        assert_eq!([ratio("0"), ratio("1"), ratio(" 0.25 ")], [Ok(0.0), Ok(1.0), Ok(0.25)]);
        for text in ["", "-1", "1.1", "NaN", "all"] {
            assert_eq!(ratio(text), Err(TracesError::Ratio(text.to_owned())));
        }
    }
}
