//! CONNECT and CONNACK: MQTT 3.1.1, 3.1 and 3.2.

use crate::{
    client::Client,
    connect::{Connect, Will, header},
    message::Message,
    packet::{PINGREQ, PUBACK, ack, connack, frame, suback, subscribe, text},
    target::Broker,
};

rules! {
    the_first_packet_is_connect;
    a_second_connect_closes;
    an_unknown_protocol_name_is_refused;
    an_unknown_level_is_refused_with_its_code;
    a_later_level_is_refused_with_its_code;
    mqtt_3_1_is_refused_or_spoken;
    the_reserved_connect_flag_closes;
    will_qos_without_will_closes;
    will_retain_without_will_closes;
    will_qos_3_closes;
    a_password_without_user_name_closes;
    a_missing_field_closes;
    what_follows_the_last_field_closes;
    an_empty_identifier_with_a_kept_session_is_refused;
    an_empty_identifier_with_a_clean_session_is_accepted;
    identifiers_of_all_letters_and_digits_are_accepted;
    a_long_identifier_is_accepted_or_refused_with_its_code;
    packets_right_after_connect_are_served;
    packets_after_a_refused_connect_are_not_served;
    a_takeover_closes_the_older_connection;
    a_takeover_publishes_the_older_will;
    a_takeover_of_a_session_publishes_the_older_will except(Mosquitto, "it drops the will of a session that goes on");
}

/// Sends `packet` where a CONNECT has to come.
async fn closed_at_once(broker: Broker, packet: &[u8]) {
    let mut client = Client::open(broker).await;
    client.send(packet).await;
    client.expect_closed().await;
}

/// Sends a CONNECT with these flags and this payload.
async fn refused(broker: Broker, flags: u8, payload: &[Vec<u8>]) {
    let body = [header("MQTT", 4, flags, 0), payload.concat()].concat();
    closed_at_once(broker, &frame(0x10, &body)).await;
}

/// [MQTT-3.1.0-1]
async fn the_first_packet_is_connect(broker: Broker) {
    closed_at_once(broker, &PINGREQ).await;
    closed_at_once(broker, &Message::new("a", "b").bytes()).await;
    closed_at_once(broker, &subscribe(1, &[("a", 0)])).await;
    closed_at_once(broker, &[0xe0, 0]).await;
}

/// [MQTT-3.1.0-2]
async fn a_second_connect_closes(broker: Broker) {
    let connect = Connect::new(&broker.unique("twice"));
    let mut client = Client::connect(broker, &connect).await;
    client.send(connect.bytes()).await;
    client.expect_closed().await;
}

/// [MQTT-3.1.2-1] leaves open whether the server answers; it must not go on by this standard.
async fn an_unknown_protocol_name_is_refused(broker: Broker) {
    for name in ["MQTZ", "mqtt", ""] {
        let mut client = Client::open(broker).await;
        client.send(frame(0x10, &[header(name, 4, 2, 0), text(broker.unique("name"))].concat())).await;
        refused_with(&mut client, 1).await;
    }
}

/// [MQTT-3.1.2-2], [MQTT-3.2.2-4], [MQTT-3.2.2-5]
async fn an_unknown_level_is_refused_with_its_code(broker: Broker) {
    for level in [0, 1, 2] {
        let mut client = Client::open(broker).await;
        client.send(frame(0x10, &[header("MQTT", level, 2, 0), text(broker.unique("level"))].concat())).await;
        client.expect([0x20, 2, 0, 1]).await;
        client.expect_closed().await;
    }
}

/// [MQTT-3.1.2-2]; a server that speaks MQTT 5 too may answer by that standard.
async fn a_later_level_is_refused_with_its_code(broker: Broker) {
    for level in [6, 127] {
        let mut client = Client::open(broker).await;
        client.send(frame(0x10, &[header("MQTT", level, 2, 0), vec![0], text(broker.unique("level"))].concat())).await;
        let answer = client.packet().await.bytes();
        assert!(answer == [0x20, 2, 0, 1] || answer.starts_with(&[0x20, 3, 0, 0x84]), "{answer:02x?}");
        client.expect_closed().await;
    }
}

/// [MQTT-3.1.2-2] for the level 3 of MQTT 3.1, which a server may also speak.
async fn mqtt_3_1_is_refused_or_spoken(broker: Broker) {
    let mut client = Client::open(broker).await;
    client.send(frame(0x10, &[header("MQIsdp", 3, 2, 0), text(broker.unique("old"))].concat())).await;
    match client.next().await.map(|packet| packet.bytes()) {
        Some(bytes) if bytes == connack(false) => client.ping().await,
        Some(bytes) => {
            assert_eq!(bytes, [0x20, 2, 0, 1]);
            client.expect_closed().await;
        }
        None => {}
    }
}

/// The connection is closed, with or without a CONNACK that says why.
async fn refused_with(client: &mut Client, code: u8) {
    if let Some(packet) = client.next().await {
        assert_eq!(packet.bytes(), [0x20, 2, 0, code]);
        client.expect_closed().await;
    }
}

/// [MQTT-3.1.2-3]
async fn the_reserved_connect_flag_closes(broker: Broker) {
    refused(broker, 0x03, &[text(broker.unique("reserved"))]).await;
}

/// [MQTT-3.1.2-11], [MQTT-3.1.2-13]
async fn will_qos_without_will_closes(broker: Broker) {
    for qos in [1, 2] {
        refused(broker, 0x02 | qos << 3, &[text(broker.unique("will"))]).await;
    }
}

/// [MQTT-3.1.2-11], [MQTT-3.1.2-15]
async fn will_retain_without_will_closes(broker: Broker) {
    refused(broker, 0x22, &[text(broker.unique("will"))]).await;
}

/// [MQTT-3.1.2-14]
async fn will_qos_3_closes(broker: Broker) {
    refused(broker, 0x1e, &[text(broker.unique("will")), text("topic"), text("gone")]).await;
}

/// [MQTT-3.1.2-22]
async fn a_password_without_user_name_closes(broker: Broker) {
    refused(broker, 0x42, &[text(broker.unique("user")), text("password")]).await;
}

/// [MQTT-3.1.2-9], [MQTT-3.1.2-19], [MQTT-3.1.2-21], [MQTT-3.1.3-3], [MQTT-3.1.4-1]: what a flag announces has to be there.
async fn a_missing_field_closes(broker: Broker) {
    let id = || text(broker.unique("short"));
    refused(broker, 0x02, &[]).await;
    refused(broker, 0x06, &[id()]).await;
    refused(broker, 0x06, &[id(), text("topic")]).await;
    refused(broker, 0x82, &[id()]).await;
    refused(broker, 0xc2, &[id(), text("user")]).await;
    refused(broker, 0x02, &[vec![0, 5, b'a']]).await;
    closed_at_once(broker, &[0x10, 0]).await;
    closed_at_once(broker, &frame(0x10, &text("MQTT"))).await;
}

/// [MQTT-3.1.2-18], [MQTT-3.1.2-20], [MQTT-3.1.4-1]: no field without its flag.
async fn what_follows_the_last_field_closes(broker: Broker) {
    refused(broker, 0x02, &[text(broker.unique("long")), text("user")]).await;
}

/// [MQTT-3.1.3-7], [MQTT-3.1.3-8]
async fn an_empty_identifier_with_a_kept_session_is_refused(broker: Broker) {
    let mut client = Client::open(broker).await;
    client.send(Connect::new("").persistent().bytes()).await;
    client.expect([0x20, 2, 0, 2]).await;
    client.expect_closed().await;
}

/// [MQTT-3.1.3-6]: each gets an identifier of its own, so neither disconnects the other.
async fn an_empty_identifier_with_a_clean_session_is_accepted(broker: Broker) {
    let mut one = Client::connect(broker, &Connect::new("")).await;
    let mut other = Client::connect(broker, &Connect::new("")).await;
    one.ping().await;
    other.ping().await;
}

/// [MQTT-3.1.3-5]
async fn identifiers_of_all_letters_and_digits_are_accepted(broker: Broker) {
    for id in ["0123456789abcdefghijklm", "nopqrstuvwxyzABCDEFGHIJ", "KLMNOPQRSTUVWXYZ", "x"] {
        Client::connect(broker, &Connect::new(id)).await.disconnect().await;
    }
}

/// [MQTT-3.1.3-9] of one that a server may allow.
async fn a_long_identifier_is_accepted_or_refused_with_its_code(broker: Broker) {
    let id = broker.unique(&"long".repeat(30));
    let mut client = Client::open(broker).await;
    client.send(Connect::new(&id).bytes()).await;
    let packet = client.packet().await;
    if packet.bytes() != connack(false) {
        assert_eq!(packet.bytes(), [0x20, 2, 0, 2]);
        client.expect_closed().await;
    }
}

/// [MQTT-3.1.4-4], [MQTT-3.2.0-1]; 3.1.4 allows clients not to wait for the CONNACK.
async fn packets_right_after_connect_are_served(broker: Broker) {
    let topic = broker.unique("eager");
    let connect = Connect::new(&broker.unique("eager"));
    let mut client = Client::open(broker).await;
    let publish = Message::new(&topic, "early").qos(1, 7);
    client.send([connect.bytes(), subscribe(6, &[(&topic, 0)]), publish.bytes(), PINGREQ.to_vec()].concat()).await;
    client.expect(connack(false)).await;
    let mut rest = Vec::new();
    for _ in 0..4 {
        rest.push(client.packet().await.bytes());
    }
    for expected in [suback(6, &[0]), ack(PUBACK, 7), Message::new(&topic, "early").bytes(), vec![0xd0, 0]] {
        assert!(rest.contains(&expected), "{expected:02x?} is not in {rest:02x?}");
    }
}

/// [MQTT-3.1.4-5]
async fn packets_after_a_refused_connect_are_not_served(broker: Broker) {
    let topic = broker.unique("refused");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let mut client = Client::open(broker).await;
    let publish = Message::new(&topic, "late").bytes();
    client.send([Connect::new("").persistent().bytes(), publish].concat()).await;
    client.expect([0x20, 2, 0, 2]).await;
    client.expect_closed().await;
    watcher.expect_silence().await;
}

/// [MQTT-3.1.4-2]
async fn a_takeover_closes_the_older_connection(broker: Broker) {
    let clean = Connect::new(&broker.unique("taken"));
    let mut older = Client::connect(broker, &clean).await;
    let mut newer = Client::connect(broker, &clean).await;
    older.expect_closed().await;
    newer.ping().await;
    let persistent = clean.persistent();
    let mut kept = Client::connect(broker, &persistent).await;
    newer.expect_closed().await;
    let mut resumed = Client::resume(broker, &persistent).await;
    kept.expect_closed().await;
    resumed.ping().await;
}

/// [MQTT-3.1.4-2], [MQTT-3.1.2-8]: the older connection ends without a DISCONNECT.
async fn a_takeover_publishes_the_older_will(broker: Broker) {
    let topic = broker.unique("taken");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let id = broker.unique("taken");
    let will = |text: &str| Connect::new(&id).will(Will::new(&topic, text));
    let mut older = Client::connect(broker, &will("older")).await;
    let newer = Client::connect(broker, &will("newer")).await;
    older.expect_closed().await;
    assert_eq!(watcher.message().await, Message::new(&topic, "older"));
    watcher.expect_silence().await;
    drop(newer);
    assert_eq!(watcher.message().await, Message::new(&topic, "newer"));
}

/// [MQTT-3.1.4-2], [MQTT-3.1.2-8]: a session that goes on makes no difference.
async fn a_takeover_of_a_session_publishes_the_older_will(broker: Broker) {
    let topic = broker.unique("taken");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let connect = Connect::new(&broker.unique("taken")).persistent().will(Will::new(&topic, "older"));
    let mut older = Client::connect(broker, &connect).await;
    let newer = Client::resume(broker, &connect).await;
    older.expect_closed().await;
    assert_eq!(watcher.message().await, Message::new(&topic, "older"));
    newer.disconnect().await;
    watcher.expect_silence().await;
}
