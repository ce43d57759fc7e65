//! Where readings go: into which database, and how safely.

use crate::store::Synchronous;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where readings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// A SQLite file in the data directory.
    #[default]
    Sqlite,
    /// InfluxDB, and the ingester's own state in a SQLite file.
    Influxdb,
    /// Nowhere: for measuring everything else.
    Null,
}

/// Where InfluxDB is.
#[derive(Clone, PartialEq, Eq)]
pub struct InfluxSettings {
    /// `http://host:port`.
    pub url: String,
    /// The organisation.
    pub org: String,
    /// The bucket.
    pub bucket: String,
    /// The token; empty for none. Never shown.
    pub token: String,
}

impl std::fmt::Debug for InfluxSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "InfluxSettings {{ url: {:?}, org: {:?}, bucket: {:?} }}", self.url, self.org, self.bucket)
    }
}

pub(super) fn synchronous(given: Option<&str>, problems: &mut Vec<String>) -> Synchronous {
    match given {
        None | Some("full") => Synchronous::Full,
        Some("normal") => Synchronous::Normal,
        Some(other) => {
            problems.push(format!("synchronous: {other:?} is neither full nor normal"));
            Synchronous::Full
        }
    }
}

pub(super) fn influxdb(
    url: Option<String>,
    org: Option<String>,
    bucket: Option<String>,
    token_file: Option<PathBuf>,
    problems: &mut Vec<String>,
) -> InfluxSettings {
    if url.is_none() {
        problems.push("influxdb_url: give InfluxDB's address with --influxdb-url http://HOST:8086".to_owned());
    }
    let read = |path: PathBuf| {
        let read = std::fs::read_to_string(&path);
        read.map_err(|error| problems.push(format!("influxdb_token_file: {}: {error}", path.display()))).ok()
    };
    // The variable is for container platforms that hand over secrets in the environment; a flag would show in ps.
    let variable = std::env::var("FOGLINE_INGEST_INFLUXDB_TOKEN").ok();
    let token = token_file.and_then(read).or(variable).unwrap_or_default().trim().to_owned();
    InfluxSettings {
        url: url.unwrap_or_default(),
        org: org.unwrap_or_else(|| "fogline".to_owned()),
        bucket: bucket.unwrap_or_else(|| "fogline".to_owned()),
        token,
    }
}
