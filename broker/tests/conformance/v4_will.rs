//! Wills: MQTT 3.1.1, 3.1.2.5 to 3.1.2.7 and 3.14.4.

use crate::{
    client::Client,
    connect::{Connect, Will},
    message::Message,
    packet::{DISCONNECT, frame},
    target::Broker,
};

rules! {
    a_cut_connection_publishes_the_will;
    a_reset_connection_publishes_the_will;
    a_protocol_error_publishes_the_will;
    a_farewell_discards_the_will;
    a_will_is_published_once;
    a_will_has_its_qos;
    a_will_is_downgraded_to_the_subscription;
    a_will_may_be_empty;
    a_will_that_is_not_retained_is_not_stored;
    a_retained_will_is_stored;
    an_empty_retained_will_clears_what_is_stored;
    a_persistent_session_has_its_will_too;
    an_offline_session_gets_the_will;
    a_will_topic_with_wildcards_is_refused;
    every_one_of_many_quick_reconnects_has_its_will;
}

/// Reconnects of the slow test; the stock listener lost an eighth of as many.
const RECONNECTS: usize = 200;

/// A watcher of a new topic, and the topic.
async fn watch(broker: Broker, qos: u8) -> (Client, String) {
    let topic = broker.unique("will");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, qos).await;
    (watcher, topic)
}

async fn with_will(broker: Broker, will: Will) -> Client {
    Client::connect(broker, &Connect::new(&broker.unique("mortal")).will(will)).await
}

/// [MQTT-3.1.2-8]
async fn a_cut_connection_publishes_the_will(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    drop(with_will(broker, Will::new(&topic, "gone")).await);
    assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
}

/// [MQTT-3.1.2-8]
async fn a_reset_connection_publishes_the_will(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    with_will(broker, Will::new(&topic, "gone")).await.reset();
    assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
}

/// [MQTT-3.1.2-8]: the server closes, for a protocol error of the client.
async fn a_protocol_error_publishes_the_will(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    for error in [vec![0xf0, 0], frame(0x36, b"x"), vec![0x30, 0xff, 0xff, 0xff, 0xff, 1]] {
        let mut client = with_will(broker, Will::new(&topic, "gone")).await;
        client.send(error).await;
        client.expect_closed().await;
        assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
    }
}

/// [MQTT-3.1.2-10], [MQTT-3.14.4-3]
async fn a_farewell_discards_the_will(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    with_will(broker, Will::new(&topic, "gone").qos(1)).await.disconnect().await;
    let mut hasty = with_will(broker, Will::new(&topic, "gone")).await;
    hasty.send(DISCONNECT).await;
    drop(hasty);
    watcher.expect_silence().await;
}

/// [MQTT-3.1.2-10], [MQTT-3.1.2-12]: a connection without a will has none from the one before.
async fn a_will_is_published_once(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    let connect = Connect::new(&broker.unique("mortal")).persistent();
    drop(Client::connect(broker, &connect.clone().will(Will::new(&topic, "gone"))).await);
    assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
    drop(Client::resume(broker, &connect).await);
    watcher.expect_silence().await;
}

/// [MQTT-3.1.2-9]
async fn a_will_has_its_qos(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 2).await;
    for qos in [0, 1, 2] {
        drop(with_will(broker, Will::new(&topic, "gone").qos(qos)).await);
        let message = watcher.acknowledged().await;
        assert_eq!((message.text().as_str(), message.qos), ("gone", qos));
    }
}

/// [MQTT-3.8.4-6]
async fn a_will_is_downgraded_to_the_subscription(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 1).await;
    drop(with_will(broker, Will::new(&topic, "gone").qos(2)).await);
    assert_eq!(watcher.acknowledged().await.qos, 1);
}

/// 3.1.3.3: a will message of no bytes.
async fn a_will_may_be_empty(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    drop(with_will(broker, Will::new(&topic, "")).await);
    assert_eq!(watcher.message().await, Message::new(&topic, ""));
}

/// [MQTT-3.1.2-16]
async fn a_will_that_is_not_retained_is_not_stored(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    drop(with_will(broker, Will::new(&topic, "gone")).await);
    assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
    let mut late = Client::clean(broker).await;
    late.subscribe(&topic, 0).await;
    late.expect_silence().await;
}

/// [MQTT-3.1.2-17]
async fn a_retained_will_is_stored(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    drop(with_will(broker, Will::new(&topic, "gone").retained()).await);
    assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
    let retained = Client::clean(broker).await.retained(&topic, 0, 1).await;
    assert_eq!(retained, [Message::new(&topic, "gone").retained()]);
}

/// [MQTT-3.1.2-17], [MQTT-3.3.1-10]
async fn an_empty_retained_will_clears_what_is_stored(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    Client::clean(broker).await.publish(Message::new(&topic, "kept").retained()).await;
    assert_eq!(watcher.message().await, Message::new(&topic, "kept"));
    drop(with_will(broker, Will::new(&topic, "").retained()).await);
    assert_eq!(watcher.message().await, Message::new(&topic, ""));
    let mut late = Client::clean(broker).await;
    late.subscribe(&topic, 0).await;
    late.expect_silence().await;
}

/// [MQTT-3.1.2-8], also where the server keeps the session.
async fn a_persistent_session_has_its_will_too(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    let connect = Connect::new(&broker.unique("mortal")).persistent().will(Will::new(&topic, "gone"));
    drop(Client::connect(broker, &connect).await);
    assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
    Client::resume(broker, &connect).await.disconnect().await;
    watcher.expect_silence().await;
}

/// [MQTT-3.1.2-5]
async fn an_offline_session_gets_the_will(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 0).await;
    let connect = Connect::new(&broker.unique("offline")).persistent();
    let mut offline = Client::connect(broker, &connect).await;
    offline.subscribe(&topic, 1).await;
    offline.disconnect().await;
    drop(with_will(broker, Will::new(&topic, "gone").qos(1)).await);
    watcher.message().await;
    assert_eq!(Client::resume(broker, &connect).await.payloads(1).await, ["gone"]);
}

/// [MQTT-3.3.2-2], [MQTT-4.7.1-1]: it could not be published; the connection is closed, with or without a code.
async fn a_will_topic_with_wildcards_is_refused(broker: Broker) {
    for topic in ["a/#", "a/+/b", "#", "+", ""] {
        let mut client = Client::open(broker).await;
        client.send(Connect::new(&broker.unique("mortal")).will(Will::new(topic, "gone")).bytes()).await;
        if let Some(packet) = client.next().await {
            assert_eq!((packet.first, packet.body[0]), (0x20, 0), "{topic}");
            assert_ne!(packet.body[1], 0, "{topic} was accepted");
            client.expect_closed().await;
        }
    }
}

/// [MQTT-3.1.2-8], [MQTT-3.1.4-2]: slow; half of the connections are cut, half are taken over.
async fn every_one_of_many_quick_reconnects_has_its_will(broker: Broker) {
    let (mut watcher, topic) = watch(broker, 1).await;
    let id = broker.unique("mortal");
    let mut last = None;
    for number in 0..RECONNECTS {
        let connect = Connect::new(&id).will(Will::new(&topic, number.to_string()).qos(1));
        let client = Client::connect(broker, &connect).await;
        last = (number % 2 == 0).then_some(client);
    }
    drop(last);
    let mut wills = watcher.payloads(RECONNECTS).await;
    wills.sort_by_key(|will| will.parse::<usize>().unwrap());
    assert_eq!(wills, (0..RECONNECTS).map(|number| number.to_string()).collect::<Vec<_>>());
}
