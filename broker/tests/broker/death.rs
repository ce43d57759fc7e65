//! What must not be taken for death.

use std::time::Duration;

use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::support::{BrokerProcess, client, publish};

/// A stop waits for clients that take their time, two seconds at most.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Everybody reconnects at once after a cut: the watchdog must not take that for death.
#[tokio::test]
async fn a_storm_of_connections_is_survived() {
    const AGENTS: usize = 500;
    let broker = BrokerProcess::start(&["--watchdog-interval-ms", "100"]).await;
    let mut storm = JoinSet::new();
    for agent in 0..AGENTS {
        let (client, mut events) = client(&format!("agent-{agent}"), broker.address);
        storm.spawn(async move {
            let topic = format!("fogline/v1/north/agent-{agent}/up/hello");
            publish(&client, &mut events, &topic, b"{}").await;
            (client, events)
        });
    }
    let connected = storm.join_all().await;
    assert_eq!(connected.len(), AGENTS);
    broker.signal(Signal::TERM);
    let (status, log) = broker.ended(AT_ONCE).await;
    assert!(status.success() && !log.contains("WARN"), "{log}");
}
