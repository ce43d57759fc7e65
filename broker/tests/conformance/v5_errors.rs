//! Malformed packets and protocol errors, and how a server says so: MQTT 5, 4.13, and 1.5, 2.1 and 2.2.

use crate::{
    client::Client,
    client5::{MALFORMED_OR_PROTOCOL_ERROR, subscribe, unsubscribe},
    message::Message,
    packet::{CONNACK, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK, ack, frame, text},
    property::{
        CONTENT_TYPE, CORRELATION_DATA, MESSAGE_EXPIRY, PAYLOAD_FORMAT, Property, RESPONSE_TOPIC, SESSION_EXPIRY,
        TOPIC_ALIAS, Value, user,
    },
    target::Broker,
};

rules! {
    flags_of_publishing_acknowledgements_are_errors except(Mosquitto, "it does not look at their flags");
    flags_of_pubrel_are_an_error;
    flags_of_subscribe_and_unsubscribe_are_errors;
    packets_of_servers_are_errors except(Mosquitto, "it ignores some of them");
    the_reserved_type_is_an_error;
    packet_identifier_0_is_an_error;
    qos_3_is_an_error;
    dup_at_qos_0_is_an_error except(Mosquitto, "it ignores the DUP flag at QoS 0");
    wildcards_in_a_topic_are_an_error;
    ill_formed_text_is_an_error;
    a_property_twice_is_an_error;
    a_property_of_another_packet_is_an_error;
    an_unknown_property_is_an_error;
    nonsense_in_a_property_is_an_error except(Mosquitto, "it passes any payload format on");
    wildcards_in_a_response_topic_are_an_error except(Mosquitto, "it does not look at response topics");
    missing_properties_are_an_error;
    a_remaining_length_of_five_bytes_is_an_error;
    a_length_in_more_bytes_than_needed_is_an_error except(Mosquitto, "it reads such lengths");
    nothing_precedes_connack;
}

/// A connected client sends each of `packets` on a connection of its own; each has to be answered by a DISCONNECT with
/// one of `reasons`. [MQTT-4.13.1-1]
async fn errors(broker: Broker, reasons: &[u8], packets: &[Vec<u8>]) {
    for packet in packets {
        let mut client = Client::clean5(broker, &[]).await;
        eprintln!("sends {packet:02x?}");
        client.send(packet).await;
        client.expect_disconnect(reasons).await;
    }
}

fn with_flag(packet: &[u8]) -> Vec<u8> {
    [&[packet[0] ^ 1], &packet[1..]].concat()
}

fn publish(properties: &[Property]) -> Vec<u8> {
    Message::new("errors", "x").v5(properties).bytes()
}

/// [MQTT-2.1.3-1]
async fn flags_of_publishing_acknowledgements_are_errors(broker: Broker) {
    let packets = [PUBACK, PUBREC, PUBCOMP].map(|first| with_flag(&ack(first, 1)));
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// [MQTT-3.6.1-1]
async fn flags_of_pubrel_are_an_error(broker: Broker) {
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &[with_flag(&ack(PUBREL, 1)), ack(0x60, 1)]).await;
}

/// [MQTT-3.8.1-1], [MQTT-3.10.1-1]
async fn flags_of_subscribe_and_unsubscribe_are_errors(broker: Broker) {
    let packets = [with_flag(&subscribe(1, &[], &[("flags", 0)])), with_flag(&unsubscribe(1, &["flags"]))];
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// 2.1.2
async fn packets_of_servers_are_errors(broker: Broker) {
    let packets =
        [frame(CONNACK, &[0, 0, 0]), frame(SUBACK, &[0, 1, 0, 0]), frame(UNSUBACK, &[0, 1, 0, 0]), PINGRESP.to_vec()];
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// 2.1.2
async fn the_reserved_type_is_an_error(broker: Broker) {
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &[vec![0, 0]]).await;
}

/// [MQTT-2.2.1-3]
async fn packet_identifier_0_is_an_error(broker: Broker) {
    let publish = |qos| Message::new("zero", "x").qos(qos, 0).v5(&[]).bytes();
    let packets = [publish(1), publish(2), subscribe(0, &[], &[("zero", 0)]), unsubscribe(0, &["zero"])];
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// [MQTT-3.3.1-4]
async fn qos_3_is_an_error(broker: Broker) {
    errors(broker, &[0x81, 0x82, 0x9b], &[frame(0x36, &[text("three"), vec![0, 1, 0]].concat())]).await;
}

/// [MQTT-3.3.1-2]
async fn dup_at_qos_0_is_an_error(broker: Broker) {
    let packet = Message::new("dup", "x").dup().v5(&[]).bytes();
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &[packet]).await;
}

/// [MQTT-3.3.2-2], [MQTT-4.7.0-1]: the connection may also go on, after an acknowledgement with 0x90.
async fn wildcards_in_a_topic_are_an_error(broker: Broker) {
    for topic in ["#", "a/+", "a/#"] {
        for qos in [0, 1, 2] {
            let mut client = Client::clean5(broker, &[]).await;
            client.send(Message::new(topic, "x").qos(qos, 1).v5(&[]).bytes()).await;
            let packet = client.packet().await;
            let reason = match packet.first {
                0xe0 => packet.body.first(),
                _ => packet.body.get(2),
            };
            assert!(reason.is_some_and(|reason| [0x81, 0x82, 0x90].contains(reason)), "{topic}: {packet:?}");
        }
    }
}

/// [MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-1.5.7-1]
async fn ill_formed_text_is_an_error(broker: Broker) {
    let topics = [&b"a\xff"[..], b"\xed\xa0\x80", b"a\0b"].map(|topic| Message::new(topic, "x").v5(&[]).bytes());
    errors(broker, &[0x81, 0x82, 0x90], &topics).await;
    let properties = [
        publish(&[(CONTENT_TYPE, Value::text(b"a\xff"))]),
        publish(&[(RESPONSE_TOPIC, Value::text(b"\xc0\x80"))]),
        publish(&[(0x26, Value::Pair(b"a\xff".to_vec(), b"b".to_vec()))]),
        publish(&[(0x26, Value::Pair(b"a".to_vec(), b"\xed\xbf\xbf".to_vec()))]),
    ];
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &properties).await;
}

/// 3.3.2.3: each but the user property and the subscription identifier.
async fn a_property_twice_is_an_error(broker: Broker) {
    let packets = [
        (PAYLOAD_FORMAT, Value::Byte(1)),
        (MESSAGE_EXPIRY, Value::Four(60)),
        (TOPIC_ALIAS, Value::Two(1)),
        (RESPONSE_TOPIC, Value::text("answers")),
        (CORRELATION_DATA, Value::text("data")),
        (CONTENT_TYPE, Value::text("type")),
    ]
    .map(|property| publish(&[property.clone(), property]));
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// 2.2.2.2
async fn a_property_of_another_packet_is_an_error(broker: Broker) {
    let packets = [
        publish(&[(SESSION_EXPIRY, Value::Four(1))]),
        subscribe(1, &[(CONTENT_TYPE, Value::text("type"))], &[("other", 0)]),
    ];
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// 2.2.2.2
async fn an_unknown_property_is_an_error(broker: Broker) {
    let packets = [publish(&[(0x7f, Value::Byte(1))]), subscribe(1, &[(0x04, Value::Byte(1))], &[("unknown", 0)])];
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// 3.3.2.3.2
async fn nonsense_in_a_property_is_an_error(broker: Broker) {
    errors(broker, &[0x81, 0x82, 0x99], &[publish(&[(PAYLOAD_FORMAT, Value::Byte(2))])]).await;
}

/// [MQTT-3.3.2-14]
async fn wildcards_in_a_response_topic_are_an_error(broker: Broker) {
    let packets = ["a/+", "#"].map(|topic| publish(&[(RESPONSE_TOPIC, Value::text(topic))]));
    errors(broker, &[0x81, 0x82, 0x90], &packets).await;
}

/// 2.2.2.1: properties longer than their packet, and a length that is not there.
async fn missing_properties_are_an_error(broker: Broker) {
    let topic = text("short");
    let packets = [
        frame(0x30, &topic),
        frame(0x30, &[topic.clone(), vec![9]].concat()),
        frame(0x30, &[topic, vec![2, PAYLOAD_FORMAT]].concat()),
        frame(0x82, &[0, 1]),
        frame(0xa2, &[0, 1]),
    ];
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// 1.5.5
async fn a_remaining_length_of_five_bytes_is_an_error(broker: Broker) {
    let packets = [0x30, 0x82].map(|first| vec![first, 0x80, 0x80, 0x80, 0x80, 0x01]);
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &packets).await;
}

/// [MQTT-1.5.5-1]: of the packet, and of the properties.
async fn a_length_in_more_bytes_than_needed_is_an_error(broker: Broker) {
    let properties = frame(0x30, &[text("long"), vec![0x80, 0x00, b'x']].concat());
    errors(broker, &MALFORMED_OR_PROTOCOL_ERROR, &[vec![0xc0, 0x80, 0x00], properties]).await;
}

/// [MQTT-3.14.0-1], [MQTT-3.2.0-1]: no DISCONNECT to a client that has not been accepted.
async fn nothing_precedes_connack(broker: Broker) {
    for packet in [vec![0xc0, 0], publish(&[user("a", "b")]), vec![0xf0, 0], vec![0xe0, 0]] {
        let mut client = Client::open5(broker).await;
        client.send(packet).await;
        client.expect_closed().await;
    }
}
