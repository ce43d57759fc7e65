//! Retained messages: MQTT 3.1.1, 3.3.1.3.

use crate::{
    client::Client,
    message::Message,
    packet::{suback, subscribe},
    target::Broker,
};

rules! {
    a_retained_message_is_stored;
    a_retained_message_of_qos_0_is_stored;
    a_later_retained_message_replaces_it;
    a_live_copy_is_not_marked;
    an_empty_payload_clears_it;
    an_empty_retained_message_is_delivered_unmarked;
    an_empty_message_that_is_not_retained_clears_nothing;
    a_message_that_is_not_retained_replaces_nothing;
    a_repeated_subscription_gets_it_again;
    each_filter_of_a_subscribe_gets_it;
    a_retained_message_is_downgraded;
    a_retained_message_keeps_its_lower_qos;
    many_retained_messages_all_come;
    a_wildcard_gets_those_that_match;
}

/// A topic with a retained message.
async fn retain(broker: Broker, qos: u8, payload: &str) -> (Client, String) {
    let topic = broker.unique("retained");
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(qos, [Message::new(&topic, payload).retained()]).await;
    publisher.ping().await;
    (publisher, topic)
}

/// What a new subscription gets.
async fn stored(broker: Broker, filter: &str, count: usize) -> Vec<Message> {
    let mut client = Client::clean(broker).await;
    let messages = client.retained(filter, 0, count).await;
    client.expect_silence().await;
    messages
}

/// [MQTT-3.3.1-5], [MQTT-3.3.1-6], [MQTT-3.3.1-8]
async fn a_retained_message_is_stored(broker: Broker) {
    for qos in [1, 2] {
        let (_publisher, topic) = retain(broker, qos, "kept").await;
        assert_eq!(stored(broker, &topic, 1).await, [Message::new(&topic, "kept").retained()]);
        assert_eq!(stored(broker, &topic, 1).await, [Message::new(&topic, "kept").retained()]);
    }
}

/// [MQTT-3.3.1-7]: a server may drop it, and should not.
async fn a_retained_message_of_qos_0_is_stored(broker: Broker) {
    let (_publisher, topic) = retain(broker, 0, "kept").await;
    assert_eq!(stored(broker, &topic, 1).await, [Message::new(&topic, "kept").retained()]);
}

/// [MQTT-3.3.1-5], [MQTT-3.3.1-7]
async fn a_later_retained_message_replaces_it(broker: Broker) {
    let (mut publisher, topic) = retain(broker, 1, "first").await;
    for qos in [1, 0] {
        let payload = format!("at {qos}");
        publisher.publish_all(qos, [Message::new(&topic, &payload).retained()]).await;
        publisher.ping().await;
        assert_eq!(stored(broker, &topic, 1).await, [Message::new(&topic, payload).retained()]);
    }
}

/// [MQTT-3.3.1-9]
async fn a_live_copy_is_not_marked(broker: Broker) {
    let topic = broker.unique("live");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 0).await;
    Client::clean(broker).await.publish(Message::new(&topic, "live").retained()).await;
    assert_eq!(client.message().await, Message::new(&topic, "live"));
}

/// [MQTT-3.3.1-10], [MQTT-3.3.1-11]
async fn an_empty_payload_clears_it(broker: Broker) {
    for qos in [0, 1, 2] {
        let (mut publisher, topic) = retain(broker, 1, "kept").await;
        publisher.publish_all(qos, [Message::new(&topic, "").retained()]).await;
        publisher.ping().await;
        assert_eq!(stored(broker, &topic, 0).await, []);
    }
}

/// [MQTT-3.3.1-9], [MQTT-3.3.1-10]
async fn an_empty_retained_message_is_delivered_unmarked(broker: Broker) {
    let (mut publisher, topic) = retain(broker, 1, "kept").await;
    let mut client = Client::clean(broker).await;
    client.retained(&topic, 0, 1).await;
    publisher.publish(Message::new(&topic, "").retained()).await;
    assert_eq!(client.message().await, Message::new(&topic, ""));
}

/// [MQTT-3.3.1-12]
async fn an_empty_message_that_is_not_retained_clears_nothing(broker: Broker) {
    let (mut publisher, topic) = retain(broker, 1, "kept").await;
    publisher.publish(Message::new(&topic, "")).await;
    assert_eq!(stored(broker, &topic, 1).await, [Message::new(&topic, "kept").retained()]);
}

/// [MQTT-3.3.1-12]
async fn a_message_that_is_not_retained_replaces_nothing(broker: Broker) {
    let (mut publisher, topic) = retain(broker, 1, "kept").await;
    publisher.publish(Message::new(&topic, "passing")).await;
    assert_eq!(stored(broker, &topic, 1).await, [Message::new(&topic, "kept").retained()]);
}

/// [MQTT-3.8.4-3]
async fn a_repeated_subscription_gets_it_again(broker: Broker) {
    let (_publisher, topic) = retain(broker, 1, "kept").await;
    let mut client = Client::clean(broker).await;
    for _ in 0..3 {
        assert_eq!(client.retained(&topic, 0, 1).await, [Message::new(&topic, "kept").retained()]);
        client.expect_silence().await;
    }
}

/// [MQTT-3.8.4-4]
async fn each_filter_of_a_subscribe_gets_it(broker: Broker) {
    let (_one, first) = retain(broker, 1, "one").await;
    let (_other, second) = retain(broker, 1, "two").await;
    let mut client = Client::clean(broker).await;
    client.send(subscribe(5, &[(&first, 0), (&second, 0)])).await;
    let mut packets = Vec::new();
    for _ in 0..3 {
        packets.push(client.packet().await.bytes());
    }
    let retained = |topic, payload| Message::new(topic, payload).retained().bytes();
    for expected in [suback(5, &[0, 0]), retained(&first, "one"), retained(&second, "two")] {
        assert!(packets.contains(&expected), "{expected:02x?} is not in {packets:02x?}");
    }
}

/// [MQTT-3.8.4-6]
async fn a_retained_message_is_downgraded(broker: Broker) {
    let (_publisher, topic) = retain(broker, 2, "kept").await;
    for qos in [0, 1, 2] {
        let message = Client::clean(broker).await.retained(&topic, qos, 1).await.remove(0);
        assert_eq!((message.qos, message.retain), (qos, true));
    }
}

/// [MQTT-3.8.4-6]
async fn a_retained_message_keeps_its_lower_qos(broker: Broker) {
    for qos in [0, 1] {
        let (_publisher, topic) = retain(broker, qos, "kept").await;
        let message = Client::clean(broker).await.retained(&topic, 2, 1).await.remove(0);
        assert_eq!((message.qos, message.retain), (qos, true));
    }
}

/// [MQTT-3.3.1-6]: no number of them is too large for a wildcard.
async fn many_retained_messages_all_come(broker: Broker) {
    const MANY: usize = 300;
    let base = broker.unique("many");
    let topics: Vec<_> = (0..MANY).map(|number| format!("{base}/{number}")).collect();
    let messages = topics.iter().map(|topic| Message::new(topic, "kept").retained());
    Client::clean(broker).await.publish_all(1, messages).await;
    for (filter, qos) in [(format!("{base}/#"), 1), (format!("{base}/+"), 0)] {
        let messages = Client::clean(broker).await.retained(&filter, qos, MANY).await;
        let mut got: Vec<_> = messages.into_iter().map(|message| String::from_utf8(message.topic).unwrap()).collect();
        got.sort_by_key(|topic| topics.iter().position(|other| other == topic));
        assert_eq!(got, topics, "{filter}");
    }
}

/// [MQTT-3.3.1-6], 4.7.1: `base/#` takes `base` too.
async fn a_wildcard_gets_those_that_match(broker: Broker) {
    let base = broker.unique("match");
    let topics = ["", "/a", "/a/b", "/c"].map(|rest| format!("{base}{rest}"));
    let messages = topics.iter().map(|topic| Message::new(topic, "kept").retained());
    Client::clean(broker).await.publish_all(1, messages).await;
    for (filter, expected) in [("/#", vec![0, 1, 2, 3]), ("/+", vec![1, 3]), ("/a/#", vec![1, 2]), ("/+/b", vec![2])] {
        let messages = stored(broker, &format!("{base}{filter}"), expected.len()).await;
        let mut got: Vec<_> = messages.into_iter().map(|message| String::from_utf8(message.topic).unwrap()).collect();
        got.sort();
        assert_eq!(got, expected.iter().map(|index| topics[*index].clone()).collect::<Vec<_>>(), "{filter}");
    }
}
