//! Sends the lines of a commit and finds the bad ones.
//!
//! A refused request is halved until the bad lines stand alone; all suspects are halved in turn, so that when the requests
//! allowed for that are spent, few good lines are left among them. Then what is left goes whole to the dead letters.

use super::super::aggregates::Merged;
use super::super::dead::{DeadLetter, Reason};
use super::super::number::now_us;
use super::InfluxConfig;
use super::answer::Answer;
use super::chunk::{Chunks, Piece};
use super::lines;
use bytes::Bytes;
use fogline_protocol::store::{Commit, StoreFault};
use influxdb2::Client;
use influxdb2::api::write::TimestampPrecision;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

/// The most bytes of a request: less than what servers and proxies commonly take (InfluxDB 3: 10 MiB).
const BODY_MAX_BYTES: usize = 4 << 20;
/// A server that refuses even this little as too large is set up wrongly; every reading fits several times.
const BODY_MIN_BYTES: usize = 64 << 10;
/// The most requests of a commit that may look for bad lines: enough to find ten of them among 5,000.
pub(super) const SEARCH_REQUESTS_MAX: u32 = 256;

/// Writes commits to one bucket.
pub(super) struct Writer {
    client: Client,
    org: Arc<str>,
    bucket: Arc<str>,
    takes: Option<Arc<str>>,
    in_flight_max: usize,
    lines_max: usize,
    /// What the server takes, as far as it is known: lowered by each answer that says "too large".
    body_max: AtomicUsize,
}

impl Writer {
    pub(super) fn new(client: Client, config: &InfluxConfig) -> Self {
        Self {
            client,
            org: config.org.as_str().into(),
            bucket: config.bucket.as_str().into(),
            takes: config.takes.as_deref().map(Arc::from),
            in_flight_max: config.requests_in_flight,
            lines_max: config.lines_per_request,
            body_max: AtomicUsize::new(BODY_MAX_BYTES),
        }
    }

    /// Writes all lines of the commit; gives the readings that are refused for good. Requests that are under way when another
    /// fails are given up: all of them will be sent again.
    pub(super) async fn write(&self, commit: &Commit, merged: &[Merged<'_>]) -> Result<Vec<DeadLetter>, StoreFault> {
        let mut chunks = Chunks::new(commit, merged, self.takes.as_deref(), self.lines_max);
        let mut round = Round::default();
        loop {
            while round.under_way.len() < self.in_flight_max {
                let next = round.suspects.pop_front().or_else(|| chunks.next(self.body_max.load(Ordering::Relaxed)));
                let Some(piece) = next else { break };
                round.under_way.spawn(self.send(piece));
            }
            let Some(done) = round.under_way.join_next().await else { break };
            let (piece, answer) =
                done.map_err(|error| StoreFault::Transient(format!("a request was lost: {error}")))?;
            self.judge(&mut round, piece, answer).await?;
        }
        Ok(round.dead)
    }

    fn send(&self, piece: Piece) -> impl Future<Output = (Piece, Answer)> + Send + 'static {
        let request = post(self.client.clone(), Arc::clone(&self.org), Arc::clone(&self.bucket), piece.body());
        async move { (piece, request.await) }
    }

    async fn judge(&self, round: &mut Round, piece: Piece, answer: Answer) -> Result<(), StoreFault> {
        match answer {
            Answer::Written => Ok(()),
            Answer::Fault(fault) => Err(fault),
            Answer::TooLarge => self.halve(round, &piece),
            Answer::Refused(why) => {
                if !round.probed {
                    self.probe(&why).await?;
                    round.probed = true;
                }
                round.refused(&piece, &why);
                Ok(())
            }
        }
    }

    fn halve(&self, round: &mut Round, piece: &Piece) -> Result<(), StoreFault> {
        let bytes = piece.body().len();
        if bytes <= BODY_MIN_BYTES || piece.lines() < 2 {
            let why =
                format!("InfluxDB refuses a request of {bytes} bytes as too large: raise its limit, or the proxy's");
            return Err(StoreFault::Operator(why));
        }
        self.body_max.fetch_min((bytes / 2).max(BODY_MIN_BYTES), Ordering::Relaxed);
        round.suspects.extend(piece.halves());
        Ok(())
    }

    /// Before readings are blamed: would this server take anything? A proxy, or a wrong bucket, may answer 400 as well.
    async fn probe(&self, why: &str) -> Result<(), StoreFault> {
        let body = Bytes::from(lines::probe(now_us().saturating_mul(1000)));
        let client = self.client.clone();
        match post(client, Arc::clone(&self.org), Arc::clone(&self.bucket), body).await {
            Answer::Written => Ok(()),
            Answer::Fault(fault) => Err(fault),
            Answer::TooLarge | Answer::Refused(_) => {
                Err(StoreFault::Operator(format!("not even a test point is taken: {why}")))
            }
        }
    }
}

pub(super) async fn post(client: Client, org: Arc<str>, bucket: Arc<str>, body: Bytes) -> Answer {
    let nanoseconds = TimestampPrecision::Nanoseconds;
    client.write_line_protocol_with_precision(&org, &bucket, body, nanoseconds).await.into()
}

/// The state of one commit's writing.
struct Round {
    under_way: JoinSet<(Piece, Answer)>,
    /// Halves of what was refused or too large, oldest first.
    suspects: VecDeque<Piece>,
    dead: Vec<DeadLetter>,
    /// How many requests may still look for bad lines.
    search: u32,
    /// Whether the server is known to take good lines.
    probed: bool,
}

impl Default for Round {
    fn default() -> Self {
        Self {
            under_way: JoinSet::new(),
            suspects: VecDeque::new(),
            dead: Vec::new(),
            search: SEARCH_REQUESTS_MAX,
            probed: false,
        }
    }
}

impl Round {
    fn refused(&mut self, piece: &Piece, why: &str) {
        if piece.lines() == 1 {
            self.bury(piece, Reason::Refused, why);
        } else if self.search >= 2 {
            self.search -= 2;
            self.suspects.extend(piece.halves());
        } else {
            self.bury(piece, Reason::Unresolved, why);
        }
    }

    fn bury(&mut self, piece: &Piece, reason: Reason, why: &str) {
        let detail: Arc<str> = why.into();
        let before = self.dead.len();
        self.dead.extend(piece.origins().map(|origin| DeadLetter {
            points: origin.points,
            seq: origin.seq,
            reason,
            detail: Arc::clone(&detail),
        }));
        let dashboards = piece.lines() - (self.dead.len() - before);
        tracing::warn!(
            readings = self.dead.len() - before,
            dashboards,
            ?reason,
            why,
            "the database refuses lines for good"
        );
    }
}
