//! Where traces go, and of how many batches.

use crate::traces;
use clap::Args;
use serde::{Deserialize, Serialize};

/// The settings of traces, each optional. The variables are those of OpenTelemetry, so that what sets them for all programs of a
/// machine sets them here.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct TracesSettings {
    /// Collector that takes traces, by OTLP over HTTP: http://HOST:4318 [default: nothing is traced]
    #[arg(long, value_name = "URL", env = "OTEL_EXPORTER_OTLP_ENDPOINT", help_heading = "Traces")]
    pub traces_endpoint: Option<String>,
    /// Share of batches that are traced, 0 to 1; the same on agents and ingesters [default: 0.01]
    #[arg(long, value_name = "SHARE", env = "OTEL_TRACES_SAMPLER_ARG", value_parser = traces::share, help_heading = "Traces")]
    pub traces_share: Option<f64>,
}

impl TracesSettings {
    /// These where they are set, and the others elsewhere.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            traces_endpoint: self.traces_endpoint.or(other.traces_endpoint),
            traces_share: self.traces_share.or(other.traces_share),
        }
    }

    /// What holds where nothing is given.
    #[must_use]
    pub fn defaults() -> Self {
        Self { traces_endpoint: None, traces_share: Some(traces::SHARE_DEFAULT) }
    }

    /// What is wrong is added to `problems`, each with its remedy.
    pub fn check(&self, problems: &mut Vec<String>) {
        if let Err(error) = traces::check(self) {
            problems.push(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_is_said_with_its_key() {
        let problems = |endpoint: &str, share: f64| {
            let mut problems = Vec::new();
            let settings = TracesSettings { traces_endpoint: Some(endpoint.to_owned()), traces_share: Some(share) };
            settings.check(&mut problems);
            problems
        };
        assert_eq!(problems("http://127.0.0.1:4318", 0.5), Vec::<String>::new());
        assert_eq!(problems("", 1.0), Vec::<String>::new(), "an empty variable is none");
        assert!(problems("https://collector:4318", 1.0)[0].starts_with("traces_endpoint: "));
        assert!(problems("http://127.0.0.1:4318", 1.5)[0].starts_with("traces_share: 1.5"));
    }

    #[test]
    fn a_flag_goes_before_the_file() {
        let settings =
            |endpoint: &str, share| TracesSettings { traces_endpoint: Some(endpoint.to_owned()), traces_share: share };
        let both = settings("http://a:1", None).or(settings("http://b:2", Some(1.0)));
        assert_eq!(both, settings("http://a:1", Some(1.0)));
    }
}
