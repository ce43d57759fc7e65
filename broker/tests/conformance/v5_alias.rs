//! Topic aliases, both ways: MQTT 5, 3.3.2.3.4.

use std::collections::BTreeMap;

use crate::{
    client::Client,
    connect::Connect,
    message::Message,
    property::{TOPIC_ALIAS, TOPIC_ALIAS_MAXIMUM, Value, number},
    target::Broker,
};

rules! {
    an_alias_stands_for_its_topic;
    an_alias_can_be_given_anew;
    an_alias_ends_with_its_connection;
    aliases_of_connections_are_independent;
    an_alias_of_the_publisher_is_not_passed_on;
    alias_0_is_an_error;
    an_alias_beyond_the_maximum_is_an_error;
    an_unknown_alias_is_an_error;
    an_empty_topic_without_alias_is_an_error;
    without_a_maximum_the_server_uses_no_alias;
    the_server_uses_no_alias_beyond_the_clients_maximum;
}

fn alias(number: u16) -> [(u8, Value); 1] {
    [(TOPIC_ALIAS, Value::Two(number))]
}

/// A connection, and how many aliases the server takes on it.
async fn publisher(broker: Broker) -> (Client, usize) {
    let (client, connack) = Client::connect5(broker, &Connect::v5(&broker.unique("alias"), &[])).await;
    let maximum = number(&connack.properties, TOPIC_ALIAS_MAXIMUM).unwrap_or(0);
    if maximum == 0 {
        eprintln!("this server takes no aliases");
    }
    (client, maximum)
}

async fn watch(broker: Broker) -> (Client, String) {
    let topic = broker.unique("alias");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&format!("{topic}/#"), 2).await;
    (watcher, topic)
}

/// [MQTT-3.3.2-12]: at every QoS, from 1 to the maximum.
async fn an_alias_stands_for_its_topic(broker: Broker) {
    let (mut client, maximum) = publisher(broker).await;
    let (mut watcher, topic) = watch(broker).await;
    for alias in [1, maximum as u16].map(alias).iter().take(maximum) {
        for qos in [0, 1, 2] {
            client.publish_all(qos, [Message::new(&topic, "named").v5(alias)]).await;
            client.publish_all(qos, [Message::new("", "aliased").v5(alias)]).await;
            for payload in ["named", "aliased"] {
                let message = watcher.acknowledged().await;
                assert_eq!((message.topic.as_slice(), message.text().as_str()), (topic.as_bytes(), payload));
            }
        }
    }
}

/// 3.3.2.3.4: by a PUBLISH with a topic and the same alias.
async fn an_alias_can_be_given_anew(broker: Broker) {
    let (mut client, maximum) = publisher(broker).await;
    if maximum == 0 {
        return;
    }
    let (mut watcher, topic) = watch(broker).await;
    for topic in [format!("{topic}/a"), format!("{topic}/b")] {
        client.publish_all(0, [Message::new(&topic, "named").v5(&alias(1))]).await;
        client.publish_all(0, [Message::new("", "aliased").v5(&alias(1))]).await;
        assert_eq!(watcher.message().await.topic, topic.as_bytes());
        assert_eq!(watcher.message().await.topic, topic.as_bytes());
    }
}

/// [MQTT-3.3.2-7]
async fn an_alias_ends_with_its_connection(broker: Broker) {
    let (mut client, maximum) = publisher(broker).await;
    if maximum == 0 {
        return;
    }
    client.publish_all(1, [Message::new(broker.unique("alias"), "x").v5(&alias(1))]).await;
    client.disconnect().await;
    let (mut client, _) = publisher(broker).await;
    client.send(Message::new("", "x").v5(&alias(1)).bytes()).await;
    client.expect_disconnect(&[0x82, 0x94]).await;
}

/// 3.3.2.3.4
async fn aliases_of_connections_are_independent(broker: Broker) {
    let ((mut one, maximum), (mut other, _)) = (publisher(broker).await, publisher(broker).await);
    if maximum == 0 {
        return;
    }
    let (mut watcher, topic) = watch(broker).await;
    let topics = [format!("{topic}/one"), format!("{topic}/other")];
    one.publish_all(1, [Message::new(&topics[0], "named").v5(&alias(1))]).await;
    other.publish_all(1, [Message::new(&topics[1], "named").v5(&alias(1))]).await;
    one.publish_all(1, [Message::new("", "aliased").v5(&alias(1))]).await;
    other.publish_all(1, [Message::new("", "aliased").v5(&alias(1))]).await;
    for topic in topics.iter().chain(&topics) {
        assert_eq!(watcher.acknowledged().await.topic, topic.as_bytes());
    }
}

/// 3.3.2.3.4, [MQTT-3.1.2-27]
async fn an_alias_of_the_publisher_is_not_passed_on(broker: Broker) {
    let (mut client, maximum) = publisher(broker).await;
    if maximum == 0 {
        return;
    }
    let (mut watcher, topic) = watch(broker).await;
    client.publish_all(0, [Message::new(&topic, "x").v5(&alias(1))]).await;
    assert_eq!(watcher.message().await.properties(), []);
}

/// [MQTT-3.3.2-8]
async fn alias_0_is_an_error(broker: Broker) {
    let (mut client, _) = publisher(broker).await;
    client.send(Message::new(broker.unique("alias"), "x").v5(&alias(0)).bytes()).await;
    client.expect_disconnect(&[0x81, 0x82, 0x94]).await;
}

/// [MQTT-3.3.2-9]: with 0x94.
async fn an_alias_beyond_the_maximum_is_an_error(broker: Broker) {
    let (mut client, maximum) = publisher(broker).await;
    if maximum == usize::from(u16::MAX) {
        return;
    }
    client.send(Message::new(broker.unique("alias"), "x").v5(&alias(maximum as u16 + 1)).bytes()).await;
    client.expect_disconnect(&[0x94]).await;
}

/// 3.3.2.3.4: a protocol error.
async fn an_unknown_alias_is_an_error(broker: Broker) {
    let (mut client, _) = publisher(broker).await;
    client.send(Message::new("", "x").v5(&alias(1)).bytes()).await;
    client.expect_disconnect(&[0x82, 0x94]).await;
}

/// 3.3.2.1: a protocol error.
async fn an_empty_topic_without_alias_is_an_error(broker: Broker) {
    let (mut client, _) = publisher(broker).await;
    client.send(Message::new("", "x").v5(&[]).bytes()).await;
    client.expect_disconnect(&[0x81, 0x82, 0x90]).await;
}

/// [MQTT-3.1.2-27]
async fn without_a_maximum_the_server_uses_no_alias(broker: Broker) {
    let (mut watcher, topic) = watch(broker).await;
    Client::clean(broker).await.publish_all(1, (0..3).map(|_| Message::new(&topic, "x"))).await;
    for _ in 0..3 {
        let message = watcher.acknowledged().await;
        assert_eq!((message.topic.as_slice(), message.properties()), (topic.as_bytes(), Vec::new()));
    }
}

/// [MQTT-3.1.2-26], [MQTT-3.3.2-11]: and those that it uses lead to the right topics.
async fn the_server_uses_no_alias_beyond_the_clients_maximum(broker: Broker) {
    const MAXIMUM: usize = 2;
    let base = broker.unique("alias");
    let mut client = Client::clean5(broker, &[(TOPIC_ALIAS_MAXIMUM, Value::Two(MAXIMUM as u16))]).await;
    client.subscribe(&format!("{base}/+"), 0).await;
    let numbers: Vec<_> = (0..20).map(|number| format!("{base}/{}", number * 7 % 5)).collect();
    let messages = numbers.iter().map(|topic| Message::new(topic, topic));
    Client::clean(broker).await.publish_all(1, messages).await;
    let mut topics = BTreeMap::<usize, String>::new();
    for topic in numbers {
        let message = client.message().await;
        let alias = number(&message.properties(), TOPIC_ALIAS);
        assert!(alias.is_none_or(|alias| (1..=MAXIMUM).contains(&alias)), "{message:?}");
        let named = match alias {
            Some(alias) if message.topic.is_empty() => topics[&alias].clone(),
            _ => String::from_utf8(message.topic.clone()).unwrap(),
        };
        alias.map(|alias| topics.insert(alias, named.clone()));
        assert_eq!((named, message.text()), (topic.clone(), topic));
    }
}
