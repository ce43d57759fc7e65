//! Subscription identifiers: MQTT 5, 3.8.2.1.2 and 3.3.2.3.8.

use crate::{
    client::Client,
    client5::{MALFORMED_OR_PROTOCOL_ERROR, subscribe},
    connect::Connect,
    message::Message,
    property::{SESSION_EXPIRY, SUBSCRIPTION_IDENTIFIER, Value, all, user},
    target::Broker,
};

rules! {
    a_message_names_the_subscription;
    a_retained_message_names_the_subscription;
    overlapping_subscriptions_are_all_named;
    an_identifier_is_replaced_with_its_subscription;
    one_identifier_is_for_all_filters_of_a_subscribe;
    an_identifier_is_part_of_the_session;
    identifier_0_is_a_protocol_error;
    two_identifiers_are_a_protocol_error;
    an_identifier_from_a_publisher_is_a_protocol_error except(Mosquitto, "it accepts one");
}

/// The largest one.
const MAXIMUM: usize = 268_435_455;

fn identifier(value: usize) -> [(u8, Value); 1] {
    [(SUBSCRIPTION_IDENTIFIER, Value::Variable(value))]
}

/// The identifiers that a message names.
fn named(message: &Message) -> Vec<usize> {
    all(&message.properties(), SUBSCRIPTION_IDENTIFIER).iter().map(Value::number).collect()
}

/// [MQTT-3.3.4-3]: from 1 to the largest; beside the message's own properties.
async fn a_message_names_the_subscription(broker: Broker) {
    let mut publisher = Client::clean5(broker, &[]).await;
    for value in [1, 127, 128, 16_384, MAXIMUM] {
        let topic = broker.unique("named");
        let mut client = Client::clean5(broker, &[]).await;
        assert_eq!(client.subscribe5(&identifier(value), &[(&topic, 1)]).await, [1]);
        publisher.publish(Message::new(&topic, "x").v5(&[user("a", "b")])).await;
        let message = client.acknowledged().await;
        assert_eq!(named(&message), [value]);
        assert!(message.properties().contains(&user("a", "b")));
    }
}

/// [MQTT-3.3.4-3]
async fn a_retained_message_names_the_subscription(broker: Broker) {
    let topic = broker.unique("retained");
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "kept").retained()).await;
    let mut client = Client::clean5(broker, &[]).await;
    client.send(subscribe(1, &identifier(7), &[(&topic, 0)])).await;
    let packets = [client.packet().await, client.packet().await];
    let message = packets.iter().find(|packet| packet.is_publish()).expect("the retained message");
    assert_eq!(named(&Message::read(message, true)), [7]);
}

/// [MQTT-3.3.4-4], [MQTT-3.3.4-5]: in one copy or in several; those without an identifier name none.
async fn overlapping_subscriptions_are_all_named(broker: Broker) {
    let base = broker.unique("overlap");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe5(&identifier(1), &[(&format!("{base}/a"), 0)]).await;
    client.subscribe5(&identifier(2), &[(&format!("{base}/+"), 0)]).await;
    client.subscribe5(&[], &[(&format!("{base}/#"), 0)]).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    let messages = [Message::new(format!("{base}/a"), "x"), Message::new(&base, "end")];
    publisher.publish_all(0, messages).await;
    let (mut identifiers, mut copies) = (Vec::new(), 0);
    loop {
        let message = client.message().await;
        if message.text() == "end" {
            break;
        }
        identifiers.extend(named(&message));
        copies += 1;
    }
    identifiers.sort_unstable();
    assert_eq!(identifiers, [1, 2]);
    assert!([1, 3].contains(&copies), "{copies} copies");
}

/// [MQTT-3.8.4-3]: also by none.
async fn an_identifier_is_replaced_with_its_subscription(broker: Broker) {
    let topic = broker.unique("replace");
    let mut client = Client::clean5(broker, &[]).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    for (properties, expected) in
        [(identifier(1).to_vec(), vec![1]), (identifier(2).to_vec(), vec![2]), (Vec::new(), Vec::new())]
    {
        client.subscribe5(&properties, &[(&topic, 0)]).await;
        publisher.publish(Message::new(&topic, "x")).await;
        assert_eq!(named(&client.message().await), expected);
    }
}

/// 3.8.2.1.2
async fn one_identifier_is_for_all_filters_of_a_subscribe(broker: Broker) {
    let [a, b] = ["a", "b"].map(|label| broker.unique(label));
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe5(&identifier(9), &[(&a, 0), (&b, 0)]).await;
    Client::clean5(broker, &[]).await.publish_all(1, [&a, &b].map(|topic| Message::new(topic, "x"))).await;
    assert_eq!(named(&client.message().await), [9]);
    assert_eq!(named(&client.message().await), [9]);
}

/// 4.1
async fn an_identifier_is_part_of_the_session(broker: Broker) {
    let topic = broker.unique("session");
    let connect = Connect::v5(&topic, &[(SESSION_EXPIRY, Value::Four(60))]).persistent();
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe5(&identifier(5), &[(&topic, 1)]).await;
    client.disconnect().await;
    let mut publisher = Client::clean5(broker, &[]).await;
    publisher.publish(Message::new(&topic, "waits")).await;
    let mut client = Client::session5(broker, &connect, true).await;
    assert_eq!(named(&client.acknowledged().await), [5]);
    publisher.publish(Message::new(&topic, "live")).await;
    assert_eq!(named(&client.acknowledged().await), [5]);
}

/// 3.8.2.1.2
async fn identifier_0_is_a_protocol_error(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    client.send(subscribe(1, &identifier(0), &[("zero", 0)])).await;
    client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
}

/// 3.8.2.1.2
async fn two_identifiers_are_a_protocol_error(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    client.send(subscribe(1, &[identifier(1), identifier(2)].concat(), &[("two", 0)])).await;
    client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
}

/// [MQTT-3.3.4-6]
async fn an_identifier_from_a_publisher_is_a_protocol_error(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    client.send(Message::new(broker.unique("named"), "x").v5(&identifier(1)).bytes()).await;
    client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
}
