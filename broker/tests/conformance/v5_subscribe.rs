//! SUBSCRIBE, its options, and the codes of SUBACK and UNSUBACK: MQTT 5, 3.8 to 3.11.

use crate::{
    client::Client,
    client5::{MALFORMED_OR_PROTOCOL_ERROR, subscribe, unsubscribe},
    message::Message,
    property::user,
    target::Broker,
};

rules! {
    suback_grants_each_qos;
    suback_keeps_the_order_of_filters;
    a_bad_filter_is_refused_with_its_code;
    a_filter_that_may_not_be_read_is_refused_with_its_code except(Mosquitto, "its access rules do not look at filters");
    unsuback_has_a_code_for_each_filter;
    no_filters_are_a_protocol_error;
    reserved_options_are_an_error;
    retain_handling_3_is_an_error;
    qos_3_is_an_error;
    user_properties_are_taken;
    no_local_keeps_a_clients_own_messages_from_it;
    no_local_on_a_shared_subscription_is_an_error except(Mosquitto, "it grants that");
    retain_as_published_keeps_the_flag;
    without_retain_as_published_the_flag_is_taken_off;
    retain_handling_0_sends_at_each_subscribe;
    retain_handling_1_sends_for_a_new_subscription_only;
    retain_handling_2_sends_nothing;
    options_are_replaced_with_their_subscription except(Mosquitto, "it replaces the QoS only");
    options_are_part_of_the_session;
}

const NO_LOCAL: u8 = 0x04;
const RETAIN_AS_PUBLISHED: u8 = 0x08;
const ONLY_IF_NEW: u8 = 0x10;
const NEVER: u8 = 0x20;

async fn retain(broker: Broker) -> String {
    let topic = broker.unique("retained");
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "kept").retained()).await;
    topic
}

/// [MQTT-3.8.4-1], [MQTT-3.8.4-2], [MQTT-3.8.4-7]
async fn suback_grants_each_qos(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    for qos in [0, 1, 2] {
        assert_eq!(client.subscribe5(&[], &[(&broker.unique("grant"), qos)]).await, [qos]);
    }
}

/// [MQTT-3.8.4-6], [MQTT-3.9.3-1]
async fn suback_keeps_the_order_of_filters(broker: Broker) {
    let [a, b, c] = ["a", "b", "c"].map(|label| broker.unique(label));
    let mut client = Client::clean5(broker, &[]).await;
    assert_eq!(client.subscribe5(&[], &[(&a, 2), (&b, 0), (&c, 1), (&a, 1)]).await, [2, 0, 1, 1]);
}

/// [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.3-1]: 0x8F in SUBACK, or the end of the connection.
async fn a_bad_filter_is_refused_with_its_code(broker: Broker) {
    for filter in ["", "a/#/b", "a#", "a+", "+a/b", "##"] {
        let mut client = Client::clean5(broker, &[]).await;
        client.send(subscribe(3, &[], &[(filter, 0)])).await;
        let packet = client.packet().await;
        match packet.first {
            0x90 => assert_eq!(packet.body, [0, 3, 0, 0x8f], "{filter}"),
            0xe0 => assert!([0x81, 0x82, 0x8f].contains(&packet.body[0]), "{filter}: {packet:?}"),
            _ => panic!("{filter}: {packet:?}"),
        }
    }
}

/// 3.9.3: the gate's rules deny everybody to read this topic.
async fn a_filter_that_may_not_be_read_is_refused_with_its_code(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    assert_eq!(client.subscribe5(&[], &[("test/nosubscribe", 2), (&broker.unique("free"), 2)]).await, [0x87, 2]);
}

/// [MQTT-3.11.3-1], [MQTT-3.11.3-2]: 0x11 where no subscription existed.
async fn unsuback_has_a_code_for_each_filter(broker: Broker) {
    let [a, b, c] = ["a", "b", "c"].map(|label| broker.unique(label));
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe5(&[], &[(&a, 0), (&c, 0)]).await;
    assert_eq!(client.unsubscribe5(&[&a, &b, &c, &a]).await, [0x00, 0x11, 0x00, 0x11]);
    assert_eq!(client.unsubscribe5(&[&c]).await, [0x11]);
}

/// [MQTT-3.8.3-2], [MQTT-3.10.3-2]
async fn no_filters_are_a_protocol_error(broker: Broker) {
    for packet in [subscribe(1, &[], &[]), unsubscribe(1, &[])] {
        let mut client = Client::clean5(broker, &[]).await;
        client.send(packet).await;
        client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
    }
}

async fn bad_options(broker: Broker, options: u8) {
    let mut client = Client::clean5(broker, &[]).await;
    client.send(subscribe(1, &[], &[("options", options)])).await;
    client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
}

/// [MQTT-3.8.3-5]
async fn reserved_options_are_an_error(broker: Broker) {
    bad_options(broker, 0x40).await;
    bad_options(broker, 0x80).await;
}

/// 3.8.3.1
async fn retain_handling_3_is_an_error(broker: Broker) {
    bad_options(broker, 0x30).await;
}

/// 3.8.3.1
async fn qos_3_is_an_error(broker: Broker) {
    bad_options(broker, 0x03).await;
}

/// 3.8.2.1.3
async fn user_properties_are_taken(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    assert_eq!(client.subscribe5(&[user("a", "b"), user("a", "b")], &[(&broker.unique("user"), 0)]).await, [0]);
}

/// [MQTT-3.8.3-3]
async fn no_local_keeps_a_clients_own_messages_from_it(broker: Broker) {
    let topic = broker.unique("local");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&topic, 1 | NO_LOCAL).await;
    client.publish(Message::new(&topic, "own")).await;
    client.expect_silence().await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "other's")).await;
    assert_eq!(client.payloads(1).await, ["other's"]);
}

/// [MQTT-3.8.3-4]
async fn no_local_on_a_shared_subscription_is_an_error(broker: Broker) {
    let mut client = Client::clean5(broker, &[]).await;
    client.send(subscribe(1, &[], &[(&format!("$share/group/{}", broker.unique("local")), NO_LOCAL)])).await;
    client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
}

/// [MQTT-3.3.1-13]
async fn retain_as_published_keeps_the_flag(broker: Broker) {
    let topic = broker.unique("flag");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&topic, RETAIN_AS_PUBLISHED).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    publisher.publish_all(1, [Message::new(&topic, "1").retained(), Message::new(&topic, "0")]).await;
    assert!(client.message().await.retain);
    assert!(!client.message().await.retain);
}

/// [MQTT-3.3.1-12]
async fn without_retain_as_published_the_flag_is_taken_off(broker: Broker) {
    let topic = broker.unique("flag");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&topic, 0).await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "1").retained()).await;
    assert!(!client.message().await.retain);
}

/// [MQTT-3.3.1-9], [MQTT-3.8.4-4], [MQTT-3.3.1-8]
async fn retain_handling_0_sends_at_each_subscribe(broker: Broker) {
    let topic = retain(broker).await;
    let mut client = Client::clean5(broker, &[]).await;
    for options in [0, 0, RETAIN_AS_PUBLISHED] {
        let messages = client.retained(&topic, options, 1).await;
        assert!(messages[0].retain && messages[0].text() == "kept", "{messages:?}");
        client.expect_silence().await;
    }
}

/// [MQTT-3.3.1-10]
async fn retain_handling_1_sends_for_a_new_subscription_only(broker: Broker) {
    let topic = retain(broker).await;
    let mut client = Client::clean5(broker, &[]).await;
    assert_eq!(client.retained(&topic, ONLY_IF_NEW, 1).await[0].text(), "kept");
    client.retained(&topic, ONLY_IF_NEW, 0).await;
    client.expect_silence().await;
    assert_eq!(client.unsubscribe5(&[&topic]).await, [0]);
    assert_eq!(client.retained(&topic, ONLY_IF_NEW, 1).await[0].text(), "kept");
}

/// [MQTT-3.3.1-11]
async fn retain_handling_2_sends_nothing(broker: Broker) {
    let topic = retain(broker).await;
    let mut client = Client::clean5(broker, &[]).await;
    client.retained(&topic, NEVER, 0).await;
    client.expect_silence().await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "live").retained()).await;
    assert_eq!(client.message().await.text(), "live");
}

/// [MQTT-3.8.4-3]
async fn options_are_replaced_with_their_subscription(broker: Broker) {
    let topic = broker.unique("replace");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&topic, 2 | NO_LOCAL | RETAIN_AS_PUBLISHED).await;
    client.subscribe(&topic, 1).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    publisher.publish_all(2, [Message::new(&topic, "x").retained()]).await;
    let message = client.acknowledged().await;
    assert_eq!((message.qos, message.retain), (1, false));
    client.publish_all(0, [Message::new(&topic, "own")]).await;
    assert_eq!(client.payloads(1).await, ["own"]);
}

/// 4.1: the subscription with its options.
async fn options_are_part_of_the_session(broker: Broker) {
    use crate::{
        connect::Connect,
        property::{SESSION_EXPIRY, Value},
    };
    let topic = broker.unique("session");
    let connect = Connect::v5(&topic, &[(SESSION_EXPIRY, Value::Four(60))]).persistent();
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 1 | NO_LOCAL | RETAIN_AS_PUBLISHED).await;
    client.disconnect().await;
    let mut client = Client::session5(broker, &connect, true).await;
    client.publish(Message::new(&topic, "own")).await;
    client.expect_silence().await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "other's").retained()).await;
    assert!(client.acknowledged().await.retain);
}
