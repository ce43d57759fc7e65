//! DISCONNECT by the client, and AUTH: MQTT 5, 3.14 and 3.15.

use crate::{
    client::Client,
    client5::{MALFORMED_OR_PROTOCOL_ERROR, disconnect},
    connect::{Connect, Will},
    packet::frame,
    property::{AUTHENTICATION_METHOD, REASON_STRING, SERVER_REFERENCE, Value, encode, user},
    target::Broker,
};

rules! {
    a_farewell_may_be_short_or_long;
    a_normal_farewell_discards_the_will;
    a_farewell_with_will_publishes_it;
    a_farewell_for_an_error_publishes_the_will except(Mosquitto, "it publishes the will for 0x04 only");
    a_malformed_farewell_publishes_the_will;
    a_server_reference_from_a_client_is_refused;
    auth_without_a_method_is_a_protocol_error;
}

/// A watcher of a new topic, and a client with a will there.
async fn mortal(broker: Broker) -> (Client, Client) {
    let topic = broker.unique("will");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, 0).await;
    let connect = Connect::v5(&broker.unique("mortal"), &[]).will(Will::new(&topic, "gone"));
    (watcher, Client::connect5(broker, &connect).await.0)
}

/// 3.14.2: without reason, without properties, and whole.
async fn a_farewell_may_be_short_or_long(broker: Broker) {
    let long = disconnect(0, &[(REASON_STRING, Value::text("done")), user("a", "b")]);
    for farewell in [vec![0xe0, 0], vec![0xe0, 1, 0], vec![0xe0, 2, 0, 0], long] {
        let (mut watcher, mut client) = mortal(broker).await;
        client.send(farewell).await;
        client.expect_closed().await;
        watcher.expect_silence().await;
    }
}

/// [MQTT-3.14.4-3], [MQTT-3.1.2-10]
async fn a_normal_farewell_discards_the_will(broker: Broker) {
    let (mut watcher, mut client) = mortal(broker).await;
    client.send(disconnect(0, &[])).await;
    client.expect_closed().await;
    watcher.expect_silence().await;
}

/// 3.14.2.1: 0x04. [MQTT-3.1.2-8]
async fn a_farewell_with_will_publishes_it(broker: Broker) {
    let (mut watcher, mut client) = mortal(broker).await;
    client.send(disconnect(4, &[])).await;
    client.expect_closed().await;
    assert_eq!(watcher.message().await.text(), "gone");
}

/// [MQTT-3.1.2-8], [MQTT-3.1.2-10]: only 0x00 discards it.
async fn a_farewell_for_an_error_publishes_the_will(broker: Broker) {
    for reason in [0x80, 0x81, 0x82, 0x83, 0x93, 0x97] {
        let (mut watcher, mut client) = mortal(broker).await;
        client.send(disconnect(reason, &[])).await;
        client.expect_closed().await;
        assert_eq!(watcher.message().await.text(), "gone", "reason {reason:#x}");
    }
}

/// [MQTT-2.1.3-1], [MQTT-3.14.1-1]
async fn a_malformed_farewell_publishes_the_will(broker: Broker) {
    for farewell in [vec![0xe1, 0], vec![0xe0, 2, 0, 9]] {
        let (mut watcher, mut client) = mortal(broker).await;
        client.send(&farewell).await;
        client.expect_refused().await;
        assert_eq!(watcher.message().await.text(), "gone", "{farewell:02x?}");
    }
}

/// 3.14.2.2.5: the server's property.
async fn a_server_reference_from_a_client_is_refused(broker: Broker) {
    let (_watcher, mut client) = mortal(broker).await;
    client.send(disconnect(0, &[(SERVER_REFERENCE, Value::text("elsewhere"))])).await;
    client.expect_refused().await;
}

/// [MQTT-4.12.0-6], 3.15.1, [MQTT-3.15.1-1]
async fn auth_without_a_method_is_a_protocol_error(broker: Broker) {
    let method = encode(&[(AUTHENTICATION_METHOD, Value::text("METHOD"))]);
    for packet in [frame(0xf0, &[]), frame(0xf0, &[vec![0x19], method.clone()].concat()), frame(0xf1, &[])] {
        let mut client = Client::clean5(broker, &[]).await;
        client.send(packet).await;
        client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
    }
}
