//! Receive Maximum and Maximum Packet Size, both ways: MQTT 5, 3.1.2.11, 3.2.2.3, 3.3.4 and 4.9.

use crate::{
    client::Client,
    client5::disconnect,
    connect::Connect,
    message::Message,
    packet::{PUBACK, PUBCOMP, PUBREC, PUBREL, ack, frame},
    property::{MAXIMUM_PACKET_SIZE, RECEIVE_MAXIMUM, SESSION_EXPIRY, Value, number},
    target::Broker,
};

rules! {
    no_more_than_the_clients_receive_maximum_is_sent;
    an_acknowledgement_makes_room_for_one except(Mosquitto, "it sends two for one acknowledgement");
    the_receive_maximum_counts_qos_2_to_its_end;
    a_refused_message_counts_no_more;
    the_receive_maximum_does_not_hold_back_qos_0;
    the_receive_maximum_does_not_hold_back_answers;
    the_receive_maximum_holds_after_a_reconnect except(Mosquitto, "it sends all that was in flight");
    more_than_the_servers_receive_maximum_is_an_error except(Mosquitto, "it refuses the message with 0x97");
    the_servers_receive_maximum_is_free_again;
    what_is_too_large_for_the_client_is_not_sent;
    what_is_just_not_too_large_is_sent;
    what_is_just_too_large_is_not_sent except(Mosquitto, "it forgets to count the first byte");
    what_is_too_large_waits_for_nobody except(Mosquitto, "it fills the window with what it does not send");
    what_is_too_large_for_the_server_is_an_error;
}

/// A server that takes more than this at a time is not filled.
const MANY: usize = 20_000;

fn receive_maximum(value: u16) -> [(u8, Value); 1] {
    [(RECEIVE_MAXIMUM, Value::Two(value))]
}

/// A subscriber with this receive maximum, a publisher, and their topic.
async fn limited(broker: Broker, qos: u8, maximum: u16) -> (Client, Client, String) {
    let topic = broker.unique("window");
    let mut client = Client::clean5(broker, &receive_maximum(maximum)).await;
    client.subscribe(&topic, qos).await;
    (client, Client::clean5(broker, &[]).await, topic)
}

fn numbered(topic: &str, count: usize) -> Vec<Message> {
    (0..count).map(|number| Message::new(topic, number.to_string())).collect()
}

/// [MQTT-3.3.4-9], [MQTT-4.9.0-2]
async fn no_more_than_the_clients_receive_maximum_is_sent(broker: Broker) {
    let (mut client, mut publisher, topic) = limited(broker, 1, 2).await;
    publisher.publish_all(1, numbered(&topic, 4)).await;
    assert_eq!((client.message().await.text(), client.message().await.text()), ("0".to_owned(), "1".to_owned()));
    client.expect_silence().await;
}

/// [MQTT-4.9.0-2]
async fn an_acknowledgement_makes_room_for_one(broker: Broker) {
    let (mut client, mut publisher, topic) = limited(broker, 1, 2).await;
    publisher.publish_all(1, numbered(&topic, 4)).await;
    let (first, second) = (client.message().await, client.message().await);
    client.send(ack(PUBACK, first.id)).await;
    assert_eq!(client.message().await.text(), "2");
    client.expect_silence().await;
    client.send(ack(PUBACK, second.id)).await;
    assert_eq!(client.message().await.text(), "3");
}

/// 4.9: a slot is free at PUBCOMP, not at PUBREC.
async fn the_receive_maximum_counts_qos_2_to_its_end(broker: Broker) {
    let (mut client, mut publisher, topic) = limited(broker, 2, 1).await;
    publisher.publish_all(2, numbered(&topic, 2)).await;
    let message = client.message().await;
    client.expect_silence().await;
    client.send(ack(PUBREC, message.id)).await;
    client.expect_ack(PUBREL, message.id).await;
    client.expect_silence().await;
    client.send(ack(PUBCOMP, message.id)).await;
    assert_eq!(client.message().await.text(), "1");
}

/// 4.9, [MQTT-4.3.3-4]: a PUBREC with an error ends the exchange; no PUBREL follows.
async fn a_refused_message_counts_no_more(broker: Broker) {
    let (mut client, mut publisher, topic) = limited(broker, 2, 1).await;
    publisher.publish_all(2, numbered(&topic, 2)).await;
    let message = client.message().await;
    client.send(frame(PUBREC, &[&message.id.to_be_bytes()[..], &[0x80]].concat())).await;
    assert_eq!(client.message().await.text(), "1");
    client.expect_silence().await;
}

/// [MQTT-4.9.0-2]
async fn the_receive_maximum_does_not_hold_back_qos_0(broker: Broker) {
    let (mut client, mut publisher, topic) = limited(broker, 1, 1).await;
    publisher.publish_all(1, numbered(&topic, 1)).await;
    client.message().await;
    publisher.publish_all(0, [Message::new(&topic, "zero")]).await;
    assert_eq!(client.message().await.text(), "zero");
}

/// [MQTT-4.9.0-3]
async fn the_receive_maximum_does_not_hold_back_answers(broker: Broker) {
    let (mut client, mut publisher, topic) = limited(broker, 1, 1).await;
    publisher.publish_all(1, numbered(&topic, 3)).await;
    client.message().await;
    client.ping().await;
    client.subscribe(&broker.unique("other"), 1).await;
    client.publish(Message::new(broker.unique("other"), "x")).await;
    client.ping().await;
}

/// [MQTT-3.3.4-9]: it is the connection's.
async fn the_receive_maximum_holds_after_a_reconnect(broker: Broker) {
    let topic = broker.unique("window");
    let connect = |maximum| {
        let expiry = (SESSION_EXPIRY, Value::Four(60));
        Connect::v5(&topic, &[expiry, (RECEIVE_MAXIMUM, Value::Two(maximum))]).persistent()
    };
    let mut client = Client::session5(broker, &connect(10), false).await;
    client.subscribe(&topic, 1).await;
    Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic, 4)).await;
    for _ in 0..4 {
        client.message().await;
    }
    client.reset();
    let mut client = Client::session5(broker, &connect(2), true).await;
    let first = client.message().await;
    client.message().await;
    client.expect_silence().await;
    client.send(ack(PUBACK, first.id)).await;
    assert_eq!(client.message().await.text(), "2");
}

/// The server's receive maximum, if it is one that can be filled.
fn fillable(connack: &crate::client5::Connack) -> Option<u16> {
    let maximum = number(&connack.properties, RECEIVE_MAXIMUM).filter(|maximum| *maximum <= MANY);
    if maximum.is_none() {
        eprintln!("skipped: this server takes more than {MANY} messages at a time");
    }
    maximum.map(|maximum| maximum as u16)
}

/// [MQTT-3.3.4-7], 3.3.4: with 0x93.
async fn more_than_the_servers_receive_maximum_is_an_error(broker: Broker) {
    let topic = broker.unique("quota");
    let (mut client, connack) = Client::connect5(broker, &Connect::v5(&topic, &[])).await;
    let Some(maximum) = fillable(&connack) else { return };
    for id in 1..=maximum {
        client.send(Message::new(&topic, "x").qos(2, id).v5(&[]).bytes()).await;
        client.expect_ack(PUBREC, id).await;
    }
    client.send(Message::new(&topic, "x").qos(2, maximum + 1).v5(&[]).bytes()).await;
    client.expect_disconnect(&[0x93]).await;
}

/// 4.9: after PUBACK and PUBCOMP.
async fn the_servers_receive_maximum_is_free_again(broker: Broker) {
    let topic = broker.unique("quota");
    let (mut client, connack) = Client::connect5(broker, &Connect::v5(&topic, &[])).await;
    let Some(maximum) = fillable(&connack) else { return };
    for qos in [1, 2, 1, 2] {
        client.publish_all(qos, numbered(&topic, usize::from(maximum))).await;
    }
    client.send(disconnect(0, &[])).await;
    client.expect_closed().await;
}

/// [MQTT-3.1.2-24], [MQTT-3.1.2-25]
async fn what_is_too_large_for_the_client_is_not_sent(broker: Broker) {
    let topic = broker.unique("large");
    let mut client = Client::clean5(broker, &[(MAXIMUM_PACKET_SIZE, Value::Four(200))]).await;
    client.subscribe(&topic, 2).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    for qos in [0, 1, 2] {
        publisher.publish_all(qos, [Message::new(&topic, "x".repeat(300)), Message::new(&topic, "small")]).await;
        assert_eq!(client.payloads(1).await, ["small"], "QoS {qos}");
    }
    client.expect_silence().await;
}

/// A payload that makes a PUBLISH of 200 bytes: its type and a remaining length beyond 127 take three, two are the
/// topic's length, one says that there are no properties.
fn payload_of_200(topic: &str) -> String {
    "x".repeat(200 - 3 - 2 - topic.len() - 1)
}

/// 3.1.2.11.4: the size of the whole packet.
async fn what_is_just_not_too_large_is_sent(broker: Broker) {
    let topic = broker.unique("large");
    let mut client = Client::clean5(broker, &[(MAXIMUM_PACKET_SIZE, Value::Four(200))]).await;
    client.subscribe(&topic, 0).await;
    let fits = payload_of_200(&topic);
    Client::clean5(broker, &[]).await.publish_all(1, [Message::new(&topic, &fits)]).await;
    let packet = client.packet().await;
    assert_eq!(packet.bytes().len(), 200);
}

/// 3.1.2.11.4, [MQTT-3.1.2-24]
async fn what_is_just_too_large_is_not_sent(broker: Broker) {
    let topic = broker.unique("large");
    let mut client = Client::clean5(broker, &[(MAXIMUM_PACKET_SIZE, Value::Four(200))]).await;
    client.subscribe(&topic, 0).await;
    let too_large = payload_of_200(&topic) + "x";
    Client::clean5(broker, &[]).await.publish_all(1, [Message::new(&topic, too_large)]).await;
    client.expect_silence().await;
}

/// [MQTT-3.1.2-25]: as if it had been delivered, so it fills no window.
async fn what_is_too_large_waits_for_nobody(broker: Broker) {
    let topic = broker.unique("large");
    let limits = [(MAXIMUM_PACKET_SIZE, Value::Four(200)), (RECEIVE_MAXIMUM, Value::Two(1))];
    let mut client = Client::clean5(broker, &limits).await;
    client.subscribe(&topic, 1).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    let large = (0..5).map(|_| Message::new(&topic, "x".repeat(300)));
    publisher.publish_all(1, large.chain([Message::new(&topic, "small")])).await;
    assert_eq!(client.payloads(1).await, ["small"]);
}

/// 3.2.2.3.6: with 0x95.
async fn what_is_too_large_for_the_server_is_an_error(broker: Broker) {
    let topic = broker.unique("large");
    let (mut client, connack) = Client::connect5(broker, &Connect::v5(&topic, &[])).await;
    let Some(maximum) = number(&connack.properties, MAXIMUM_PACKET_SIZE) else {
        eprintln!("skipped: this server tells no maximum packet size");
        return;
    };
    let mut publish = Message::new(&topic, "x".repeat(maximum)).v5(&[]).bytes();
    // Some more would be in nobody's buffer when the connection is closed, and reset it.
    publish.truncate(60_000);
    client.send(publish).await;
    client.expect_disconnect(&[0x95]).await;
}
