//! The task that looks and writes.

use super::changes::{Changes, EVENTS_MAX, Event};
use super::lines::{self, Region};
use super::tally::{AGENTS_MAX, Share, Tallied, Tally};
use crate::live::Vitals;
use crate::store::query::{HeardRow, StoreReader};
use crate::store::{InfluxConfig, NotTaken, SideWriter, StoreError};
use bytes::Bytes;
use fogline_protocol::ids::AgentId;
use fogline_protocol::node::Counters;
use fogline_protocol::time::Wall;
use fogline_protocol::wire::Role;
use fogline_runtime::clock;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

/// A failover takes some seconds: looked for less often it would not be where it was.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// As often as agents say how they are: 10 s.
const LOOKS_PER_WRITE: u32 = 10;
/// Lines of a request, as InfluxDB's documentation advises.
const LINES_PER_REQUEST: usize = 5000;
/// Of an agent that was silent for longer nobody wants to be told every 10 s.
const HEARD_WITHIN: Duration = Duration::from_secs(86_400);

/// What became of the points, since the start.
#[derive(Debug, Default)]
pub(crate) struct TelemetryCounts {
    written: AtomicU64,
    dropped: AtomicU64,
}

impl TelemetryCounts {
    /// In the text format of Prometheus.
    pub(crate) fn metrics(&self) -> String {
        let mut out = String::new();
        let counts = [
            ("fogline_ingest_telemetry_points_total", "Points for boards, written to InfluxDB.", &self.written),
            ("fogline_ingest_telemetry_dropped_total", "Points for boards that could not be written.", &self.dropped),
        ];
        for (name, help, count) in counts {
            let count = count.load(Ordering::Relaxed);
            // Writing into a String cannot fail.
            writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {count}").ok();
        }
        out
    }
}

/// The task. It ends when this is dropped.
pub(crate) struct Telemetry {
    /// For the shell.
    pub(crate) tally: Arc<Mutex<Tally>>,
    /// For the metrics.
    pub(crate) counts: Arc<TelemetryCounts>,
    task: JoinHandle<()>,
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Telemetry {
    /// Starts it. It reads who was heard when from the state in `database`.
    ///
    /// # Errors
    /// [`StoreError::Config`], when the database's address is none.
    pub(crate) fn start(vitals: Vitals, config: &InfluxConfig, database: PathBuf) -> Result<Self, StoreError> {
        let (tally, counts) = (Arc::<Mutex<Tally>>::default(), Arc::<TelemetryCounts>::default());
        let writing = Writing {
            changes: Changes::new(vitals.ingester.clone(), vitals.brokers.clone()),
            vitals,
            database,
            writer: config.side_writer()?,
            tally: Arc::clone(&tally),
            counts: Arc::clone(&counts),
            events: VecDeque::new(),
            before: Counters::default(),
        };
        Ok(Self { tally, counts, task: tokio::spawn(writing.run()) })
    }
}

struct Writing {
    vitals: Vitals,
    database: PathBuf,
    writer: SideWriter,
    tally: Arc<Mutex<Tally>>,
    counts: Arc<TelemetryCounts>,
    changes: Changes,
    /// That are not written yet.
    events: VecDeque<Event>,
    /// What was counted up to the newest points.
    before: Counters,
}

impl Writing {
    async fn run(mut self) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in (0..LOOKS_PER_WRITE).cycle() {
            looks.tick().await;
            let found = self.changes.look(&self.vitals.snapshots.borrow(), clock::wall());
            self.keep(found);
            if look + 1 == LOOKS_PER_WRITE {
                self.write().await;
            }
        }
    }

    async fn write(&mut self) {
        let now = clock::wall();
        let Tallied { agents, events, missed } = self.tally.lock().unwrap_or_else(PoisonError::into_inner).look();
        self.keep(events);
        self.counts.dropped.fetch_add(missed, Ordering::Relaxed);
        let mut lines = vec![self.own(now)];
        // One that stands by has the state, and no say in it.
        if self.vitals.leading().role == Role::Leading {
            lines.extend(of_agents(&agents, &heard(self.database.clone(), now).await, now));
        }
        for request in lines.chunks(LINES_PER_REQUEST) {
            let written = self.writer.write(Bytes::from(request.concat())).await.is_ok();
            let count = if written { &self.counts.written } else { &self.counts.dropped };
            count.fetch_add(request.len() as u64, Ordering::Relaxed);
        }
        self.write_events().await;
    }

    /// They stay until they are written, or refused for good.
    async fn write_events(&mut self) {
        let mut body = Vec::new();
        for (nth, event) in self.events.iter().enumerate() {
            lines::event(&mut body, &self.vitals.ingester, event, nth);
        }
        if self.events.is_empty() {
            return;
        }
        let count = match self.writer.write(Bytes::from(body)).await {
            Ok(()) => &self.counts.written,
            Err(NotTaken::Ever) => &self.counts.dropped,
            Err(NotTaken::Now) => return,
        };
        count.fetch_add(self.events.len() as u64, Ordering::Relaxed);
        self.events.clear();
    }

    /// The oldest go first when there are too many.
    fn keep(&mut self, events: Vec<Event>) {
        self.events.extend(events);
        let over = self.events.len().saturating_sub(EVENTS_MAX);
        self.events.drain(..over);
        self.counts.dropped.fetch_add(over as u64, Ordering::Relaxed);
    }

    fn own(&mut self, now: Wall) -> Vec<u8> {
        let latency = {
            let mut meter = self.vitals.meter.lock().unwrap_or_else(PoisonError::into_inner);
            meter.latency(tokio::time::Instant::now())
        };
        let site = self.vitals.snapshots.borrow().clone();
        let ingester = lines::Ingester {
            name: &self.vitals.ingester,
            site: &site,
            before: &self.before,
            latency_ms: latency.map(|latency| (latency.p50, latency.p99)),
            dropped: self.counts.dropped.load(Ordering::Relaxed),
        };
        let mut line = Vec::new();
        lines::ingester(&mut line, &ingester, now);
        self.before = site.cloud.counters;
        line
    }
}

/// A line of each agent and of each region.
fn of_agents(tallied: &BTreeMap<AgentId, Share>, heard: &BTreeMap<AgentId, HeardRow>, now: Wall) -> Vec<Vec<u8>> {
    let (mut lines, mut regions, none) = (Vec::new(), BTreeMap::<&str, Region>::new(), Share::default());
    for (agent, share, row) in lines::shares_of(tallied, heard) {
        let mut line = Vec::new();
        lines::delivery(&mut line, agent, share.unwrap_or(&none), row.map(|row| Wall::from_us(row.heard_us)), now);
        lines.push(line);
        if let Some(row) = row {
            regions.entry(agent.region.as_str()).or_default().add(row, share, now);
        }
    }
    lines.extend(regions.into_iter().map(|(name, region)| {
        let mut line = Vec::new();
        lines::fleet(&mut line, name, &region, now);
        line
    }));
    lines
}

/// Who was heard when. Nobody, when the state cannot be read: the next time will do.
async fn heard(database: PathBuf, now: Wall) -> BTreeMap<AgentId, HeardRow> {
    let since = now - HEARD_WITHIN;
    let read = move || StoreReader::open(&database).ok()?.heard(since, AGENTS_MAX).ok();
    tokio::task::spawn_blocking(read).await.ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::changes::Sort;
    use super::*;
    use crate::live::Meter;
    use fogline_protocol::ids::Name;
    use fogline_protocol::node::{CloudConfig, SiteConfig, SiteNode, SiteSnapshot};
    use fogline_runtime::clock::Clock;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::sync::watch;

    fn writing(address: &str) -> Writing {
        let now = Clock::new().now();
        let node = SiteNode::new(SiteConfig::new(CloudConfig::new(Name::new("i1").unwrap(), 1)), now);
        let site = SiteSnapshot { role: Role::Leading, ..node.snapshot(now.mono) };
        let (_, snapshots) = watch::channel(site);
        let meter = Arc::new(Mutex::new(Meter::new(tokio::time::Instant::now())));
        let config = InfluxConfig { url: format!("http://{address}"), ..InfluxConfig::default() };
        Writing {
            vitals: Vitals { ingester: "i1".into(), brokers: Vec::new(), snapshots, meter },
            database: PathBuf::from("/nowhere"),
            writer: config.side_writer().unwrap(),
            tally: Arc::default(),
            counts: Arc::default(),
            changes: Changes::default(),
            events: VecDeque::new(),
            before: Counters::default(),
        }
    }

    fn event(n: usize) -> Event {
        Event { at: Wall::from_us(1), sort: Sort::Fault, agent: None, text: n.to_string() }
    }

    fn counts(writing: &Writing) -> (u64, u64) {
        (writing.counts.written.load(Ordering::Relaxed), writing.counts.dropped.load(Ordering::Relaxed))
    }

    /// Answers each request so.
    async fn server(status: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut request = [0; 4096];
                assert!(client.read(&mut request).await.unwrap() > 0);
                client.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
            }
        });
        address
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_dropped_and_events_wait_so_many() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
        let mut writing = writing(&closed);
        writing.keep((0..EVENTS_MAX + 3).map(event).collect());
        writing.write().await;
        assert_eq!(counts(&writing), (0, 4), "three events, and the ingester's own point");
        assert_eq!(writing.events.len(), EVENTS_MAX);
        assert_eq!(writing.events[0], event(3), "the newest are kept");
    }

    #[tokio::test]
    async fn events_that_are_written_or_refused_for_good_are_done_with() {
        for (status, expected) in [("204 No Content", (2, 0)), ("400 Bad Request", (0, 2))] {
            let mut writing = writing(&server(status).await);
            writing.keep(vec![event(1)]);
            writing.write().await;
            assert_eq!(counts(&writing), expected, "{status}");
            assert!(writing.events.is_empty(), "{status}");
        }
    }

    #[test]
    fn counts_are_metrics() {
        let page = TelemetryCounts::default().metrics();
        assert!(page.contains(
            "# TYPE fogline_ingest_telemetry_dropped_total counter\nfogline_ingest_telemetry_dropped_total 0\n"
        ));
    }
}
