//! When an ordinary client kills rumqttd, the program must end, in time and with the reason; and only then.

use std::time::Duration;

use rumqttc::QoS;
use rustix::process::Signal;
use tokio::task::JoinSet;

use crate::support::{BrokerProcess, client, fails, kill_router, publish};

/// The panic hook hears of a death at once.
const AT_ONCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_topic_that_kills_the_router_ends_the_program() {
    let broker = BrokerProcess::start(&[]).await;
    kill_router(broker.address).await;
    let (status, log) = broker.ended(AT_ONCE).await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("error: the router died") && log.contains("must be restarted"), "{log}");
}

#[tokio::test]
async fn a_filter_that_kills_the_router_ends_the_program() {
    let broker = BrokerProcess::start(&[]).await;
    let (client, mut events) = client("killer", broker.address);
    client.try_subscribe("über/#", QoS::AtLeastOnce).unwrap();
    fails(&mut events).await;
    let (status, log) = broker.ended(AT_ONCE).await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("error: the router died"), "{log}");
}

/// A client id that is refused again poisons the listener: it accepts, and answers nobody. Not every refusal does: rumqttd
/// closes the refused connection a moment before the trap is set. So the client tries until it has happened.
#[tokio::test]
async fn a_poisoned_listener_ends_the_program() {
    let broker = BrokerProcess::start(&["--watchdog-interval-ms", "200"]).await;
    let address = broker.address;
    let mut refused = JoinSet::new();
    refused.spawn(async move {
        loop {
            let (_client, mut events) = client("a+b", address);
            fails(&mut events).await;
        }
    });
    let (status, log) = broker.ended(AT_ONCE).await;
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("error: the listener died"), "{log}");
}

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
