//! All agents of a large site come back at once.

use std::time::{Duration, Instant};

use fogline_broker::access::Role;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    client::log_in,
    model::Who,
    site::{Files, Site, users},
    wire::{PATIENCE, Version},
};

/// The size of a large site.
const AGENTS: usize = 5_000;
/// How often it is looked whether all are counted.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
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
    // The last one is counted a moment after it has its answer.
    let all = format!("clients{{state=\"connected\"}} {AGENTS}\n");
    let counted = async {
        while !site.broker.metrics().contains(&all) {
            sleep(LOOK_AGAIN).await;
        }
    };
    timeout(PATIENCE, counted).await.expect("all are connected at the same time");
}
