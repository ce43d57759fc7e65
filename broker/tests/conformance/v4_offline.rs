//! What waits for a session that is offline: MQTT 3.1.1, 3.1.2.4 and 4.1.

use crate::{client::Client, connect::Connect, message::Message, target::Broker};

rules! {
    qos_1_messages_wait;
    qos_2_messages_wait;
    qos_0_messages_wait_or_are_lost_in_order;
    many_messages_wait_in_order;
    messages_of_several_filters_wait_in_order;
    the_qos_of_waiting_messages_is_the_lower_of_both;
    a_client_that_left_without_farewell_loses_nothing;
    what_was_received_does_not_wait_again;
    waiting_messages_outlive_their_publisher;
}

/// A persistent session that subscribed `filter` and left.
async fn offline(broker: Broker, filter: &str, qos: u8) -> Connect {
    let connect = Connect::new(&broker.unique("offline")).persistent();
    let mut client = Client::connect(broker, &connect).await;
    client.subscribe(filter, qos).await;
    client.disconnect().await;
    connect
}

fn numbered(topic: &str, count: usize) -> (Vec<String>, Vec<Message>) {
    let numbers: Vec<_> = (0..count).map(|number| number.to_string()).collect();
    let messages = numbers.iter().map(|number| Message::new(topic, number)).collect();
    (numbers, messages)
}

/// [MQTT-3.1.2-5]
async fn qos_1_messages_wait(broker: Broker) {
    let topic = broker.unique("wait");
    let connect = offline(broker, &topic, 1).await;
    let (numbers, messages) = numbered(&topic, 5);
    Client::clean(broker).await.publish_all(1, messages).await;
    let mut client = Client::resume(broker, &connect).await;
    assert_eq!(client.payloads(5).await, numbers);
    client.expect_silence().await;
}

/// [MQTT-3.1.2-5]
async fn qos_2_messages_wait(broker: Broker) {
    let topic = broker.unique("wait");
    let connect = offline(broker, &topic, 2).await;
    let (numbers, messages) = numbered(&topic, 5);
    Client::clean(broker).await.publish_all(2, messages).await;
    let mut client = Client::resume(broker, &connect).await;
    for number in numbers {
        let message = client.acknowledged().await;
        assert_eq!((message.text(), message.qos, message.dup), (number, 2, false));
    }
    client.expect_silence().await;
}

/// 3.1.2.4 lets a server choose.
async fn qos_0_messages_wait_or_are_lost_in_order(broker: Broker) {
    let topic = broker.unique("choice");
    let connect = offline(broker, &topic, 1).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(0, [Message::new(&topic, "zero")]).await;
    publisher.publish(Message::new(&topic, "one")).await;
    let got = Client::resume(broker, &connect).await.payloads(1).await.remove(0);
    assert!(["zero", "one"].contains(&got.as_str()), "{got}");
}

/// [MQTT-3.1.2-5], [MQTT-4.6.0-6]: more than any window of unacknowledged messages.
async fn many_messages_wait_in_order(broker: Broker) {
    const MANY: usize = 500;
    let topic = broker.unique("many");
    let connect = offline(broker, &topic, 1).await;
    let (numbers, messages) = numbered(&topic, MANY);
    Client::clean(broker).await.publish_all(1, messages).await;
    assert_eq!(Client::resume(broker, &connect).await.payloads(MANY).await, numbers);
}

/// [MQTT-3.1.2-5], [MQTT-4.6.0-5]: topics keep their own order at least.
async fn messages_of_several_filters_wait_in_order(broker: Broker) {
    let base = broker.unique("several");
    let connect = offline(broker, &format!("{base}/a/#"), 1).await;
    let mut client = Client::resume(broker, &connect).await;
    client.subscribe(&format!("{base}/b"), 2).await;
    client.disconnect().await;
    let topics = [format!("{base}/a"), format!("{base}/b"), format!("{base}/a/c")];
    let mut publisher = Client::clean(broker).await;
    for number in 0..30 {
        publisher.publish(Message::new(&topics[number % 3], number.to_string())).await;
    }
    let mut client = Client::resume(broker, &connect).await;
    let mut last = std::collections::BTreeMap::new();
    for _ in 0..30 {
        let message = client.acknowledged().await;
        let number: usize = message.text().parse().unwrap();
        assert!(last.insert(message.topic.clone(), number) < Some(number), "{message:?} is out of order");
    }
    assert_eq!(last.len(), 3);
}

/// [MQTT-3.8.4-6]
async fn the_qos_of_waiting_messages_is_the_lower_of_both(broker: Broker) {
    let topic = broker.unique("lower");
    let connect = offline(broker, &topic, 1).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(2, [Message::new(&topic, "two")]).await;
    publisher.publish_all(1, [Message::new(&topic, "one")]).await;
    let mut client = Client::resume(broker, &connect).await;
    for payload in ["two", "one"] {
        let message = client.acknowledged().await;
        assert_eq!((message.text().as_str(), message.qos), (payload, 1));
    }
}

/// [MQTT-3.1.2-5]
async fn a_client_that_left_without_farewell_loses_nothing(broker: Broker) {
    let topic = broker.unique("cut");
    let connect = Connect::new(&broker.unique("cut")).persistent();
    let mut client = Client::connect(broker, &connect).await;
    client.subscribe(&topic, 1).await;
    client.reset();
    Client::clean(broker).await.publish(Message::new(&topic, "kept")).await;
    assert_eq!(Client::resume(broker, &connect).await.payloads(1).await, ["kept"]);
}

/// [MQTT-4.3.2-1]
async fn what_was_received_does_not_wait_again(broker: Broker) {
    let topic = broker.unique("received");
    let connect = offline(broker, &topic, 1).await;
    let (numbers, messages) = numbered(&topic, 3);
    Client::clean(broker).await.publish_all(1, messages).await;
    let mut client = Client::resume(broker, &connect).await;
    assert_eq!(client.payloads(3).await, numbers);
    client.ping().await;
    client.disconnect().await;
    Client::resume(broker, &connect).await.expect_silence().await;
}

/// 4.1: a message is the server's from its acknowledgement on.
async fn waiting_messages_outlive_their_publisher(broker: Broker) {
    let topic = broker.unique("outlive");
    let connect = offline(broker, &topic, 1).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish(Message::new(&topic, "kept")).await;
    publisher.disconnect().await;
    assert_eq!(Client::resume(broker, &connect).await.payloads(1).await, ["kept"]);
}
