//! What a resumed session sends again: MQTT 3.1.1, 4.4 and 4.6.

use crate::{
    client::Client,
    connect::Connect,
    message::Message,
    packet::{PUBCOMP, PUBREC, PUBREL, ack},
    target::Broker,
};

rules! {
    an_unacknowledged_qos_1_message_comes_again;
    an_unacknowledged_qos_2_message_comes_again;
    a_pubrel_without_pubcomp_comes_again;
    what_comes_again_keeps_its_order;
    what_comes_again_precedes_what_is_new;
    acknowledged_messages_do_not_come_again;
    nothing_comes_again_within_a_connection;
    a_takeover_repeats_what_the_older_connection_held;
    an_incoming_qos_2_exchange_goes_on;
    a_client_may_repeat_its_pubrel_after_a_reconnect;
}

/// A persistent client that subscribed, got `payloads` at `qos`, and left without acknowledging them.
async fn unacknowledged(broker: Broker, qos: u8, payloads: &[&str]) -> (Connect, String, Vec<Message>) {
    let topic = broker.unique("redelivery");
    let connect = Connect::new(&broker.unique("redelivery")).persistent();
    let mut client = Client::connect(broker, &connect).await;
    client.subscribe(&topic, qos).await;
    let messages = payloads.iter().map(|payload| Message::new(&topic, payload));
    Client::clean(broker).await.publish_all(qos, messages).await;
    let mut held = Vec::new();
    for payload in payloads {
        let message = client.message().await;
        assert!(!message.dup && message.text() == *payload, "{message:?}");
        held.push(message);
    }
    client.reset();
    (connect, topic, held)
}

/// [MQTT-4.4.0-1], [MQTT-3.3.1-1]
async fn an_unacknowledged_qos_1_message_comes_again(broker: Broker) {
    let (connect, _, held) = unacknowledged(broker, 1, &["again"]).await;
    let mut client = Client::resume(broker, &connect).await;
    assert_eq!(client.acknowledged().await, held[0].clone().dup());
    client.expect_silence().await;
}

/// [MQTT-4.4.0-1], [MQTT-3.3.1-1]
async fn an_unacknowledged_qos_2_message_comes_again(broker: Broker) {
    let (connect, _, held) = unacknowledged(broker, 2, &["again"]).await;
    let mut client = Client::resume(broker, &connect).await;
    assert_eq!(client.acknowledged().await, held[0].clone().dup());
    client.expect_silence().await;
}

/// [MQTT-4.4.0-1], [MQTT-4.3.3-1]: and the message does not.
async fn a_pubrel_without_pubcomp_comes_again(broker: Broker) {
    let (connect, _, held) = unacknowledged(broker, 2, &["once"]).await;
    let id = held[0].id;
    let mut client = Client::resume(broker, &connect).await;
    client.message().await;
    client.send(ack(PUBREC, id)).await;
    client.expect(ack(PUBREL, id)).await;
    client.reset();
    let mut client = Client::resume(broker, &connect).await;
    client.expect(ack(PUBREL, id)).await;
    client.send(ack(PUBCOMP, id)).await;
    client.expect_silence().await;
    client.disconnect().await;
    Client::resume(broker, &connect).await.expect_silence().await;
}

/// [MQTT-4.6.0-1]
async fn what_comes_again_keeps_its_order(broker: Broker) {
    let payloads = ["1", "2", "3", "4", "5"];
    for qos in [1, 2] {
        let (connect, _, _) = unacknowledged(broker, qos, &payloads).await;
        assert_eq!(Client::resume(broker, &connect).await.payloads(5).await, payloads, "QoS {qos}");
    }
}

/// [MQTT-4.6.0-6]
async fn what_comes_again_precedes_what_is_new(broker: Broker) {
    let (connect, topic, _) = unacknowledged(broker, 1, &["1", "2"]).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(1, ["3", "4"].map(|payload| Message::new(&topic, payload))).await;
    let mut client = Client::resume(broker, &connect).await;
    let mut got = Vec::new();
    for _ in 0..4 {
        let message = client.acknowledged().await;
        got.push((message.text(), message.dup));
    }
    let expected = [("1", true), ("2", true), ("3", false), ("4", false)];
    assert_eq!(got, expected.map(|(payload, dup)| (payload.to_owned(), dup)));
}

/// [MQTT-4.3.2-1], [MQTT-4.3.3-1]
async fn acknowledged_messages_do_not_come_again(broker: Broker) {
    for qos in [1, 2] {
        let (connect, _, _) = unacknowledged(broker, qos, &["1", "2"]).await;
        let mut client = Client::resume(broker, &connect).await;
        client.payloads(2).await;
        client.ping().await;
        client.disconnect().await;
        Client::resume(broker, &connect).await.expect_silence().await;
    }
}

/// 4.4: MQTT 5 forbids it in [MQTT-4.4.0-1]; MQTT 3.1.1 only warns of it.
async fn nothing_comes_again_within_a_connection(broker: Broker) {
    let topic = broker.unique("patient");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 1).await;
    Client::clean(broker).await.publish(Message::new(&topic, "once")).await;
    client.message().await;
    client.expect_silence().await;
}

/// [MQTT-4.4.0-1], [MQTT-3.1.4-2]
async fn a_takeover_repeats_what_the_older_connection_held(broker: Broker) {
    let (connect, _, held) = unacknowledged(broker, 1, &["again"]).await;
    let mut older = Client::resume(broker, &connect).await;
    assert_eq!(older.message().await, held[0].clone().dup());
    let mut newer = Client::resume(broker, &connect).await;
    older.expect_closed().await;
    assert_eq!(newer.acknowledged().await, held[0].clone().dup());
}

/// [MQTT-3.1.2-4], [MQTT-4.3.3-2]: the server remembers the identifier, so the repetition is no second message.
async fn an_incoming_qos_2_exchange_goes_on(broker: Broker) {
    let topic = broker.unique("incoming");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 2).await;
    let connect = Connect::new(&broker.unique("incoming")).persistent();
    let message = Message::new(&topic, "once").qos(2, 3);
    let mut client = Client::connect(broker, &connect).await;
    client.send(message.bytes()).await;
    client.expect(ack(PUBREC, 3)).await;
    client.reset();
    let mut client = Client::resume(broker, &connect).await;
    client.send(message.dup().bytes()).await;
    client.expect(ack(PUBREC, 3)).await;
    client.send(ack(PUBREL, 3)).await;
    client.expect(ack(PUBCOMP, 3)).await;
    assert_eq!(watcher.payloads(1).await, ["once"]);
    watcher.expect_silence().await;
}

/// [MQTT-4.4.0-1], [MQTT-4.3.3-2]
async fn a_client_may_repeat_its_pubrel_after_a_reconnect(broker: Broker) {
    let topic = broker.unique("incoming");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 2).await;
    let connect = Connect::new(&broker.unique("incoming")).persistent();
    let mut client = Client::connect(broker, &connect).await;
    client.send(Message::new(&topic, "once").qos(2, 3).bytes()).await;
    client.expect(ack(PUBREC, 3)).await;
    client.reset();
    for _ in 0..2 {
        let mut client = Client::resume(broker, &connect).await;
        client.send(ack(PUBREL, 3)).await;
        client.expect(ack(PUBCOMP, 3)).await;
    }
    assert_eq!(watcher.payloads(1).await, ["once"]);
    watcher.expect_silence().await;
}
