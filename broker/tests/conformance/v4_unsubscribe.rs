//! UNSUBSCRIBE and UNSUBACK: MQTT 3.1.1, 3.10 and 3.11.

use crate::{
    client::Client,
    message::Message,
    packet::{PUBACK, UNSUBACK, ack, suback, subscribe, unsubscribe},
    target::Broker,
};

rules! {
    unsuback_has_the_identifier;
    an_unknown_filter_is_acknowledged_too;
    an_unsubscribe_without_filters_closes;
    deliveries_stop;
    several_filters_are_unsubscribed_together;
    only_the_same_filter_is_unsubscribed;
    a_started_delivery_is_completed;
    a_filter_can_be_subscribed_anew;
}

/// [MQTT-3.10.4-4]
async fn unsuback_has_the_identifier(broker: Broker) {
    let mut client = Client::clean(broker).await;
    for id in [1, 255, 256, 65_535] {
        let filter = broker.unique("unsuback");
        client.subscribe(&filter, 0).await;
        client.send(unsubscribe(id, &[&filter])).await;
        client.expect(ack(UNSUBACK, id)).await;
    }
}

/// [MQTT-3.10.4-5]
async fn an_unknown_filter_is_acknowledged_too(broker: Broker) {
    let mut client = Client::clean(broker).await;
    client.send(unsubscribe(3, &[&broker.unique("unknown"), "never/+/subscribed/#"])).await;
    client.expect(ack(UNSUBACK, 3)).await;
}

/// [MQTT-3.10.3-2]
async fn an_unsubscribe_without_filters_closes(broker: Broker) {
    let mut client = Client::clean(broker).await;
    client.send(unsubscribe(1, &[])).await;
    client.expect_closed().await;
}

/// [MQTT-3.10.4-2]
async fn deliveries_stop(broker: Broker) {
    let topic = broker.unique("stop");
    let mut publisher = Client::clean(broker).await;
    for qos in [0, 1, 2] {
        let mut client = Client::clean(broker).await;
        client.subscribe(&topic, qos).await;
        publisher.publish(Message::new(&topic, "before")).await;
        assert_eq!(client.payloads(1).await, ["before"]);
        client.send(unsubscribe(2, &[&topic])).await;
        client.expect(ack(UNSUBACK, 2)).await;
        publisher.publish(Message::new(&topic, "after")).await;
        client.expect_silence().await;
    }
}

/// [MQTT-3.10.4-6]
async fn several_filters_are_unsubscribed_together(broker: Broker) {
    let [a, b, c] = ["a", "b", "c"].map(|label| broker.unique(label));
    let mut client = Client::clean(broker).await;
    client.send(subscribe(1, &[(&a, 0), (&b, 0), (&c, 0)])).await;
    client.expect(suback(1, &[0, 0, 0])).await;
    client.send(unsubscribe(2, &[&a, &broker.unique("unknown"), &c])).await;
    client.expect(ack(UNSUBACK, 2)).await;
    Client::clean(broker).await.publish_all(1, [&a, &b, &c].map(|topic| Message::new(topic, "x"))).await;
    assert_eq!(client.message().await, Message::new(&b, "x"));
    client.expect_silence().await;
}

/// [MQTT-3.10.4-1]: a filter that would match is not the same one.
async fn only_the_same_filter_is_unsubscribed(broker: Broker) {
    let base = broker.unique("same");
    let topic = format!("{base}/a");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 0).await;
    client.send(unsubscribe(2, &[&format!("{base}/+"), &format!("{base}/#"), &format!("{base}/A"), &base])).await;
    client.expect(ack(UNSUBACK, 2)).await;
    Client::clean(broker).await.publish(Message::new(&topic, "x")).await;
    assert_eq!(client.message().await, Message::new(&topic, "x"));
}

/// [MQTT-3.10.4-3]
async fn a_started_delivery_is_completed(broker: Broker) {
    let topic = broker.unique("started");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 2).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(1, [Message::new(&topic, "one")]).await;
    publisher.publish_all(2, [Message::new(&topic, "two")]).await;
    let (one, two) = (client.message().await, client.message().await);
    client.send(unsubscribe(2, &[&topic])).await;
    client.expect(ack(UNSUBACK, 2)).await;
    client.send(ack(PUBACK, one.id)).await;
    client.send(ack(crate::packet::PUBREC, two.id)).await;
    client.expect(ack(crate::packet::PUBREL, two.id)).await;
    client.send(ack(crate::packet::PUBCOMP, two.id)).await;
    client.expect_silence().await;
}

/// 3.10.4: nothing of the old subscription is left.
async fn a_filter_can_be_subscribed_anew(broker: Broker) {
    let topic = broker.unique("anew");
    let mut client = Client::clean(broker).await;
    for qos in [1, 0] {
        client.subscribe(&topic, qos).await;
        Client::clean(broker).await.publish(Message::new(&topic, "x")).await;
        assert_eq!(client.acknowledged().await.qos, qos);
        client.send(unsubscribe(2, &[&topic])).await;
        client.expect(ack(UNSUBACK, 2)).await;
    }
}
