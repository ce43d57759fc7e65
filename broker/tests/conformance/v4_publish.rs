//! PUBLISH to whoever subscribes: MQTT 3.1.1, 3.3 and 4.7.

use crate::{client::Client, message::Message, packet::frame, packet::text, target::Broker};

rules! {
    a_topic_with_wildcards_closes;
    an_empty_topic_closes;
    qos_3_closes;
    dup_at_qos_0_closes except(Mosquitto, "it ignores the DUP flag at QoS 0");
    dup_is_not_passed_on;
    the_topic_comes_as_it_was_sent;
    the_payload_comes_as_it_was_sent;
    a_publisher_that_subscribes_hears_itself;
    every_subscriber_gets_a_copy;
    messages_of_one_publisher_stay_in_order;
}

async fn closes(broker: Broker, packet: Vec<u8>) {
    let mut client = Client::clean(broker).await;
    client.send(&packet).await;
    assert_eq!(client.next().await, None, "the answer to {packet:02x?}");
}

/// [MQTT-3.3.2-2], [MQTT-4.7.1-1]
async fn a_topic_with_wildcards_closes(broker: Broker) {
    for topic in ["#", "+", "a/#", "a/+/b", "a+", "a#b"] {
        for qos in [0, 1, 2] {
            closes(broker, Message::new(topic, "x").qos(qos, 1).bytes()).await;
        }
    }
}

/// [MQTT-4.7.3-1]
async fn an_empty_topic_closes(broker: Broker) {
    for qos in [0, 1, 2] {
        closes(broker, Message::new("", "x").qos(qos, 1).bytes()).await;
    }
}

/// [MQTT-3.3.1-4]
async fn qos_3_closes(broker: Broker) {
    for flags in [0x06, 0x07, 0x0e] {
        closes(broker, frame(0x30 | flags, &[text("three"), vec![0, 1]].concat())).await;
    }
}

/// [MQTT-3.3.1-2]
async fn dup_at_qos_0_closes(broker: Broker) {
    closes(broker, Message::new("dup", "x").dup().bytes()).await;
}

/// [MQTT-3.3.1-3]
async fn dup_is_not_passed_on(broker: Broker) {
    let topic = broker.unique("dup");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 1).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish(Message::new(&topic, "again").dup()).await;
    let message = client.acknowledged().await;
    assert!(!message.dup && message.qos == 1, "{message:?}");
}

/// [MQTT-3.3.2-3], [MQTT-4.7.3-4]: case, spaces, empty levels and length.
async fn the_topic_comes_as_it_was_sent(broker: Broker) {
    let base = broker.unique("topic");
    let mut client = Client::clean(broker).await;
    client.subscribe(&format!("{base}/#"), 0).await;
    client.subscribe(&format!("/{base}"), 0).await;
    let long = "l".repeat(60_000);
    let rests = ["", "/", "//", "/A", "/a b", "/ ", "/a/", "/.", "/../x", "/%2f", "/\u{e9}", "/e\u{301}"];
    let topics = rests.iter().map(|rest| format!("{base}{rest}"));
    for topic in topics.chain([format!("/{base}"), format!("{base}/{long}")]) {
        let message = Message::new(&topic, "x");
        client.send(message.bytes()).await;
        assert_eq!(client.message().await, message);
    }
}

/// 3.3.3: any bytes, none, and more than a buffer.
async fn the_payload_comes_as_it_was_sent(broker: Broker) {
    let topic = broker.unique("payload");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 0).await;
    let all: Vec<u8> = (0..=255).collect();
    for payload in [Vec::new(), vec![0], all.clone(), all.repeat(200)] {
        let message = Message::new(&topic, payload);
        client.send(message.bytes()).await;
        assert_eq!(client.message().await, message);
    }
}

/// 3.3.5
async fn a_publisher_that_subscribes_hears_itself(broker: Broker) {
    let topic = broker.unique("echo");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 0).await;
    let message = Message::new(&topic, "echo");
    client.send(message.bytes()).await;
    assert_eq!(client.message().await, message);
}

/// [MQTT-4.5.0-1]
async fn every_subscriber_gets_a_copy(broker: Broker) {
    let topic = broker.unique("copies");
    let mut clients = Vec::new();
    for qos in [0, 1, 2, 0, 1, 2] {
        let mut client = Client::clean(broker).await;
        client.subscribe(&topic, qos).await;
        clients.push((client, qos));
    }
    Client::clean(broker).await.publish_all(2, [Message::new(&topic, "all")]).await;
    for (client, qos) in &mut clients {
        let message = client.acknowledged().await;
        assert_eq!((message.text().as_str(), message.qos), ("all", *qos));
        client.expect_silence().await;
    }
}

/// [MQTT-4.6.0-5], [MQTT-4.6.0-6]: at every QoS.
async fn messages_of_one_publisher_stay_in_order(broker: Broker) {
    // MQTT 3.1.1 tells no window; Mosquitto takes no more than 20 unreleased messages of QoS 2.
    for (qos, count) in [(0, 60), (1, 60), (2, 20)] {
        let topic = broker.unique("order");
        let mut client = Client::clean(broker).await;
        client.subscribe(&topic, qos).await;
        let numbers: Vec<_> = (1..=count).map(|number| number.to_string()).collect();
        let messages = numbers.iter().map(|number| Message::new(&topic, number));
        Client::clean(broker).await.publish_all(qos, messages).await;
        assert_eq!(client.payloads(count).await, numbers, "QoS {qos}");
    }
}
