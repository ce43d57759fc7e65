//! SUBSCRIBE and SUBACK: MQTT 3.1.1, 3.8 and 3.9.

use crate::{
    client::Client,
    message::Message,
    packet::{suback, subscribe},
    target::Broker,
};

rules! {
    suback_has_the_identifier;
    suback_has_one_code_for_each_filter;
    many_filters_are_granted_together;
    a_subscribe_without_filters_closes;
    reserved_option_bits_close;
    a_bad_filter_is_refused_or_closes;
    a_good_filter_beside_a_refused_one_is_served;
    a_filter_that_may_not_be_read_is_refused except(Mosquitto, "its access rules do not look at filters");
    the_same_filter_replaces_the_subscription;
    the_same_filter_interrupts_nothing;
    overlapping_subscriptions_deliver_at_the_highest_qos;
    a_long_filter_is_granted;
}

/// [MQTT-3.8.4-1], [MQTT-3.8.4-2]
async fn suback_has_the_identifier(broker: Broker) {
    let mut client = Client::clean(broker).await;
    for id in [1, 255, 256, 65_535] {
        client.send(subscribe(id, &[(&broker.unique("suback"), 0)])).await;
        client.expect(suback(id, &[0])).await;
    }
}

/// [MQTT-3.8.4-5], [MQTT-3.9.3-1], [MQTT-3.9.3-2]
async fn suback_has_one_code_for_each_filter(broker: Broker) {
    let [a, b, c] = ["a", "b", "c"].map(|label| broker.unique(label));
    let mut client = Client::clean(broker).await;
    client.send(subscribe(3, &[(&a, 2), (&b, 0), (&c, 1), (&a, 1)])).await;
    client.expect(suback(3, &[2, 0, 1, 1])).await;
}

/// [MQTT-3.8.4-4]
async fn many_filters_are_granted_together(broker: Broker) {
    const MANY: usize = 300;
    let base = broker.unique("many");
    let filters: Vec<_> = (0..MANY).map(|number| format!("{base}/{number}")).collect();
    let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), 1)).collect();
    let mut client = Client::clean(broker).await;
    client.send(subscribe(4, &filters)).await;
    client.expect(suback(4, &[1; MANY])).await;
    client.publish_all(0, [Message::new(format!("{base}/299"), "last")]).await;
    assert_eq!(client.payloads(1).await, ["last"]);
}

/// [MQTT-3.8.3-3]
async fn a_subscribe_without_filters_closes(broker: Broker) {
    let mut client = Client::clean(broker).await;
    client.send(subscribe(1, &[])).await;
    client.expect_closed().await;
}

/// [MQTT-3.8.3-4]: QoS 3, and each of the six upper bits.
async fn reserved_option_bits_close(broker: Broker) {
    for options in [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff] {
        let mut client = Client::clean(broker).await;
        client.send(subscribe(1, &[("bits", options)])).await;
        assert_eq!(client.next().await, None, "the answer to options {options:#x}");
    }
}

/// [MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1]
async fn a_bad_filter_is_refused_or_closes(broker: Broker) {
    for filter in ["", "a/#/b", "#/a", "a#", "a/b#", "##", "#a", "a+", "+a", "a/+b/c", "++", "+#"] {
        let mut client = Client::clean(broker).await;
        client.send(subscribe(1, &[(filter, 0)])).await;
        if let Some(packet) = client.next().await {
            assert_eq!(packet.bytes(), suback(1, &[0x80]), "the answer to {filter}");
            client.ping().await;
        }
    }
}

/// [MQTT-3.8.4-4], where bad filters are refused.
async fn a_good_filter_beside_a_refused_one_is_served(broker: Broker) {
    let topic = broker.unique("good");
    let mut client = Client::clean(broker).await;
    client.send(subscribe(1, &[("a/#/b", 0), (&topic, 0)])).await;
    if let Some(packet) = client.next().await {
        assert_eq!(packet.bytes(), suback(1, &[0x80, 0]));
        client.publish_all(0, [Message::new(&topic, "served")]).await;
        assert_eq!(client.payloads(1).await, ["served"]);
    }
}

/// [MQTT-3.8.4-5], [MQTT-3.9.3-2]: the gate's rules deny everybody to read this topic.
async fn a_filter_that_may_not_be_read_is_refused(broker: Broker) {
    let mut client = Client::clean(broker).await;
    client.send(subscribe(1, &[("test/nosubscribe", 2), (&broker.unique("free"), 2)])).await;
    client.expect(suback(1, &[0x80, 2])).await;
    client.ping().await;
}

/// [MQTT-3.8.4-3]: one copy, at the later QoS.
async fn the_same_filter_replaces_the_subscription(broker: Broker) {
    let topic = broker.unique("same");
    let mut publisher = Client::clean(broker).await;
    let mut client = Client::clean(broker).await;
    for qos in [0, 2, 1, 0] {
        client.subscribe(&topic, qos).await;
        publisher.publish_all(2, [Message::new(&topic, "x")]).await;
        assert_eq!(client.acknowledged().await.qos, qos);
        client.expect_silence().await;
    }
}

/// [MQTT-3.8.4-3]
async fn the_same_filter_interrupts_nothing(broker: Broker) {
    const MESSAGES: u16 = 100;
    let topic = broker.unique("flow");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 1).await;
    let mut publisher = Client::clean(broker).await;
    let publishing = publisher.publish_all(1, (0..MESSAGES).map(|number| Message::new(&topic, number.to_string())));
    let receiving = async {
        let mut got = Vec::new();
        while got.len() < usize::from(MESSAGES) {
            client.send(subscribe(7, &[(&topic, 1)])).await;
            let packet = client.packet().await;
            if packet.is_publish() {
                let message = Message::read(&packet, false);
                client.send(crate::packet::ack(crate::packet::PUBACK, message.id)).await;
                got.push(message.text());
            }
        }
        got
    };
    let ((), got) = tokio::join!(publishing, receiving);
    assert_eq!(got, (0..MESSAGES).map(|number| number.to_string()).collect::<Vec<_>>());
}

/// [MQTT-3.3.5-1]: one copy or one for each subscription, and one of them at the highest QoS.
async fn overlapping_subscriptions_deliver_at_the_highest_qos(broker: Broker) {
    let base = broker.unique("overlap");
    let topic = format!("{base}/a");
    let filters = [(topic.clone(), 0), (format!("{base}/+"), 2), (format!("{base}/#"), 1)];
    let mut client = Client::clean(broker).await;
    for (filter, qos) in &filters {
        client.subscribe(filter, *qos).await;
    }
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(2, [Message::new(&topic, "x")]).await;
    publisher.publish_all(0, [Message::new(format!("{base}/end"), "end")]).await;
    let mut copies = Vec::new();
    loop {
        let message = client.acknowledged().await;
        match message.text() == "end" {
            true => break,
            false => copies.push(message.qos),
        }
    }
    copies.sort_unstable();
    assert!(copies == [2] || copies == [0, 1, 2], "copies at {copies:?}");
}

/// [MQTT-4.7.3-3]: up to 65,535 bytes; 4.7.1 leaves the number of levels to the server.
async fn a_long_filter_is_granted(broker: Broker) {
    for length in [4000, 60_000] {
        let topic = format!("{}/{}", broker.unique("long"), "x".repeat(length));
        let mut client = Client::clean(broker).await;
        client.subscribe(&topic, 0).await;
        client.publish_all(0, [Message::new(&topic, "x")]).await;
        assert_eq!(client.message().await, Message::new(&topic, "x"));
    }
}
