//! The store in InfluxDB 2 or 3, or whatever else takes line protocol at `/api/v2/write`.
//!
//! A commit is written in requests of some thousand lines, several at a time, and after all of them the state is committed.
//! When one fails, nothing of the state is changed and the whole commit is written again: the same points replace
//! themselves. What the answers mean is in [`answer`], how bad lines are found in [`writer`].
//!
//! Besides readings, points for dashboards are written in the same requests; see [`lines`]. What may be lost goes another way: [`side`].

mod answer;
mod chunk;
mod lines;
mod side;
mod writer;

pub(crate) use side::{NotTaken, SideWriter};

use super::commit::Begun;
use super::{LetterId, Retried, StateDb, Store, StoreError};
use fogline_protocol::store::{Commit, CommitReport, StoreFault};
use reqwest::Url;
use std::fmt;
use std::time::Duration;
use tokio::runtime::Runtime;
use writer::Writer;

/// The longest [`InfluxConfig::identity`]: ingesters say it to each other twice a second, in at most 512 bytes.
const IDENTITY_MAX_BYTES: usize = 500;

/// Where InfluxDB is and how to write to it.
#[derive(Clone)]
pub struct InfluxConfig {
    /// `http://host:port`, without a path. `https` needs the feature `influxdb-tls`.
    pub url: String,
    /// The organization's name; InfluxDB 3 ignores it.
    pub org: String,
    /// The bucket; in InfluxDB 3, the database.
    pub bucket: String,
    /// The token that may write into the bucket. Empty: none is sent.
    pub token: String,
    /// What the ingester takes, where that is not all regions: averages over regions say it, or those of ingesters that share
    /// the bucket would replace each other.
    pub takes: Option<String>,
    /// How long a request may take before it counts as failed: 10 s. InfluxDB 3 answers after up to a second.
    pub timeout: Duration,
    /// How long connecting may take: 3 s.
    pub connect_timeout: Duration,
    /// How many requests may be under way at the same time: 4, because InfluxDB 3 answers only when it has flushed its log.
    pub requests_in_flight: usize,
    /// How many lines a request has at most: 5,000, the optimum that InfluxDB's documentation names.
    pub lines_per_request: usize,
}

impl Default for InfluxConfig {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:8086".to_owned(),
            org: "fogline".to_owned(),
            bucket: "fogline".to_owned(),
            token: String::new(),
            takes: None,
            timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(3),
            requests_in_flight: 4,
            lines_per_request: 5000,
        }
    }
}

impl fmt::Debug for InfluxConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All but the token, which must not get into a log.
        f.debug_struct("InfluxConfig")
            .field("url", &self.url)
            .field("org", &self.org)
            .field("bucket", &self.bucket)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl InfluxConfig {
    /// What tells this bucket from any other: ingesters that say the same share it. Address, organization and bucket, and no
    /// secret. An ingester that knows the server by another name says something else.
    #[must_use]
    pub fn identity(&self) -> String {
        // Of a URL that `check` would refuse nothing but the host is said: there may be a password in it.
        let server = Url::parse(&self.url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization());
        format!("{server} {:?} {:?}", self.org, self.bucket)
    }

    /// Checks what the client would panic at, and what the database would answer as if the readings were to blame.
    fn check(&self) -> Result<(), StoreError> {
        let refuse = |why: String| Err(StoreError::Config(why));
        let url = match Url::parse(&self.url) {
            Ok(url) => url,
            Err(error) => return refuse(format!("{:?} is not a URL ({error}): use http://host:8086", self.url)),
        };
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() || !url.has_host() {
            return refuse(format!("InfluxDB's URL is {:?}: use http://host:8086, and nothing more", self.url));
        }
        match url.scheme() {
            "http" => {}
            "https" if cfg!(feature = "influxdb-tls") => {}
            "https" => return refuse("this program was built without TLS to InfluxDB: enable influxdb-tls".to_owned()),
            other => return refuse(format!("InfluxDB's URL begins with {other}: use http")),
        }
        if self.org.is_empty() || self.bucket.is_empty() {
            return refuse("InfluxDB needs an organization and a bucket".to_owned());
        }
        if self.identity().len() > IDENTITY_MAX_BYTES {
            return refuse(format!(
                "the names of InfluxDB's host, organization and bucket have more than {IDENTITY_MAX_BYTES} bytes"
            ));
        }
        if !self.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("InfluxDB's token has blanks or line breaks in it: copy it again".to_owned());
        }
        if self.requests_in_flight == 0 || self.lines_per_request == 0 {
            return refuse("InfluxDB needs at least one request in flight, and one line in it".to_owned());
        }
        Ok(())
    }

    fn client(&self) -> Result<influxdb2::Client, StoreError> {
        let http = reqwest::ClientBuilder::new()
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            // A proxy meant for the web has no business with the database.
            .no_proxy()
            // Following one would turn a write into a read, and show the token to somebody else.
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true);
        influxdb2::ClientBuilder::with_builder(http, self.url.as_str(), self.org.as_str(), self.token.as_str())
            .build()
            .map_err(|error| StoreError::Config(error.to_string()))
    }
}

/// Points in InfluxDB, the state in a file of its own.
pub struct InfluxStore {
    state: StateDb,
    writer: Writer,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

impl InfluxStore {
    /// A store that writes as `config` says. Nothing is sent yet.
    ///
    /// # Errors
    /// [`StoreError::Config`] says what is wrong with the configuration.
    pub fn new(state: StateDb, config: &InfluxConfig) -> Result<Self, StoreError> {
        config.check()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Config(format!("no runtime for requests: {error}")))?;
        Ok(Self { state, writer: Writer::new(config.client()?, config), runtime: Some(runtime) })
    }
}

impl Drop for InfluxStore {
    fn drop(&mut self) {
        // A runtime may not be dropped inside of another one; this one has nothing left to do.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Store for InfluxStore {
    fn state(&mut self) -> &mut StateDb {
        &mut self.state
    }

    fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault> {
        let mut work = match self.state.begin(commit)? {
            Begun::Done(report) => return Ok(report),
            Begun::New(work) => work,
        };
        // Before the requests, because they carry the merged averages; undone with the rest when a request fails.
        let merged = work.merge(commit)?;
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        let dead = runtime.block_on(self.writer.write(commit, &merged))?;
        work.finish(commit, &dead)
    }

    fn retry(&mut self, run: u64, letter: LetterId) -> Result<Retried, StoreFault> {
        let Some(letter) = self.state.take_up(run, letter)? else { return Ok(Retried::Unknown) };
        let commit = Commit { points: vec![letter.points.clone()], ..Commit::default() };
        let runtime = self.runtime.as_ref().ok_or_else(stopped)?;
        match runtime.block_on(self.writer.write(&commit, &[]))?.pop() {
            None => letter.stored(),
            Some(dead) => letter.refused(&dead),
        }
    }
}

fn stopped() -> StoreFault {
    StoreFault::Operator("the store was dropped".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(change: impl FnOnce(&mut InfluxConfig)) -> Option<String> {
        let mut config = InfluxConfig::default();
        change(&mut config);
        config.check().err().map(|error| error.to_string())
    }

    #[test]
    fn a_configuration_that_cannot_work_is_refused_with_the_fix() {
        assert_eq!(refusal(|_| ()), None);
        assert_eq!(refusal(|config| config.url = "http://[::1]:8086/".into()), None);
        for bad in ["", "influx", "127.0.0.1:8086", "ftp://a", "http://a/path", "http://a?db=x", "http://u:p@a"] {
            assert!(refusal(|config| config.url = bad.into()).unwrap().contains("http"), "{bad}");
        }
        let tls = refusal(|config| config.url = "https://a".into());
        assert_eq!(tls.is_none(), cfg!(feature = "influxdb-tls"));
        assert!(refusal(|config| config.bucket.clear()).unwrap().contains("bucket"));
        assert!(refusal(|config| config.token = "a b".into()).unwrap().contains("token"));
        assert!(refusal(|config| config.lines_per_request = 0).unwrap().contains("one line"));
    }

    #[test]
    fn the_identity_tells_buckets_apart_and_no_secrets() {
        let identity = |url: &str, org: &str, bucket: &str, token: &str| {
            let (url, org, bucket, token) = (url.into(), org.into(), bucket.into(), token.into());
            InfluxConfig { url, org, bucket, token, ..InfluxConfig::default() }.identity()
        };
        let one = identity("http://db:8086", "o", "b", "s3cret");
        assert_eq!(one, identity("http://DB:8086/", "o", "b", "another"));
        assert_eq!(identity("http://u:s3cret@db:8086/?p=s3cret", "o", "b", ""), one);
        for other in [("http://db:8087", "o", "b"), ("http://db2:8086", "o", "b"), ("http://db:8086", "o", "b2")] {
            assert_ne!(identity(other.0, other.1, other.2, ""), one);
        }
        assert_ne!(identity("http://db:8086", "a\" \"b", "c", ""), identity("http://db:8086", "a", "b\" \"c", ""));
        assert!(!one.contains("s3cret"), "{one}");
        assert!(refusal(|config| config.bucket = "b".repeat(500)).unwrap().contains("bytes"));
    }

    #[test]
    fn the_token_is_not_shown() {
        let config = InfluxConfig { token: "s3cret".into(), ..InfluxConfig::default() };
        assert!(!format!("{config:?}").contains("s3cret"));
    }
}
