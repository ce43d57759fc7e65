//! Wills with properties and a delay: MQTT 5, 3.1.3.2.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::{
    client::Client,
    client5::disconnect,
    connect::{Connect, Will},
    property::{
        CONTENT_TYPE, CORRELATION_DATA, MESSAGE_EXPIRY, PAYLOAD_FORMAT, RESPONSE_TOPIC, SESSION_EXPIRY, USER_PROPERTY,
        Value, WILL_DELAY, all, number, user,
    },
    target::Broker,
};

rules! {
    a_will_has_its_properties;
    a_will_without_delay_is_published_at_once;
    delayed_wills_wait;
    a_delayed_will_is_published_when_the_session_ends except(Mosquitto, "it publishes that will late or never");
    a_clean_start_publishes_a_delayed_will except(Mosquitto, "it publishes that will late or never");
    a_takeover_without_delay_publishes_the_will except(Mosquitto, "it drops the will of a session that goes on");
}

together! {
    /// What happens within the delay and after it.
    delayed_wills_wait =
        a_delayed_will_waits,
        a_client_that_comes_back_in_time_has_no_will_published,
        a_delayed_will_is_published_when_the_session_expires,
        a_farewell_discards_a_delayed_will,
        a_farewell_with_will_delays_it_too,
}

/// Longer than a delay of one second, in whole seconds.
const PAST_A_SECOND: Duration = Duration::from_millis(2500);

/// A watcher, and a CONNECT with a will of this delay in a session of this expiry.
async fn mortal(broker: Broker, delay: u32, expiry: u32) -> (Client, Connect) {
    let topic = broker.unique("will");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, 0).await;
    let will = Will::new(&topic, "gone").properties(&[(WILL_DELAY, Value::Four(delay))]);
    let connect = Connect::v5(&broker.unique("mortal"), &[(SESSION_EXPIRY, Value::Four(expiry))]);
    (watcher, connect.persistent().will(will))
}

/// The will comes, and not before the second of its delay has passed.
async fn comes_after_a_second(watcher: &mut Client, start: Instant) {
    assert_eq!(watcher.message().await.text(), "gone");
    // Servers may count in whole seconds, so the delay may begin up to one earlier.
    assert!(start.elapsed() > Duration::from_millis(200), "published after {:?}", start.elapsed());
}

/// 3.1.3.2, [MQTT-3.1.2-9], [MQTT-3.1.3-10]: all but the delay.
async fn a_will_has_its_properties(broker: Broker) {
    let topic = broker.unique("will");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, 0).await;
    let properties = [
        (PAYLOAD_FORMAT, Value::Byte(1)),
        (CONTENT_TYPE, Value::text("text/plain")),
        (RESPONSE_TOPIC, Value::text("answers")),
        (CORRELATION_DATA, Value::text(b"\x00\xff")),
        user("b", "1"),
        user("a", "2"),
    ];
    let hidden = [(WILL_DELAY, Value::Four(0)), (MESSAGE_EXPIRY, Value::Four(60))];
    let will = Will::new(&topic, "gone").properties(&[&hidden[..], &properties].concat());
    drop(Client::connect5(broker, &Connect::v5(&topic, &[]).will(will)).await);
    let got = watcher.message().await.properties();
    for (id, _) in &properties {
        assert_eq!(all(&got, *id), all(&properties, *id), "property {id:#x}");
    }
    assert_eq!(all(&got, USER_PROPERTY).len(), 2);
    assert!(number(&got, MESSAGE_EXPIRY).is_some_and(|seconds| seconds <= 60), "{got:?}");
    assert_eq!(all(&got, WILL_DELAY), []);
}

/// 3.1.3.2.2: a delay of 0, while the session lives on.
async fn a_will_without_delay_is_published_at_once(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 0, 60).await;
    Client::session5(broker, &connect, false).await.reset();
    assert_eq!(watcher.message().await.text(), "gone");
}

/// 3.1.3.2.2, [MQTT-3.1.2-8]
async fn a_delayed_will_waits(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 1, 60).await;
    let client = Client::session5(broker, &connect, false).await;
    let start = Instant::now();
    client.reset();
    comes_after_a_second(&mut watcher, start).await;
}

/// [MQTT-3.1.3-9]
async fn a_client_that_comes_back_in_time_has_no_will_published(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 2, 60).await;
    Client::session5(broker, &connect, false).await.reset();
    let client = Client::session5(broker, &connect, true).await;
    sleep(PAST_A_SECOND + Duration::from_secs(1)).await;
    watcher.expect_silence().await;
    client.disconnect().await;
}

/// 3.1.3.2.2: the session ends first, with its connection.
async fn a_delayed_will_is_published_when_the_session_ends(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 60, 0).await;
    Client::session5(broker, &connect, false).await.reset();
    assert_eq!(watcher.message().await.text(), "gone");
}

/// 3.1.3.2.2: the session ends first, a second later.
async fn a_delayed_will_is_published_when_the_session_expires(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 60, 1).await;
    let client = Client::session5(broker, &connect, false).await;
    let start = Instant::now();
    client.reset();
    comes_after_a_second(&mut watcher, start).await;
}

/// [MQTT-3.1.4-4], 3.1.3.2.2: it ends the session.
async fn a_clean_start_publishes_a_delayed_will(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 60, 60).await;
    Client::session5(broker, &connect, false).await.reset();
    let client = Client::session5(broker, &connect.clone().clean(), false).await;
    assert_eq!(watcher.message().await.text(), "gone");
    client.disconnect().await;
    watcher.expect_silence().await;
}

/// [MQTT-3.1.4-3], [MQTT-3.1.2-8]
async fn a_takeover_without_delay_publishes_the_will(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 0, 60).await;
    let mut older = Client::session5(broker, &connect, false).await;
    let newer = Client::session5(broker, &connect, true).await;
    older.expect_disconnect(&[0x8e]).await;
    assert_eq!(watcher.message().await.text(), "gone");
    newer.disconnect().await;
    watcher.expect_silence().await;
}

/// [MQTT-3.14.4-3]
async fn a_farewell_discards_a_delayed_will(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 1, 60).await;
    Client::session5(broker, &connect, false).await.disconnect().await;
    sleep(PAST_A_SECOND).await;
    watcher.expect_silence().await;
}

/// 3.14.2.1, 3.1.3.2.2
async fn a_farewell_with_will_delays_it_too(broker: Broker) {
    let (mut watcher, connect) = mortal(broker, 1, 60).await;
    let mut client = Client::session5(broker, &connect, false).await;
    let start = Instant::now();
    client.send(disconnect(4, &[])).await;
    client.expect_closed().await;
    comes_after_a_second(&mut watcher, start).await;
}
