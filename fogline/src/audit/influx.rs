//! The readings in a database that takes InfluxDB's writes.
//!
//! InfluxDB 1, 2 and 3 all answer InfluxQL on `/query`, and every point carries its stream and its number. VictoriaMetrics
//! answers neither: its points are exported, a metric for each field, and it makes texts 0, so that there the streams of an
//! agent are one.

mod export;
mod http;
mod query;

use super::error::AuditError;
use super::facts::{AgentName, Facts};
use clap::ValueEnum;
use http::Http;
use std::fmt;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub struct InfluxServer {
    /// `http://host:port`, and nothing more.
    pub url: String,
    /// The bucket; InfluxDB 1 and 3 say database. VictoriaMetrics has none.
    pub bucket: String,
    /// The token that may read it; empty for none. Never shown.
    pub token: String,
    /// What it speaks; none: it is asked.
    pub dialect: Option<Dialect>,
}

/// What a database speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Dialect {
    /// InfluxQL: InfluxDB 1, 2 and 3
    Influxql,
    /// The export of VictoriaMetrics
    Victoriametrics,
}

impl fmt::Debug for InfluxServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, bucket, token: _, dialect } = self;
        write!(f, "InfluxServer {{ url: {url:?}, bucket: {bucket:?}, dialect: {dialect:?} }}")
    }
}

impl InfluxServer {
    /// Checks an address.
    ///
    /// # Errors
    /// What is wrong with it, and what to give instead.
    pub fn check_url(url: &str) -> Result<(), String> {
        http::base(url).map(drop)
    }
}

/// Hears how many points were read. [`Send`], because requests are made from a thread of their own.
pub(super) type Progress<'a> = &'a mut (dyn FnMut(u64) + Send);

/// Reads the points of all agents that are known already. Works inside and outside of an asynchronous runtime.
pub(super) fn read(server: &InfluxServer, facts: &mut Facts, progress: Progress<'_>) -> Result<(), AuditError> {
    // Were the caller's thread one of a runtime, it could neither wait for another nor drop it.
    let done = std::thread::scope(|scope| scope.spawn(|| block_on(server, facts, progress)).join());
    done.unwrap_or_else(|_| Err(http::failed(server, "the thread of its requests", "has panicked")))
}

fn block_on(server: &InfluxServer, facts: &mut Facts, progress: Progress<'_>) -> Result<(), AuditError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| http::failed(server, "no runtime for requests", error))?;
    runtime.block_on(read_all(server, facts, progress))
}

async fn read_all(server: &InfluxServer, facts: &mut Facts, progress: Progress<'_>) -> Result<(), AuditError> {
    let http = Http::new(server)?;
    let agents: Vec<(String, AgentName)> =
        facts.agents.keys().filter_map(|name| Some((name.clone(), AgentName::of(name)?))).collect();
    match dialect(server, &http).await? {
        Dialect::Influxql => query::read(&http, &agents, facts, progress).await,
        Dialect::Victoriametrics => {
            export::read(&http, &agents, facts, progress).await?;
            facts.merge_streams();
            Ok(())
        }
    }
}

/// VictoriaMetrics answers Prometheus' queries, which no InfluxDB does. It cannot be told by InfluxDB's own pages: it imitates some.
async fn dialect(server: &InfluxServer, http: &Http) -> Result<Dialect, AuditError> {
    if let Some(dialect) = server.dialect {
        return Ok(dialect);
    }
    let prometheus = http.try_get("/api/v1/query", &[("query", "1")]).await?;
    let answers = prometheus.is_some_and(|text| text.starts_with(br#"{"status":"success""#));
    Ok(if answers { Dialect::Victoriametrics } else { Dialect::Influxql })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_tokens_not_shown() {
        for good in ["http://127.0.0.1:8086", "http://[::1]:8086/", "http://influx"] {
            assert_eq!(InfluxServer::check_url(good), Ok(()), "{good}");
        }
        for bad in ["", "influx:8086", "https://a", "http://u:p@a", "http://a/path", "http://a?db=x", "file:///x"] {
            let error = InfluxServer::check_url(bad).unwrap_err();
            assert!(error.contains("http://HOST:8086") && !error.contains("u:p"), "{error}");
        }
        let (url, bucket) = ("http://a".to_owned(), "b".to_owned());
        let server = InfluxServer { url, bucket, token: "s3cret".to_owned(), dialect: None };
        assert!(!format!("{server:?}").contains("s3cret"));
    }
}
