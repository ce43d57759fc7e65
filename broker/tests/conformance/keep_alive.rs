//! Keep-alive: 3.1.2.10 of MQTT 3.1.1 and of MQTT 5, in one file because its rules wait, and wait together.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    connect::{Connect, Will},
    message::Message,
    property::{SERVER_KEEP_ALIVE, number},
    target::{Broker, Target},
};

rules! {
    keep_alive_is_kept;
    a_long_keep_alive_is_taken_or_shortened;
}

together! {
    /// 3.1.2.10
    keep_alive_is_kept =
        a_silent_client_is_disconnected,
        a_silent_client_of_mqtt_5_is_told_and_disconnected,
        what_the_server_sends_keeps_nothing_alive,
        any_packet_keeps_alive,
        keep_alive_0_never_ends,
}

/// The keep-alive of the tests, in seconds; the standard's end is one and a half times that.
const KEEP_ALIVE: u16 = 1;
/// Not before this. Servers may look at the clock in whole seconds, which takes up to one off, but the keep-alive is granted.
const EARLIEST: Duration = Duration::from_millis(1000);
/// Longer than any keep-alive of the tests lasts.
const LONG: Duration = Duration::from_millis(2500);

/// Nor after this: one and a half times, whole seconds, and how often a server looks, on a loaded machine.
fn latest(broker: Broker) -> Duration {
    match broker.target {
        Target::Gate => Duration::from_secs(4),
        // It looks every five seconds.
        Target::Mosquitto => Duration::from_secs(9),
    }
}

/// [MQTT-3.1.2-24], and the will is published.
async fn a_silent_client_is_disconnected(broker: Broker) {
    let topic = broker.unique("silent");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let connect = Connect::new(&topic).keep_alive(KEEP_ALIVE).will(Will::new(&topic, "silent"));
    let start = Instant::now();
    let mut client = Client::connect(broker, &connect).await;
    client.expect_closed().await;
    let silent_for = start.elapsed();
    assert!((EARLIEST..latest(broker)).contains(&silent_for), "closed after {silent_for:?}");
    assert_eq!(watcher.message().await, Message::new(&topic, "silent"));
}

/// MQTT 5, [MQTT-3.1.2-22]: with 0x8D.
async fn a_silent_client_of_mqtt_5_is_told_and_disconnected(broker: Broker) {
    let start = Instant::now();
    let connect = Connect::v5(&broker.unique("silent"), &[]).keep_alive(KEEP_ALIVE);
    let (mut client, connack) = Client::connect5(broker, &connect).await;
    assert_eq!(number(&connack.properties, SERVER_KEEP_ALIVE), None, "the test is about the client's own");
    client.expect_disconnect(&[0x8d]).await;
    let silent_for = start.elapsed();
    assert!((EARLIEST..latest(broker)).contains(&silent_for), "closed after {silent_for:?}");
}

/// [MQTT-3.1.2-24] counts what the client sends.
async fn what_the_server_sends_keeps_nothing_alive(broker: Broker) {
    let topic = broker.unique("listener");
    let mut publisher = Client::clean(broker).await;
    let start = Instant::now();
    let mut client = Client::connect(broker, &Connect::new(&topic).keep_alive(KEEP_ALIVE)).await;
    client.subscribe(&topic, 0).await;
    let publishing = async {
        loop {
            publisher.send(Message::new(&topic, "news").bytes()).await;
            sleep(Duration::from_millis(200)).await;
        }
    };
    let closing = async { while client.next().await.is_some() {} };
    tokio::select! {
        () = closing => {}
        () = publishing => {}
    }
    let silent_for = start.elapsed();
    assert!((EARLIEST..latest(broker)).contains(&silent_for), "closed after {silent_for:?}");
}

/// [MQTT-3.1.2-24]: PINGREQ and PUBLISH alike.
async fn any_packet_keeps_alive(broker: Broker) {
    let topic = broker.unique("alive");
    let connect = || Connect::new(&broker.unique("alive")).keep_alive(KEEP_ALIVE);
    let mut pinging = Client::connect(broker, &connect()).await;
    let mut publishing = Client::connect(broker, &connect()).await;
    let start = Instant::now();
    while start.elapsed() < LONG {
        pinging.ping().await;
        publishing.send(Message::new(&topic, "news").bytes()).await;
        sleep(Duration::from_millis(300)).await;
    }
    publishing.ping().await;
}

/// 3.1.2.10: 0 turns it off.
async fn keep_alive_0_never_ends(broker: Broker) {
    let mut client = Client::connect(broker, &Connect::new(&broker.unique("patient"))).await;
    sleep(LONG).await;
    client.ping().await;
}

/// MQTT 5, [MQTT-3.2.2-21], [MQTT-3.1.2-21]: if the server tells its own, then not a longer one, and not for ever.
async fn a_long_keep_alive_is_taken_or_shortened(broker: Broker) {
    let connect = Connect::v5(&broker.unique("long"), &[]).keep_alive(u16::MAX);
    let (mut client, connack) = Client::connect5(broker, &connect).await;
    if let Some(seconds) = number(&connack.properties, SERVER_KEEP_ALIVE) {
        assert!((1..usize::from(u16::MAX)).contains(&seconds), "{connack:?}");
    }
    client.ping().await;
}
