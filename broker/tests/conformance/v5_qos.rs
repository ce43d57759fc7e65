//! Acknowledgements with reason codes: MQTT 5, 3.4 to 3.7 and 4.3.

use crate::{
    client::Client,
    client5::Ack,
    message::Message,
    packet::{PUBACK, PUBCOMP, PUBREC, PUBREL, ack, frame},
    property::{REASON_STRING, REQUEST_PROBLEM_INFORMATION, USER_PROPERTY, Value, all, encode},
    target::Broker,
};

rules! {
    a_message_for_nobody_is_acknowledged_as_such_or_as_a_success;
    a_message_for_somebody_is_a_success;
    a_pubrel_of_an_unknown_identifier_is_answered_with_its_code except(Mosquitto, "it calls that a success");
    a_repeated_qos_2_publish_is_delivered_once;
    acknowledgements_may_be_long;
    a_refused_qos_1_message_is_not_sent_again;
    a_pubrec_with_an_error_ends_the_exchange;
    a_pubrec_of_an_unknown_identifier_is_answered_with_its_code except(Mosquitto, "it calls that a success");
    without_problem_information_there_is_none;
}

/// An acknowledgement in its long form.
fn long(first: u8, id: u16, code: u8) -> Vec<u8> {
    let properties = encode(&[(REASON_STRING, Value::text("because"))]);
    frame(first, &[id.to_be_bytes().to_vec(), vec![code], properties].concat())
}

/// 3.4.2.1, 3.5.2.1: 0x10 may be told.
async fn a_message_for_nobody_is_acknowledged_as_such_or_as_a_success(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    for (qos, first) in [(1, PUBACK), (2, PUBREC)] {
        client.send(Message::new(broker.unique("nobody"), "x").qos(qos, 5).v5(&[]).bytes()).await;
        let Ack { first: got, id, codes, .. } = client.ack().await;
        assert_eq!((got, id), (first, 5));
        assert!([0x00, 0x10].contains(&codes[0]), "{codes:02x?}");
    }
}

/// 3.4.2.1, 3.5.2.1
async fn a_message_for_somebody_is_a_success(broker: Broker) {
    let topic = broker.unique("somebody");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, 0).await;
    let mut client = Client::clean5(broker, &[]).await;
    client.send(Message::new(&topic, "x").qos(1, 5).v5(&[]).bytes()).await;
    assert_eq!(client.ack().await.codes, [0]);
    client.send(Message::new(&topic, "x").qos(2, 5).v5(&[]).bytes()).await;
    assert_eq!(client.ack().await.codes, [0]);
}

/// 3.7.2.1: 0x92.
async fn a_pubrel_of_an_unknown_identifier_is_answered_with_its_code(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    client.send(ack(PUBREL, 4711)).await;
    let answer = client.ack().await;
    assert_eq!((answer.first, answer.id, answer.codes), (PUBCOMP, 4711, vec![0x92]));
}

/// [MQTT-4.3.3-8], [MQTT-4.3.3-10], [MQTT-4.3.3-11]
async fn a_repeated_qos_2_publish_is_delivered_once(broker: Broker) {
    let topic = broker.unique("once");
    let mut watcher = Client::clean5(broker, &[]).await;
    watcher.subscribe(&topic, 2).await;
    let mut client = Client::clean5(broker, &[]).await;
    let message = Message::new(&topic, "once").qos(2, 5).v5(&[]);
    for packet in [message.clone(), message.dup()] {
        client.send(packet.bytes()).await;
        client.expect_ack(PUBREC, 5).await;
    }
    client.send(ack(PUBREL, 5)).await;
    client.expect_ack(PUBCOMP, 5).await;
    assert_eq!(watcher.payloads(1).await, ["once"]);
    watcher.expect_silence().await;
}

/// 3.4.2 to 3.7.2: with a code and properties.
async fn acknowledgements_may_be_long(broker: Broker) {
    let topic = broker.unique("long");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&topic, 2).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    publisher.publish_all(1, [Message::new(&topic, "one")]).await;
    let one = client.message().await;
    client.send(long(PUBACK, one.id, 0)).await;
    publisher.send(Message::new(&topic, "two").qos(2, 5).v5(&[]).bytes()).await;
    publisher.expect_ack(PUBREC, 5).await;
    publisher.send(long(PUBREL, 5, 0)).await;
    publisher.expect_ack(PUBCOMP, 5).await;
    let two = client.message().await;
    client.send(long(PUBREC, two.id, 0)).await;
    client.expect_ack(PUBREL, two.id).await;
    client.send(long(PUBCOMP, two.id, 0)).await;
    client.expect_silence().await;
}

/// 4.4: a PUBACK with an error acknowledges all the same.
async fn a_refused_qos_1_message_is_not_sent_again(broker: Broker) {
    use crate::{connect::Connect, property::SESSION_EXPIRY};
    let topic = broker.unique("refused");
    let connect = Connect::v5(&topic, &[(SESSION_EXPIRY, Value::Four(60))]).persistent();
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 1).await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "refused")).await;
    let message = client.message().await;
    client.send(long(PUBACK, message.id, 0x83)).await;
    client.ping().await;
    client.disconnect().await;
    Client::session5(broker, &connect, true).await.expect_silence().await;
}

/// [MQTT-4.3.3-4]: no PUBREL, and the message does not come again.
async fn a_pubrec_with_an_error_ends_the_exchange(broker: Broker) {
    let topic = broker.unique("refused");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&topic, 2).await;
    Client::clean5(broker, &[]).await.publish_all(2, [Message::new(&topic, "refused")]).await;
    let message = client.message().await;
    client.send(long(PUBREC, message.id, 0x83)).await;
    client.expect_silence().await;
}

/// 3.6.2.1: 0x92.
async fn a_pubrec_of_an_unknown_identifier_is_answered_with_its_code(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    client.send(ack(PUBREC, 4711)).await;
    let answer = client.ack().await;
    assert_eq!((answer.first, answer.id, answer.codes), (PUBREL, 4711, vec![0x92]));
}

/// [MQTT-3.1.2-29]
async fn without_problem_information_there_is_none(broker: Broker) {
    let mut client = Client::clean5(broker, &[(REQUEST_PROBLEM_INFORMATION, Value::Byte(0))]).await;
    client.send(Message::new(broker.unique("nobody"), "x").qos(1, 5).v5(&[]).bytes()).await;
    client.send(crate::client5::subscribe(1, &[], &[(&broker.unique("quiet"), 0)])).await;
    client.send(crate::client5::unsubscribe(1, &[&broker.unique("quiet")])).await;
    client.send(ack(PUBREL, 4711)).await;
    for _ in 0..4 {
        let answer = client.ack().await;
        assert_eq!(all(&answer.properties, REASON_STRING), [], "{answer:?}");
        assert_eq!(all(&answer.properties, USER_PROPERTY), [], "{answer:?}");
    }
}
