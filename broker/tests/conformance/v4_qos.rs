//! The exchanges of QoS 0, 1 and 2: MQTT 3.1.1, 4.3, and 3.4 to 3.7.

use crate::{
    client::Client,
    message::Message,
    packet::{PUBACK, PUBCOMP, PUBREC, PUBREL, ack},
    target::Broker,
};

rules! {
    puback_has_the_identifier;
    pubrec_and_pubcomp_have_the_identifier;
    identifiers_are_free_again_after_their_exchange;
    a_repeated_qos_1_publish_is_acknowledged_again;
    a_repeated_qos_2_publish_is_delivered_once;
    a_qos_2_publish_may_be_repeated_often except(Mosquitto, "it closes at the second repetition");
    a_repeated_qos_2_publish_without_dup_is_delivered_once;
    an_identifier_is_new_after_its_pubrel;
    a_pubrel_is_answered_again;
    a_pubrel_of_an_unknown_identifier_is_answered;
    identifiers_of_the_two_sides_are_independent;
    a_qos_2_delivery_has_four_packets;
    a_qos_2_delivery_is_not_repeated_within_a_connection;
    the_qos_is_the_lower_of_both;
    unknown_acknowledgements_are_no_error;
    acknowledgements_may_come_out_of_order;
    identifiers_in_flight_differ;
    unacknowledged_messages_do_not_stop_the_answers;
    a_slow_subscriber_gets_everything_in_order;
}

/// [MQTT-2.3.1-6], [MQTT-4.3.2-2]
async fn puback_has_the_identifier(broker: Broker) {
    let topic = broker.unique("puback");
    let mut client = Client::clean(broker).await;
    for id in [1, 255, 256, 65_535] {
        client.send(Message::new(&topic, "x").qos(1, id).bytes()).await;
        client.expect(ack(PUBACK, id)).await;
    }
}

/// [MQTT-2.3.1-6], [MQTT-4.3.3-2]
async fn pubrec_and_pubcomp_have_the_identifier(broker: Broker) {
    let topic = broker.unique("pubrec");
    let mut client = Client::clean(broker).await;
    for id in [1, 255, 256, 65_535] {
        client.send(Message::new(&topic, "x").qos(2, id).bytes()).await;
        client.expect(ack(PUBREC, id)).await;
        client.send(ack(PUBREL, id)).await;
        client.expect(ack(PUBCOMP, id)).await;
    }
}

/// [MQTT-2.3.1-4]: the same one, at once.
async fn identifiers_are_free_again_after_their_exchange(broker: Broker) {
    let topic = broker.unique("again");
    let mut client = Client::clean(broker).await;
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 2).await;
    for qos in [1, 2, 1, 2] {
        client.publish_all(qos, [Message::new(&topic, qos.to_string())]).await;
    }
    assert_eq!(watcher.payloads(4).await, ["1", "2", "1", "2"]);
}

/// [MQTT-4.3.2-2]: the server may deliver it twice; it has to acknowledge it twice.
async fn a_repeated_qos_1_publish_is_acknowledged_again(broker: Broker) {
    let message = Message::new(broker.unique("repeat"), "x").qos(1, 5);
    let mut client = Client::clean(broker).await;
    for packet in [message.clone(), message.dup()] {
        client.send(packet.bytes()).await;
        client.expect(ack(PUBACK, 5)).await;
    }
}

/// The first publish and `repeats` of it, then the release: one message has to arrive.
async fn delivered_once(broker: Broker, first: Message, repeats: &[Message]) {
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&String::from_utf8_lossy(&first.topic), 2).await;
    let mut client = Client::clean(broker).await;
    client.send(first.bytes()).await;
    client.expect(ack(PUBREC, first.id)).await;
    for repeat in repeats {
        client.send(repeat.bytes()).await;
        client.expect(ack(PUBREC, first.id)).await;
    }
    client.send(ack(PUBREL, first.id)).await;
    client.expect(ack(PUBCOMP, first.id)).await;
    assert_eq!(watcher.acknowledged().await.text(), first.text());
    watcher.expect_silence().await;
}

/// [MQTT-4.3.3-2]
async fn a_repeated_qos_2_publish_is_delivered_once(broker: Broker) {
    let message = Message::new(broker.unique("repeat"), "once").qos(2, 5);
    delivered_once(broker, message.clone(), &[message.dup()]).await;
}

/// [MQTT-4.3.3-2]
async fn a_qos_2_publish_may_be_repeated_often(broker: Broker) {
    let message = Message::new(broker.unique("repeat"), "once").qos(2, 5);
    delivered_once(broker, message.clone(), &[message.clone().dup(), message.clone().dup(), message.dup()]).await;
}

/// [MQTT-4.3.3-2]: the identifier decides, "irrespective of DUP" (3.3.1.1).
async fn a_repeated_qos_2_publish_without_dup_is_delivered_once(broker: Broker) {
    let message = Message::new(broker.unique("repeat"), "once").qos(2, 5);
    delivered_once(broker, message.clone(), &[message]).await;
}

/// [MQTT-4.3.3-2]: also with DUP, which may be a repetition that this server never saw.
async fn an_identifier_is_new_after_its_pubrel(broker: Broker) {
    let topic = broker.unique("new");
    delivered_once(broker, Message::new(&topic, "one").qos(2, 5), &[]).await;
    delivered_once(broker, Message::new(&topic, "two").qos(2, 5).dup(), &[]).await;
}

/// [MQTT-4.3.3-2]: the PUBCOMP may have been lost.
async fn a_pubrel_is_answered_again(broker: Broker) {
    let mut client = Client::clean(broker).await;
    client.publish_all(2, [Message::new(broker.unique("release"), "x")]).await;
    client.send(ack(PUBREL, 1)).await;
    client.expect(ack(PUBCOMP, 1)).await;
}

/// 3.6.4, [MQTT-4.3.3-2]: the server may have lost its state, and the client cannot go on without.
async fn a_pubrel_of_an_unknown_identifier_is_answered(broker: Broker) {
    let mut client = Client::clean(broker).await;
    client.send(ack(PUBREL, 4711)).await;
    client.expect(ack(PUBCOMP, 4711)).await;
}

/// 2.3.1: client and server assign identifiers independently.
async fn identifiers_of_the_two_sides_are_independent(broker: Broker) {
    let topic = broker.unique("sides");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 1).await;
    Client::clean(broker).await.publish(Message::new(&topic, "in")).await;
    let held = client.message().await;
    client.send(Message::new(broker.unique("other"), "out").qos(1, held.id).bytes()).await;
    client.expect(ack(PUBACK, held.id)).await;
    client.send(ack(PUBACK, held.id)).await;
    client.ping().await;
}

/// [MQTT-4.3.3-1]
async fn a_qos_2_delivery_has_four_packets(broker: Broker) {
    let topic = broker.unique("four");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 2).await;
    Client::clean(broker).await.publish_all(2, [Message::new(&topic, "exactly")]).await;
    let message = client.message().await;
    assert!(message.qos == 2 && message.id != 0 && !message.dup, "{message:?}");
    client.expect_silence().await;
    client.send(ack(PUBREC, message.id)).await;
    client.expect(ack(PUBREL, message.id)).await;
    client.send(ack(PUBCOMP, message.id)).await;
    client.expect_silence().await;
}

/// [MQTT-4.3.3-1]: a PUBREC that comes twice is answered with a PUBREL, and not with the message.
async fn a_qos_2_delivery_is_not_repeated_within_a_connection(broker: Broker) {
    let topic = broker.unique("twice");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 2).await;
    Client::clean(broker).await.publish_all(2, [Message::new(&topic, "exactly")]).await;
    let message = client.message().await;
    client.send([ack(PUBREC, message.id), ack(PUBREC, message.id)].concat()).await;
    client.expect(ack(PUBREL, message.id)).await;
    client.expect(ack(PUBREL, message.id)).await;
    client.send(ack(PUBCOMP, message.id)).await;
    client.expect_silence().await;
}

/// [MQTT-3.8.4-6], [MQTT-4.3.1-1], [MQTT-4.3.2-1]
async fn the_qos_is_the_lower_of_both(broker: Broker) {
    let topic = broker.unique("lower");
    let mut publisher = Client::clean(broker).await;
    for granted in [0, 1, 2] {
        let mut client = Client::clean(broker).await;
        client.subscribe(&topic, granted).await;
        for published in [0, 1, 2] {
            publisher.publish_all(published, [Message::new(&topic, "x")]).await;
            let message = client.acknowledged().await;
            assert_eq!(message.qos, published.min(granted), "published at {published}, granted {granted}");
            assert_eq!(message.id == 0, message.qos == 0, "{message:?}");
        }
    }
}

/// 4.4: they may be of a session that the server has lost.
async fn unknown_acknowledgements_are_no_error(broker: Broker) {
    let mut client = Client::clean(broker).await;
    for first in [PUBACK, PUBCOMP] {
        client.send(ack(first, 4711)).await;
        client.ping().await;
    }
}

/// 4.6 binds clients; a server that closes for it would lose a session to a small fault.
async fn acknowledgements_may_come_out_of_order(broker: Broker) {
    let topic = broker.unique("order");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 1).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(1, (0..3).map(|_| Message::new(&topic, "x"))).await;
    let mut messages = Vec::new();
    for _ in 0..3 {
        messages.push(client.message().await);
    }
    for message in messages.iter().rev() {
        client.send(ack(PUBACK, message.id)).await;
    }
    client.ping().await;
    publisher.publish(Message::new(&topic, "more")).await;
    assert_eq!(client.payloads(1).await, ["more"]);
}

/// [MQTT-2.3.1-4]
async fn identifiers_in_flight_differ(broker: Broker) {
    let topic = broker.unique("differ");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 2).await;
    let mut publisher = Client::clean(broker).await;
    publisher.publish_all(1, (0..5).map(|_| Message::new(&topic, "x"))).await;
    publisher.publish_all(2, (0..5).map(|_| Message::new(&topic, "x"))).await;
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..10 {
        ids.insert(client.message().await.id);
    }
    assert!(ids.len() == 10 && !ids.contains(&0), "{ids:?}");
}

/// [MQTT-3.12.4-1], [MQTT-3.8.4-1], [MQTT-4.3.2-2]: however many messages the client has not acknowledged.
async fn unacknowledged_messages_do_not_stop_the_answers(broker: Broker) {
    const WAITING: usize = 150;
    let topic = broker.unique("waiting");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 1).await;
    Client::clean(broker).await.publish_all(1, (0..WAITING).map(|_| Message::new(&topic, "x"))).await;
    client.send([0xc0, 0]).await;
    client.send(Message::new(broker.unique("other"), "x").qos(1, 9).bytes()).await;
    client.send(crate::packet::subscribe(8, &[(&broker.unique("other"), 0)])).await;
    let mut missing = vec![vec![0xd0, 0], ack(PUBACK, 9), vec![0x90, 3, 0, 8, 0]];
    let mut held = Vec::new();
    while !missing.is_empty() {
        let packet = client.packet().await;
        match packet.is_publish() {
            true => held.push(Message::read(&packet, false)),
            false => missing.retain(|answer| *answer != packet.bytes()),
        }
    }
    let count = held.len();
    for message in held {
        client.send(ack(PUBACK, message.id)).await;
    }
    assert_eq!(client.payloads(WAITING - count).await.len(), WAITING - count);
}

/// [MQTT-4.3.2-1], [MQTT-4.6.0-6]: beyond any window, while the subscriber reads and acknowledges nothing.
async fn a_slow_subscriber_gets_everything_in_order(broker: Broker) {
    const MANY: usize = 1500;
    for qos in [1, 2] {
        let topic = broker.unique("slow");
        let mut client = Client::clean(broker).await;
        client.subscribe(&topic, qos).await;
        let mut publisher = Client::clean(broker).await;
        publisher.window = 20;
        let numbers: Vec<_> = (0..MANY).map(|number| number.to_string()).collect();
        publisher.publish_all(qos, numbers.iter().map(|number| Message::new(&topic, number))).await;
        assert_eq!(client.payloads(MANY).await, numbers, "QoS {qos}");
    }
}
