//! The gate under attack, and what must be true of it afterwards.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr},
    panic,
    sync::{
        Once,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use fogline_broker::{Broker, BrokerConfig};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{sleep, timeout},
};

use crate::wire::{PATIENCE, Version, serves};

/// How often it is looked whether something has happened.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Memory and times are those of the whole process, so one test runs at a time.
static ALONE: Mutex<()> = Mutex::const_new(());
static COUNTING: Once = Once::new();
static PANICS: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Site {
    broker: Broker,
    panics_before: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(BrokerConfig::default()).await
    }

    pub(crate) async fn with(config: BrokerConfig) -> Self {
        let alone = ALONE.lock().await;
        allow_many_sockets();
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let broker = Broker::start(BrokerConfig { listen: Some(listen), ..config }).await.unwrap();
        // After the broker has installed its own, which keeps its panics to itself.
        COUNTING.call_once(count_panics);
        Self { broker, panics_before: PANICS.load(Ordering::Relaxed), _alone: alone }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.broker.local_addr()
    }

    /// The value of a line of the page of metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = self.broker.metrics();
        let value =
            page.lines().find_map(|line| line.strip_prefix("fogline_broker_")?.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }

    /// Waits until a metric is as it should be.
    pub(crate) async fn settles(&self, name: &str, wanted: impl Fn(u64) -> bool) {
        let settled = async {
            while !wanted(self.metric(name)) {
                sleep(LOOK_AGAIN).await
            }
        };
        assert!(timeout(PATIENCE, settled).await.is_ok(), "{name} is {}", self.metric(name));
    }

    /// Newcomers are served, nothing has panicked, and the router lives.
    pub(crate) async fn is_well(&self) {
        for version in [Version::V311, Version::V5] {
            assert!(serves(self.address(), version, PATIENCE).await, "no round trip over {version:?}");
        }
        let failed = timeout(Duration::ZERO, self.broker.failed()).await;
        assert!(failed.is_err(), "{failed:?}");
        assert_eq!(PANICS.load(Ordering::Relaxed), self.panics_before, "panics");
    }

    /// When all clients are gone, nothing of them is left but the sessions they wanted kept.
    pub(crate) async fn is_empty(&self) {
        self.is_well().await;
        for name in ["clients{state=\"handshaking\"}", "clients{state=\"connected\"}"] {
            self.settles(name, |count| count == 0).await;
        }
        if self.metric("clients{state=\"asleep\"}") == 0 {
            for name in ["client_ids", "subscriptions", "waiting_bytes", "intake_waiting"] {
                self.settles(name, |count| count == 0).await;
            }
        }
    }
}

/// A panic on a thread of a broker is one too many.
fn count_panics() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let of_a_broker =
            |name: &str| ["mqtt-", "router-", "links-", "watchdog"].iter().any(|role| name.starts_with(role));
        if thread::current().name().is_some_and(of_a_broker) {
            PANICS.fetch_add(1, Ordering::Relaxed);
            eprintln!("{info}");
        }
        previous(info);
    }));
}

/// Both ends of each connection are in this process.
fn allow_many_sockets() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// Whether `FOGLINE_LONG_TESTS` asks for more than a minute.
pub(crate) fn long() -> bool {
    env::var("FOGLINE_LONG_TESTS").is_ok_and(|long| long == "1")
}

/// The first, or the second in a long run.
pub(crate) fn scale<T>(normal: T, long_run: T) -> T {
    if long() { long_run } else { normal }
}

/// Resident memory of this process, clients included.
pub(crate) fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
