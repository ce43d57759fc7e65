//! Settings of a program for tests.

use super::Settings;
use clap::Args;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Sample {
    /// Where it listens [default: 80]
    #[arg(long, value_name = "PORT", env = "SAMPLE_PORT")]
    pub(super) port: Option<u16>,
    /// What it is called
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// Whom it knows
    #[arg(long = "peer", value_name = "HOST", help_heading = "Others")]
    pub(super) peers: Vec<String>,
    #[arg(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) probes: Vec<Probe>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Probe {
    kind: String,
    every: Option<u32>,
}

impl Settings for Sample {
    const PROGRAM: &'static str = "sample";
    const RELOADED: &'static [&'static str] = &["name"];
    const TABLES: &'static [(&'static str, &'static str)] = &[("probes", "[[probes]]\nkind = \"disk\"")];

    fn or(self, other: Self) -> Self {
        Self {
            port: self.port.or(other.port),
            name: self.name.or(other.name),
            peers: if self.peers.is_empty() { other.peers } else { self.peers },
            probes: if self.probes.is_empty() { other.probes } else { self.probes },
        }
    }

    fn defaults(_: &Self) -> Self {
        Self { port: Some(80), ..Self::default() }
    }
}
