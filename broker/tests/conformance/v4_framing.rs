//! The frame of control packets: MQTT 3.1.1, 2.2 and 2.3.

use crate::{
    client::Client,
    connect::{Connect, Will},
    message::Message,
    packet::{
        CONNACK, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, UNSUBACK, ack, connack, frame, suback, subscribe,
        text, unsubscribe,
    },
    target::Broker,
};

rules! {
    connect_with_flags_closes;
    puback_with_flags_closes except(Mosquitto, "it does not look at the flags of a PUBACK");
    pubrec_with_flags_closes except(Mosquitto, "it does not look at the flags of a PUBREC");
    pubrel_with_other_flags_closes;
    pubcomp_with_flags_closes except(Mosquitto, "it does not look at the flags of a PUBCOMP");
    subscribe_with_other_flags_closes;
    unsubscribe_with_other_flags_closes;
    pingreq_with_flags_closes except(Mosquitto, "it does not look at the flags of a PINGREQ");
    disconnect_with_flags_is_no_farewell;
    disconnect_with_a_body_is_no_farewell;
    a_remaining_length_of_five_bytes_closes;
    packet_identifier_0_closes;
    connack_of_a_client_closes;
    suback_of_a_client_closes except(Mosquitto, "it ignores a SUBACK");
    unsuback_of_a_client_closes except(Mosquitto, "it ignores a UNSUBACK");
    pingresp_of_a_client_closes except(Mosquitto, "it ignores a PINGRESP");
    reserved_packet_types_close;
    a_packet_shorter_than_its_fields_closes;
    an_acknowledgement_longer_than_its_fields_closes except(Mosquitto, "it ignores what follows the last field");
    a_ping_with_a_body_closes except(Mosquitto, "it ignores what follows the last field");
    packets_may_come_byte_by_byte;
    packets_may_come_together;
    a_packet_may_be_larger_than_a_segment;
}

/// A connected client sends each of `packets` on a connection of its own; each has to close it.
async fn each_closes(broker: Broker, packets: &[Vec<u8>]) {
    for packet in packets {
        let mut client = Client::clean(broker).await;
        client.send(packet).await;
        let answer = client.next().await;
        assert_eq!(answer, None, "the answer to {packet:02x?}");
    }
}

/// The packet with this type and each of the other 15 values of its flags.
fn with_other_flags(packet: &[u8]) -> Vec<Vec<u8>> {
    let others = (0..16).filter(|flags| *flags != packet[0] & 0x0f);
    others.map(|flags| [&[packet[0] & 0xf0 | flags], &packet[1..]].concat()).collect()
}

/// [MQTT-2.2.2-1], [MQTT-2.2.2-2]
async fn connect_with_flags_closes(broker: Broker) {
    for packet in with_other_flags(&Connect::new(&broker.unique("flags")).bytes()) {
        let mut client = Client::open(broker).await;
        client.send(packet).await;
        client.expect_closed().await;
    }
}

/// [MQTT-2.2.2-2]
async fn puback_with_flags_closes(broker: Broker) {
    each_closes(broker, &with_other_flags(&ack(PUBACK, 1))).await;
}

/// [MQTT-2.2.2-2]
async fn pubrec_with_flags_closes(broker: Broker) {
    each_closes(broker, &with_other_flags(&ack(PUBREC, 1))).await;
}

/// [MQTT-2.2.2-2], [MQTT-3.6.1-1]
async fn pubrel_with_other_flags_closes(broker: Broker) {
    each_closes(broker, &with_other_flags(&ack(PUBREL, 1))).await;
}

/// [MQTT-2.2.2-2]
async fn pubcomp_with_flags_closes(broker: Broker) {
    each_closes(broker, &with_other_flags(&ack(PUBCOMP, 1))).await;
}

/// [MQTT-2.2.2-2], [MQTT-3.8.1-1]
async fn subscribe_with_other_flags_closes(broker: Broker) {
    each_closes(broker, &with_other_flags(&subscribe(1, &[("flags", 0)]))).await;
}

/// [MQTT-2.2.2-2], [MQTT-3.10.1-1]
async fn unsubscribe_with_other_flags_closes(broker: Broker) {
    each_closes(broker, &with_other_flags(&unsubscribe(1, &["flags"]))).await;
}

/// [MQTT-2.2.2-2]
async fn pingreq_with_flags_closes(broker: Broker) {
    each_closes(broker, &with_other_flags(&PINGREQ)).await;
}

/// [MQTT-2.2.2-2], [MQTT-3.14.1-1]: so the will is published.
async fn disconnect_with_flags_is_no_farewell(broker: Broker) {
    is_no_farewell(broker, &[0xe1, 0]).await;
}

/// 3.14.2, 3.14.3, [MQTT-4.8.0-1]
async fn disconnect_with_a_body_is_no_farewell(broker: Broker) {
    is_no_farewell(broker, &[0xe0, 1, 0]).await;
}

/// The will is published after `packet`.
async fn is_no_farewell(broker: Broker, packet: &[u8]) {
    let topic = broker.unique("farewell");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let connect = Connect::new(&broker.unique("farewell")).will(Will::new(&topic, "gone"));
    let mut client = Client::connect(broker, &connect).await;
    client.send(packet).await;
    client.expect_closed().await;
    assert_eq!(watcher.message().await, Message::new(&topic, "gone"));
}

/// 2.2.3: at most four bytes.
async fn a_remaining_length_of_five_bytes_closes(broker: Broker) {
    let packets = [0x30, 0x82, 0xc0].map(|first| vec![first, 0x80, 0x80, 0x80, 0x80, 0x01]);
    each_closes(broker, &packets).await;
    let mut client = Client::open(broker).await;
    client.send([0x10, 0xff, 0xff, 0xff, 0xff, 0x7f]).await;
    client.expect_closed().await;
}

/// [MQTT-2.3.1-1]
async fn packet_identifier_0_closes(broker: Broker) {
    let publish = |qos| Message::new("zero", "").qos(qos, 0).bytes();
    each_closes(broker, &[publish(1), publish(2), subscribe(0, &[("zero", 0)]), unsubscribe(0, &["zero"])]).await;
}

/// 2.2.1: it flows from the server only. [MQTT-4.8.0-1]
async fn connack_of_a_client_closes(broker: Broker) {
    each_closes(broker, &[frame(CONNACK, &[0, 0])]).await;
}

/// 2.2.1, [MQTT-4.8.0-1]
async fn suback_of_a_client_closes(broker: Broker) {
    each_closes(broker, &[suback(1, &[0])]).await;
}

/// 2.2.1, [MQTT-4.8.0-1]
async fn unsuback_of_a_client_closes(broker: Broker) {
    each_closes(broker, &[ack(UNSUBACK, 1)]).await;
}

/// 2.2.1, [MQTT-4.8.0-1]
async fn pingresp_of_a_client_closes(broker: Broker) {
    each_closes(broker, &[PINGRESP.to_vec()]).await;
}

/// 2.2.1: the types 0 and 15. [MQTT-4.8.0-1]
async fn reserved_packet_types_close(broker: Broker) {
    each_closes(broker, &[vec![0x00, 0], vec![0xf0, 0], frame(0xf0, &[0, 1])]).await;
    for packet in [[0x00, 0], [0xf0, 0]] {
        let mut client = Client::open(broker).await;
        client.send(packet).await;
        client.expect_closed().await;
    }
}

/// [MQTT-4.8.0-1]
async fn a_packet_shorter_than_its_fields_closes(broker: Broker) {
    let acks = [PUBACK, PUBREC, PUBREL, PUBCOMP].into_iter().flat_map(|first| [frame(first, &[]), frame(first, &[0])]);
    let publish = [vec![], vec![0], vec![0, 9, b'a']].map(|body| frame(0x30, &body));
    let without_identifier = [frame(0x32, &text("short")), frame(0x34, &[text("short"), vec![1]].concat())];
    let subscribe = [vec![], vec![0], vec![0, 1, 0], vec![0, 1, 0, 9, b'a'], [vec![0, 1], text("short")].concat()];
    let unsubscribe = [vec![], vec![0, 1, 0], vec![0, 1, 0, 9, b'a']].map(|body| frame(0xa2, &body));
    let packets = acks.chain(publish).chain(without_identifier).chain(subscribe.map(|body| frame(0x82, &body)));
    each_closes(broker, &packets.chain(unsubscribe).collect::<Vec<_>>()).await;
}

/// [MQTT-4.8.0-1]
async fn an_acknowledgement_longer_than_its_fields_closes(broker: Broker) {
    each_closes(broker, &[PUBACK, PUBREC, PUBREL, PUBCOMP].map(|first| frame(first, &[0, 1, 0]))).await;
}

/// [MQTT-4.8.0-1]
async fn a_ping_with_a_body_closes(broker: Broker) {
    each_closes(broker, &[frame(0xc0, &[0])]).await;
}

/// 4.2: a connection is a stream, however it is cut.
async fn packets_may_come_byte_by_byte(broker: Broker) {
    let topic = broker.unique("slow");
    let publish = Message::new(&topic, "slowly").qos(1, 9).bytes();
    let mut client = Client::open(broker).await;
    for (packet, answer) in [
        (Connect::new(&topic).bytes(), connack(false)),
        (subscribe(1, &[(&topic, 0)]), vec![0x90, 3, 0, 1, 0]),
        (publish, ack(PUBACK, 9)),
    ] {
        for byte in packet {
            client.send([byte]).await;
            tokio::task::yield_now().await;
        }
        let mut packet = client.packet().await;
        if packet.is_publish() {
            packet = client.packet().await;
        }
        assert_eq!(packet.bytes(), answer);
    }
}

/// 4.2: and however it is joined.
async fn packets_may_come_together(broker: Broker) {
    let topic = broker.unique("together");
    let mut client = Client::clean(broker).await;
    let publish = (1..=500u16).flat_map(|id| Message::new(&topic, id.to_string()).qos(1, id).bytes());
    client.send(publish.chain(PINGREQ).collect::<Vec<_>>()).await;
    for id in 1..=500 {
        client.expect(ack(PUBACK, id)).await;
    }
    client.expect([0xd0, 0]).await;
}

/// 2.2.3: remaining lengths of one, two and three bytes, at their borders.
async fn a_packet_may_be_larger_than_a_segment(broker: Broker) {
    let topic = broker.unique("large");
    let mut client = Client::clean(broker).await;
    client.subscribe(&topic, 0).await;
    for remaining_length in [127, 128, 16_383, 16_384, 60_000] {
        let message = Message::new(&topic, "x".repeat(remaining_length - 2 - topic.len()));
        client.send(message.bytes()).await;
        client.expect(message.bytes()).await;
    }
}
