//! Properties of messages that a server passes on: MQTT 5, 3.3.2.3.

use crate::{
    client::Client,
    message::Message,
    property::{
        CONTENT_TYPE, CORRELATION_DATA, MESSAGE_EXPIRY, PAYLOAD_FORMAT, Property, RESPONSE_TOPIC, USER_PROPERTY, Value,
        all, number, user,
    },
    target::Broker,
};

rules! {
    each_property_is_forwarded;
    user_properties_keep_their_order;
    empty_values_are_forwarded;
    large_properties_are_forwarded;
    retained_messages_keep_their_properties;
    properties_are_taken_off_for_mqtt_3_1_1;
    messages_of_mqtt_3_1_1_have_no_properties;
    properties_are_forwarded_at_every_qos;
}

/// Every property that is passed on unaltered.
fn unaltered() -> Vec<Property> {
    vec![
        (PAYLOAD_FORMAT, Value::Byte(1)),
        (CONTENT_TYPE, Value::text("text/plain")),
        (RESPONSE_TOPIC, Value::text("answers/to/me")),
        (CORRELATION_DATA, Value::text(b"\x00\xff\x80")),
        user("name", "value"),
    ]
}

/// Publishes with these properties; what a subscriber gets may be in another order of identifiers.
async fn forwarded(broker: Broker, qos: u8, properties: &[Property]) -> Vec<Property> {
    let topic = broker.unique("forward");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, qos).await;
    let message = Message::new(&topic, "payload").v5(properties);
    Client::clean5(broker, &[]).await.publish_all(qos, [message]).await;
    let message = watcher.acknowledged().await;
    assert_eq!((message.text().as_str(), message.qos), ("payload", qos));
    message.properties()
}

fn assert_same(got: &[Property], sent: &[Property]) {
    assert_eq!(got.len(), sent.len(), "got {got:?}, sent {sent:?}");
    for (id, _) in sent {
        assert_eq!(all(got, *id), all(sent, *id), "property {id:#x}");
    }
}

/// [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-20]
async fn each_property_is_forwarded(broker: Broker) {
    for property in unaltered() {
        assert_same(&forwarded(broker, 0, std::slice::from_ref(&property)).await, &[property]);
    }
    assert_same(&forwarded(broker, 0, &unaltered()).await, &unaltered());
    assert_eq!(forwarded(broker, 0, &[]).await, []);
}

/// [MQTT-3.3.2-17], [MQTT-3.3.2-18]: also those of the same name.
async fn user_properties_keep_their_order(broker: Broker) {
    let properties =
        [user("b", "1"), user("a", "2"), user("b", "3"), user("b", "1"), user("über", "雾"), user("a", "0")];
    assert_eq!(forwarded(broker, 1, &properties).await, properties);
}

/// 3.3.2.3: an empty value is not a missing one.
async fn empty_values_are_forwarded(broker: Broker) {
    let properties = [
        (PAYLOAD_FORMAT, Value::Byte(0)),
        (CONTENT_TYPE, Value::text("")),
        (CORRELATION_DATA, Value::text("")),
        user("", ""),
    ];
    assert_same(&forwarded(broker, 1, &properties).await, &properties);
}

/// 2.2.2.1: their length takes up to four bytes.
async fn large_properties_are_forwarded(broker: Broker) {
    let properties =
        [(CORRELATION_DATA, Value::text("c".repeat(10_000))), user(&"n".repeat(10_000), &"v".repeat(10_000))];
    assert_same(&forwarded(broker, 1, &properties).await, &properties);
}

/// 3.3.1.3: a retained message is the whole message.
async fn retained_messages_keep_their_properties(broker: Broker) {
    let topic = broker.unique("retained");
    let message = Message::new(&topic, "kept").retained().v5(&unaltered());
    Client::clean5(broker, &[]).await.publish(message).await;
    for _ in 0..2 {
        let message = Client::clean5(broker, &[]).await.retained(&topic, 1, 1).await.remove(0);
        assert!(message.retain);
        assert_same(&message.properties(), &unaltered());
    }
    let retained = Client::clean(broker).await.retained(&topic, 0, 1).await;
    assert_eq!(retained, [Message::new(&topic, "kept").retained()]);
}

/// The version of a packet is its connection's: 3.1.2.2.
async fn properties_are_taken_off_for_mqtt_3_1_1(broker: Broker) {
    let topic = broker.unique("older");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let properties = [unaltered(), vec![(MESSAGE_EXPIRY, Value::Four(60))]].concat();
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "bare").v5(&properties)).await;
    assert_eq!(watcher.message().await, Message::new(&topic, "bare"));
    watcher.expect_silence().await;
}

/// [MQTT-2.2.2-1]: a length of 0.
async fn messages_of_mqtt_3_1_1_have_no_properties(broker: Broker) {
    let topic = broker.unique("newer");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, 0).await;
    Client::clean(broker).await.publish(Message::new(&topic, "bare")).await;
    assert_eq!(watcher.message().await, Message::new(&topic, "bare").v5(&[]));
}

/// 3.3.2.3
async fn properties_are_forwarded_at_every_qos(broker: Broker) {
    for qos in [0, 1, 2] {
        let properties = [unaltered(), vec![(MESSAGE_EXPIRY, Value::Four(600))]].concat();
        let got = forwarded(broker, qos, &properties).await;
        assert!(number(&got, MESSAGE_EXPIRY).is_some_and(|seconds| (590..=600).contains(&seconds)), "{got:?}");
        assert_eq!(all(&got, USER_PROPERTY), all(&properties, USER_PROPERTY));
    }
}
