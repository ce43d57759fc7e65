//! Sessions, how long they last, and who takes them over: MQTT 5, 3.1.2.4, 3.1.2.11.2, 3.1.4 and 4.1.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    client::Client,
    client5::{MALFORMED_OR_PROTOCOL_ERROR, disconnect},
    connect::{Connect, Will},
    message::Message,
    property::{SESSION_EXPIRY, Value, user},
    target::Broker,
};

rules! {
    without_an_expiry_a_session_ends_with_its_connection;
    with_an_expiry_a_session_waits;
    sessions_expire;
    the_longest_expiry_is_taken;
    a_clean_start_discards_the_old_session_and_keeps_the_new;
    a_farewell_can_end_the_session;
    a_farewell_cannot_bring_a_session_to_life;
    a_later_connection_sets_the_expiry_anew;
    a_takeover_tells_the_older_connection;
    a_takeover_by_the_other_version_ends_the_older_connection;
    messages_wait_for_a_session_with_an_expiry;
    unacknowledged_messages_come_again;
    what_comes_again_has_its_properties;
}

together! {
    /// 3.1.2.11.2
    sessions_expire = a_session_ends_when_its_expiry_has_passed, a_farewell_can_keep_the_session_for_longer,
}

/// Longer than the expiry of one second that the tests wait for, in whole seconds, and how often a server looks.
const AFTER_EXPIRY: Duration = Duration::from_millis(2500);

fn expiring(id: &str, seconds: u32) -> Connect {
    Connect::v5(id, &[(SESSION_EXPIRY, Value::Four(seconds))]).persistent()
}

/// [MQTT-4.1.0-2], [MQTT-3.2.2-3]
async fn without_an_expiry_a_session_ends_with_its_connection(broker: Broker) {
    let topic = broker.unique("end");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, 0).await;
    for connect in [Connect::v5(&broker.unique("short"), &[]).persistent(), expiring(&broker.unique("zero"), 0)] {
        Client::session5(broker, &connect, false).await.disconnect().await;
        // The will tells when the server has heard of the reset; before, the next connection would be a takeover.
        let mortal = connect.clone().will(Will::new(&topic, "gone"));
        Client::session5(broker, &mortal, false).await.reset();
        assert_eq!(watcher.message().await.text(), "gone");
        Client::session5(broker, &connect, false).await.disconnect().await;
    }
}

/// [MQTT-3.1.2-5], [MQTT-3.1.2-23], [MQTT-3.2.2-3]
async fn with_an_expiry_a_session_waits(broker: Broker) {
    let topic = broker.unique("wait");
    let connect = expiring(&broker.unique("wait"), 60);
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 1).await;
    client.disconnect().await;
    let mut client = Client::session5(broker, &connect, true).await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "kept")).await;
    assert_eq!(client.payloads(1).await, ["kept"]);
}

/// [MQTT-4.1.0-2], 3.1.2.11.2
async fn a_session_ends_when_its_expiry_has_passed(broker: Broker) {
    let connect = expiring(&broker.unique("expire"), 1);
    Client::session5(broker, &connect, false).await.disconnect().await;
    sleep(AFTER_EXPIRY).await;
    Client::session5(broker, &connect, false).await.disconnect().await;
}

/// 3.1.2.11.2: for ever.
async fn the_longest_expiry_is_taken(broker: Broker) {
    let connect = expiring(&broker.unique("ever"), u32::MAX);
    Client::session5(broker, &connect, false).await.disconnect().await;
    let client = Client::session5(broker, &connect, true).await;
    client.disconnect().await;
}

/// [MQTT-3.1.2-4], [MQTT-3.2.2-2]
async fn a_clean_start_discards_the_old_session_and_keeps_the_new(broker: Broker) {
    let topic = broker.unique("discard");
    let connect = expiring(&broker.unique("discard"), 60);
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 1).await;
    client.disconnect().await;
    Client::session5(broker, &connect.clone().clean(), false).await.disconnect().await;
    let mut client = Client::session5(broker, &connect, true).await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "unheard")).await;
    client.expect_silence().await;
}

/// 3.14.2.2.2
async fn a_farewell_can_end_the_session(broker: Broker) {
    let connect = expiring(&broker.unique("end"), 60);
    let mut client = Client::session5(broker, &connect, false).await;
    client.send(disconnect(0, &[(SESSION_EXPIRY, Value::Four(0))])).await;
    client.expect_closed().await;
    Client::session5(broker, &connect, false).await.disconnect().await;
}

/// 3.14.2.2.2
async fn a_farewell_can_keep_the_session_for_longer(broker: Broker) {
    let connect = expiring(&broker.unique("longer"), 1);
    let mut client = Client::session5(broker, &connect, false).await;
    client.send(disconnect(0, &[(SESSION_EXPIRY, Value::Four(60))])).await;
    client.expect_closed().await;
    sleep(AFTER_EXPIRY).await;
    Client::session5(broker, &connect, true).await.disconnect().await;
}

/// 3.14.2.2.2: from 0 to another value is a protocol error.
async fn a_farewell_cannot_bring_a_session_to_life(broker: Broker) {
    let connect = expiring(&broker.unique("life"), 0);
    let mut client = Client::session5(broker, &connect, false).await;
    client.send(disconnect(0, &[(SESSION_EXPIRY, Value::Four(60))])).await;
    client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
    Client::session5(broker, &connect, false).await.disconnect().await;
}

/// 3.1.2.11.2: the connection's expiry, not the session's first one.
async fn a_later_connection_sets_the_expiry_anew(broker: Broker) {
    let id = broker.unique("anew");
    Client::session5(broker, &expiring(&id, 60), false).await.disconnect().await;
    Client::session5(broker, &expiring(&id, 0), true).await.disconnect().await;
    Client::session5(broker, &expiring(&id, 60), false).await.disconnect().await;
}

/// [MQTT-3.1.4-3]: with 0x8E.
async fn a_takeover_tells_the_older_connection(broker: Broker) {
    let connect = expiring(&broker.unique("taken"), 60);
    let mut older = Client::session5(broker, &connect, false).await;
    let mut newer = Client::session5(broker, &connect, true).await;
    older.expect_disconnect(&[0x8e]).await;
    let mut clean = Client::session5(broker, &connect.clean(), false).await;
    newer.expect_disconnect(&[0x8e]).await;
    clean.ping().await;
}

/// [MQTT-4.5.0-1]
async fn messages_wait_for_a_session_with_an_expiry(broker: Broker) {
    let topic = broker.unique("offline");
    let connect = expiring(&broker.unique("offline"), 60);
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 2).await;
    client.disconnect().await;
    let mut publisher = Client::clean5(broker, &[]).await;
    publisher.publish_all(1, ["1", "2"].map(|payload| Message::new(&topic, payload))).await;
    publisher.publish_all(2, ["3", "4"].map(|payload| Message::new(&topic, payload))).await;
    let mut client = Client::session5(broker, &connect, true).await;
    assert_eq!(client.payloads(4).await, ["1", "2", "3", "4"]);
}

/// [MQTT-4.4.0-1], [MQTT-3.3.1-1]
async fn unacknowledged_messages_come_again(broker: Broker) {
    let topic = broker.unique("again");
    let connect = expiring(&broker.unique("again"), 60);
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 1).await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "again")).await;
    let held = client.message().await;
    client.reset();
    let mut client = Client::session5(broker, &connect, true).await;
    assert_eq!(client.acknowledged().await, held.dup());
    client.expect_silence().await;
}

/// [MQTT-3.1.4-3], and of MQTT 3.1.1 [MQTT-3.1.4-2]: the identifier decides, and each hears its end in its own version.
async fn a_takeover_by_the_other_version_ends_the_older_connection(broker: Broker) {
    let id = broker.unique("versions");
    let mut four = Client::connect(broker, &Connect::new(&id)).await;
    let mut five = Client::session5(broker, &Connect::v5(&id, &[]), false).await;
    four.expect_closed().await;
    let mut four = Client::connect(broker, &Connect::new(&id)).await;
    five.expect_disconnect(&[0x8e]).await;
    four.ping().await;
}

/// [MQTT-4.4.0-1]
async fn what_comes_again_has_its_properties(broker: Broker) {
    let topic = broker.unique("again");
    let connect = expiring(&broker.unique("again"), 60);
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 2).await;
    let properties = [user("b", "1"), user("a", "2")];
    Client::clean5(broker, &[]).await.publish_all(2, [Message::new(&topic, "again").v5(&properties)]).await;
    client.message().await;
    client.reset();
    let message = Client::session5(broker, &connect, true).await.acknowledged().await;
    assert_eq!((message.dup, message.properties()), (true, properties.to_vec()));
}
