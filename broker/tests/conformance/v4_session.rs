//! Sessions and CleanSession: MQTT 3.1.1, 3.1.2.4 and 3.2.2.2.

use crate::{
    client::Client,
    connect::Connect,
    message::Message,
    packet::{UNSUBACK, ack, suback, subscribe, unsubscribe},
    target::Broker,
};

rules! {
    no_session_is_present_at_first;
    a_kept_session_is_present;
    a_session_without_subscriptions_is_present_too;
    a_clean_session_is_never_present;
    a_clean_session_discards_the_kept_one;
    a_clean_session_ends_with_its_connection;
    subscriptions_survive;
    an_unsubscribed_filter_stays_unsubscribed;
    a_resumed_session_can_unsubscribe;
    a_resumed_session_can_subscribe_again;
    retained_messages_outlive_the_session;
    a_session_survives_a_takeover;
}

/// A persistent session, offline, which has subscribed `filter`.
async fn offline(broker: Broker, filter: &str, qos: u8) -> Connect {
    let connect = Connect::new(&broker.unique("session")).persistent();
    let mut client = Client::connect(broker, &connect).await;
    client.subscribe(filter, qos).await;
    client.disconnect().await;
    connect
}

/// [MQTT-3.2.2-3]; [`Client::connect`] looks at the flag.
async fn no_session_is_present_at_first(broker: Broker) {
    Client::connect(broker, &Connect::new(&broker.unique("first")).persistent()).await.disconnect().await;
}

/// [MQTT-3.1.2-4], [MQTT-3.2.2-2]; [`Client::resume`] looks at the flag.
async fn a_kept_session_is_present(broker: Broker) {
    let connect = offline(broker, &broker.unique("kept"), 1).await;
    Client::resume(broker, &connect).await.disconnect().await;
    Client::resume(broker, &connect).await;
    Client::resume(broker, &connect).await.ping().await;
}

/// [MQTT-3.2.2-2]: what a session holds does not matter.
async fn a_session_without_subscriptions_is_present_too(broker: Broker) {
    let connect = Connect::new(&broker.unique("empty")).persistent();
    Client::connect(broker, &connect).await.disconnect().await;
    Client::resume(broker, &connect).await.ping().await;
}

/// [MQTT-3.2.2-1]
async fn a_clean_session_is_never_present(broker: Broker) {
    let id = broker.unique("clean");
    Client::connect(broker, &Connect::new(&id).persistent()).await.disconnect().await;
    Client::connect(broker, &Connect::new(&id)).await.ping().await;
}

/// [MQTT-3.1.2-6]: subscriptions and what waits.
async fn a_clean_session_discards_the_kept_one(broker: Broker) {
    let topic = broker.unique("discard");
    let kept = offline(broker, &topic, 1).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish(Message::new(&topic, "waits")).await;
    let mut clean = Client::connect(broker, &kept.clone().clean()).await;
    publisher.publish(Message::new(&topic, "live")).await;
    clean.expect_silence().await;
    clean.disconnect().await;
    let mut client = Client::connect(broker, &kept).await;
    publisher.publish(Message::new(&topic, "late")).await;
    client.expect_silence().await;
}

/// [MQTT-3.1.2-6]: however the connection ends.
async fn a_clean_session_ends_with_its_connection(broker: Broker) {
    let topic = broker.unique("ends");
    let connect = Connect::new(&broker.unique("ends"));
    let mut farewell = Client::connect(broker, &connect).await;
    farewell.subscribe(&topic, 1).await;
    farewell.disconnect().await;
    let mut cut = Client::connect(broker, &connect).await;
    cut.subscribe(&topic, 1).await;
    drop(cut);
    let mut publisher = Client::clean(broker).await;
    publisher.publish(Message::new(&topic, "unheard")).await;
    let mut client = Client::connect(broker, &connect.persistent()).await;
    publisher.publish(Message::new(&topic, "unheard too")).await;
    client.expect_silence().await;
}

/// [MQTT-3.1.2-4]
async fn subscriptions_survive(broker: Broker) {
    let topic = broker.unique("survive");
    let connect = offline(broker, &format!("{topic}/+"), 1).await;
    let mut client = Client::resume(broker, &connect).await;
    Client::clean(broker).await.publish(Message::new(format!("{topic}/a"), "live")).await;
    let message = client.acknowledged().await;
    assert_eq!((message.text().as_str(), message.qos), ("live", 1));
}

/// [MQTT-3.1.2-4], [MQTT-3.10.4-2]
async fn an_unsubscribed_filter_stays_unsubscribed(broker: Broker) {
    let topic = broker.unique("unsubscribed");
    let connect = offline(broker, &topic, 1).await;
    let mut client = Client::resume(broker, &connect).await;
    client.send(unsubscribe(2, &[&topic])).await;
    client.expect(ack(UNSUBACK, 2)).await;
    client.disconnect().await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish(Message::new(&topic, "offline")).await;
    let mut client = Client::resume(broker, &connect).await;
    publisher.publish(Message::new(&topic, "live")).await;
    client.expect_silence().await;
}

/// [MQTT-3.10.4-2], [MQTT-3.10.4-4]
async fn a_resumed_session_can_unsubscribe(broker: Broker) {
    let topic = broker.unique("resumed");
    let connect = offline(broker, &topic, 1).await;
    let mut client = Client::resume(broker, &connect).await;
    client.send(unsubscribe(2, &[&topic])).await;
    client.expect(ack(UNSUBACK, 2)).await;
    Client::clean(broker).await.publish(Message::new(&topic, "unheard")).await;
    client.expect_silence().await;
}

/// [MQTT-3.8.4-3]: the same filter once more is still one subscription, of the new QoS.
async fn a_resumed_session_can_subscribe_again(broker: Broker) {
    let topic = broker.unique("again");
    let connect = offline(broker, &topic, 1).await;
    let mut client = Client::resume(broker, &connect).await;
    client.send(subscribe(2, &[(&topic, 0)])).await;
    client.expect(suback(2, &[0])).await;
    Client::clean(broker).await.publish(Message::new(&topic, "once")).await;
    assert_eq!(client.message().await, Message::new(&topic, "once"));
    client.expect_silence().await;
}

/// [MQTT-3.1.2-7]
async fn retained_messages_outlive_the_session(broker: Broker) {
    let topic = broker.unique("outlive");
    let mut publisher = Client::clean(broker).await;
    publisher.publish(Message::new(&topic, "kept").retained()).await;
    publisher.disconnect().await;
    let retained = Client::clean(broker).await.retained(&topic, 0, 1).await;
    assert_eq!(retained, [Message::new(&topic, "kept").retained()]);
}

/// [MQTT-3.1.2-4], [MQTT-3.1.4-2], [MQTT-3.1.4-3]
async fn a_session_survives_a_takeover(broker: Broker) {
    let topic = broker.unique("takeover");
    let connect = offline(broker, &topic, 1).await;
    let mut older = Client::resume(broker, &connect).await;
    let mut newer = Client::resume(broker, &connect).await;
    older.expect_closed().await;
    Client::clean(broker).await.publish(Message::new(&topic, "live")).await;
    assert_eq!(newer.payloads(1).await, ["live"]);
}
