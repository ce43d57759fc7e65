//! All agents of a large site come back at once.

use std::time::{Duration, Instant};

use fogline_broker::access::Role;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;

use crate::{
    client::log_in,
    model::Who,
    site::{Files, Site, users},
    wire::Version,
};

/// The size of a large site.
const AGENTS: usize = 5_000;
const WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_agents_log_in_within_seconds() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let agents: Vec<_> = (0..AGENTS).map(|n| Who::new(&format!("a{n}"), Role::Agent, "north")).collect();
    let site = Site::with(Files::new(&users(&agents), "")).await;
    let address = site.address();
    let start = Instant::now();
    let mut arriving = JoinSet::new();
    for who in agents {
        arriving.spawn(async move { log_in(address, Version::V311, &who.name).await });
    }
    let connected = arriving.join_all().await;
    let took = start.elapsed();
    assert_eq!(connected.len(), AGENTS);
    assert!(took < WITHIN, "{AGENTS} agents took {took:?}");
    let page = site.broker.metrics();
    assert!(page.contains(&format!("clients{{state=\"connected\"}} {AGENTS}\n")), "{page}");
}
