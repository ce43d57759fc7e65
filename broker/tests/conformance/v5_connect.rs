//! CONNECT and CONNACK: MQTT 5, 3.1 and 3.2.

use std::collections::BTreeSet;

use crate::{
    client::Client,
    client5::MALFORMED_OR_PROTOCOL_ERROR,
    connect::{Connect, Will, header},
    packet::{frame, text, variable},
    property::{
        ASSIGNED_IDENTIFIER, AUTHENTICATION_DATA, AUTHENTICATION_METHOD, MAXIMUM_PACKET_SIZE, MAXIMUM_QOS,
        PAYLOAD_FORMAT, Property, REASON_STRING, RECEIVE_MAXIMUM, REQUEST_PROBLEM_INFORMATION,
        REQUEST_RESPONSE_INFORMATION, RESPONSE_INFORMATION, RETAIN_AVAILABLE, SERVER_KEEP_ALIVE, SERVER_REFERENCE,
        SESSION_EXPIRY, SHARED_AVAILABLE, SUBSCRIPTION_IDENTIFIERS_AVAILABLE, TOPIC_ALIAS, TOPIC_ALIAS_MAXIMUM,
        USER_PROPERTY, Value, WILDCARDS_AVAILABLE, WILL_DELAY, all, encode, user,
    },
    target::Broker,
};

rules! {
    connack_has_properties_of_its_own_only;
    connack_tells_no_nonsense;
    every_property_of_connect_is_taken;
    a_property_twice_is_a_protocol_error;
    a_property_of_another_packet_is_refused;
    an_unknown_property_is_refused;
    properties_longer_than_their_packet_are_refused;
    nonsense_values_are_refused;
    authentication_data_without_method_is_refused except(Mosquitto, "it accepts the data");
    an_unknown_authentication_method_is_refused;
    an_empty_identifier_is_assigned;
    an_assigned_identifier_is_kept_with_its_session;
    a_given_identifier_is_not_assigned;
    a_password_without_user_name_is_well_formed;
    malformed_flags_are_refused;
    a_will_topic_with_wildcards_is_refused;
    a_second_connect_is_a_protocol_error;
    both_versions_are_spoken_side_by_side;
}

/// What a CONNACK may hold: 3.2.2.3.
const OF_CONNACK: [u8; 17] = [
    SESSION_EXPIRY,
    ASSIGNED_IDENTIFIER,
    SERVER_KEEP_ALIVE,
    AUTHENTICATION_METHOD,
    AUTHENTICATION_DATA,
    RESPONSE_INFORMATION,
    SERVER_REFERENCE,
    REASON_STRING,
    RECEIVE_MAXIMUM,
    TOPIC_ALIAS_MAXIMUM,
    MAXIMUM_QOS,
    RETAIN_AVAILABLE,
    USER_PROPERTY,
    MAXIMUM_PACKET_SIZE,
    WILDCARDS_AVAILABLE,
    SUBSCRIPTION_IDENTIFIERS_AVAILABLE,
    SHARED_AVAILABLE,
];

/// Sends a CONNECT with these properties, which have to be refused.
async fn refused(broker: Broker, properties: &[Property]) {
    let mut client = Client::open5(broker).await;
    client.send(Connect::v5(&broker.unique("refused"), properties).bytes()).await;
    client.expect_refused().await;
}

/// [MQTT-3.2.0-1], [MQTT-3.2.2-1], [MQTT-3.1.4-5], 3.2.2.3
async fn connack_has_properties_of_its_own_only(broker: Broker) {
    let (mut client, connack) = Client::connect5(broker, &Connect::v5(&broker.unique("connack"), &[])).await;
    assert!(!connack.session_present);
    let mut seen = BTreeSet::new();
    for (id, value) in connack.properties {
        assert!(OF_CONNACK.contains(&id), "property {id:#x} {value:?}");
        assert!(seen.insert(id) || id == USER_PROPERTY, "property {id:#x} comes twice");
    }
    client.ping().await;
}

/// 3.2.2.3: values that each property forbids. [MQTT-3.2.2-9]
async fn connack_tells_no_nonsense(broker: Broker) {
    let (_client, connack) = Client::connect5(broker, &Connect::v5(&broker.unique("connack"), &[])).await;
    for (id, value) in connack.properties {
        match id {
            RECEIVE_MAXIMUM | MAXIMUM_PACKET_SIZE => assert_ne!(value.number(), 0, "property {id:#x}"),
            MAXIMUM_QOS
            | RETAIN_AVAILABLE
            | WILDCARDS_AVAILABLE
            | SUBSCRIPTION_IDENTIFIERS_AVAILABLE
            | SHARED_AVAILABLE => assert!(value.number() <= 1, "property {id:#x} {value:?}"),
            // It may be sent only where it was asked for.
            RESPONSE_INFORMATION | AUTHENTICATION_METHOD | AUTHENTICATION_DATA => panic!("property {id:#x} {value:?}"),
            _ => {}
        }
    }
}

/// 3.1.2.11
async fn every_property_of_connect_is_taken(broker: Broker) {
    let properties = [
        (SESSION_EXPIRY, Value::Four(1)),
        (RECEIVE_MAXIMUM, Value::Two(65_535)),
        (MAXIMUM_PACKET_SIZE, Value::Four(u32::MAX)),
        (TOPIC_ALIAS_MAXIMUM, Value::Two(65_535)),
        (REQUEST_RESPONSE_INFORMATION, Value::Byte(1)),
        (REQUEST_PROBLEM_INFORMATION, Value::Byte(1)),
        user("name", "value"),
        user("name", "another"),
        user("", ""),
    ];
    Client::clean5(broker, &properties).await.ping().await;
}

/// 3.1.2.11: each but the user property.
async fn a_property_twice_is_a_protocol_error(broker: Broker) {
    for property in [
        (SESSION_EXPIRY, Value::Four(1)),
        (RECEIVE_MAXIMUM, Value::Two(9)),
        (MAXIMUM_PACKET_SIZE, Value::Four(1000)),
        (TOPIC_ALIAS_MAXIMUM, Value::Two(9)),
        (REQUEST_RESPONSE_INFORMATION, Value::Byte(0)),
        (REQUEST_PROBLEM_INFORMATION, Value::Byte(0)),
    ] {
        refused(broker, &[property.clone(), property]).await;
    }
}

/// 2.2.2.2: a malformed packet.
async fn a_property_of_another_packet_is_refused(broker: Broker) {
    refused(broker, &[(TOPIC_ALIAS, Value::Two(1))]).await;
    refused(broker, &[(PAYLOAD_FORMAT, Value::Byte(1))]).await;
    refused(broker, &[(WILL_DELAY, Value::Four(1))]).await;
    refused(broker, &[(ASSIGNED_IDENTIFIER, Value::text("id"))]).await;
    refused(broker, &[(MAXIMUM_QOS, Value::Byte(1))]).await;
}

/// 2.2.2.2
async fn an_unknown_property_is_refused(broker: Broker) {
    for id in [0x00, 0x04, 0x2b, 0x7f] {
        refused(broker, &[(id, Value::Byte(1))]).await;
    }
}

/// 2.2.2.1, [MQTT-4.13.1-1]
async fn properties_longer_than_their_packet_are_refused(broker: Broker) {
    let id = text(broker.unique("long"));
    for properties in [vec![100], variable(300_000), vec![3, SESSION_EXPIRY, 0, 0], vec![0xff, 0xff, 0xff, 0xff]] {
        let mut client = Client::open5(broker).await;
        client.send(frame(0x10, &[header("MQTT", 5, 2, 0), properties, id.clone()].concat())).await;
        client.expect_refused().await;
    }
}

/// 3.1.2.11.3, 3.1.2.11.4, 3.1.2.11.6, 3.1.2.11.7
async fn nonsense_values_are_refused(broker: Broker) {
    refused(broker, &[(RECEIVE_MAXIMUM, Value::Two(0))]).await;
    refused(broker, &[(MAXIMUM_PACKET_SIZE, Value::Four(0))]).await;
    refused(broker, &[(REQUEST_RESPONSE_INFORMATION, Value::Byte(2))]).await;
    refused(broker, &[(REQUEST_PROBLEM_INFORMATION, Value::Byte(2))]).await;
}

/// 3.1.2.11.10
async fn authentication_data_without_method_is_refused(broker: Broker) {
    refused(broker, &[(AUTHENTICATION_DATA, Value::text("data"))]).await;
}

/// [MQTT-4.12.0-1]: with 0x8C or 0x87, if with any.
async fn an_unknown_authentication_method_is_refused(broker: Broker) {
    let method = (AUTHENTICATION_METHOD, Value::text("NO-SUCH-METHOD"));
    let (mut client, connack) = Client::try_connect5(broker, &Connect::v5(&broker.unique("auth"), &[method])).await;
    assert!([0x8c, 0x87].contains(&connack.code), "{connack:?}");
    client.expect_closed().await;
}

/// [MQTT-3.1.3-6], [MQTT-3.1.3-7], [MQTT-3.2.2-16]: unlike in MQTT 3.1.1 also without a clean start.
async fn an_empty_identifier_is_assigned(broker: Broker) {
    let mut assigned = BTreeSet::new();
    let mut clients = Vec::new();
    for connect in [Connect::v5("", &[]), Connect::v5("", &[]), Connect::v5("", &[]).persistent()] {
        let (client, connack) = Client::connect5(broker, &connect).await;
        let [Value::Binary(id)] = &all(&connack.properties, ASSIGNED_IDENTIFIER)[..] else { panic!("{connack:?}") };
        assert!(!id.is_empty() && assigned.insert(id.clone()), "{connack:?}");
        clients.push(client);
    }
    for client in &mut clients {
        client.ping().await;
    }
}

/// 3.2.2.3.7: the client may come back with it.
async fn an_assigned_identifier_is_kept_with_its_session(broker: Broker) {
    let expiry = [(SESSION_EXPIRY, Value::Four(60))];
    let (client, connack) = Client::connect5(broker, &Connect::v5("", &expiry)).await;
    let [Value::Binary(id)] = &all(&connack.properties, ASSIGNED_IDENTIFIER)[..] else { panic!("{connack:?}") };
    let id = String::from_utf8(id.clone()).unwrap();
    client.disconnect().await;
    Client::session5(broker, &Connect::v5(&id, &expiry).persistent(), true).await.ping().await;
}

/// 3.2.2.3.7
async fn a_given_identifier_is_not_assigned(broker: Broker) {
    let (_client, connack) = Client::connect5(broker, &Connect::v5(&broker.unique("given"), &[])).await;
    assert_eq!(all(&connack.properties, ASSIGNED_IDENTIFIER), []);
}

/// 3.1.2.9, unlike in MQTT 3.1.1; whether it lets anybody in is the server's affair.
async fn a_password_without_user_name_is_well_formed(broker: Broker) {
    let mut client = Client::open5(broker).await;
    let payload = [text(broker.unique("token")), text("token")].concat();
    client.send(frame(0x10, &[header("MQTT", 5, 0x42, 0), vec![0], payload].concat())).await;
    let connack = client.connack().await;
    assert!([0x00, 0x86, 0x87].contains(&connack.code), "{connack:?}");
}

/// [MQTT-3.1.2-3], [MQTT-3.1.2-11], [MQTT-3.1.2-12], [MQTT-3.1.2-13]
async fn malformed_flags_are_refused(broker: Broker) {
    for flags in [0x03, 0x0a, 0x12, 0x22, 0x1e] {
        let mut client = Client::open5(broker).await;
        let will = [vec![0], text("topic"), text("gone")].concat();
        let payload = [text(broker.unique("flags")), if flags & 4 == 0 { Vec::new() } else { will }].concat();
        client.send(frame(0x10, &[header("MQTT", 5, flags, 0), encode(&[]), payload].concat())).await;
        client.expect_refused().await;
    }
}

/// [MQTT-3.3.2-2], [MQTT-4.7.0-1]: it could not be published.
async fn a_will_topic_with_wildcards_is_refused(broker: Broker) {
    for topic in ["a/#", "+", ""] {
        let mut client = Client::open5(broker).await;
        client.send(Connect::v5(&broker.unique("will"), &[]).will(Will::new(topic, "gone")).bytes()).await;
        client.expect_refused().await;
    }
}

/// [MQTT-3.1.0-2]
async fn a_second_connect_is_a_protocol_error(broker: Broker) {
    let connect = Connect::v5(&broker.unique("twice"), &[]);
    let (mut client, _) = Client::connect5(broker, &connect).await;
    client.send(connect.bytes()).await;
    client.expect_disconnect(&MALFORMED_OR_PROTOCOL_ERROR).await;
}

/// 3.1.2.2: each connection in the version of its CONNECT.
async fn both_versions_are_spoken_side_by_side(broker: Broker) {
    let topic = broker.unique("versions");
    let (mut four, mut five) = (Client::clean(broker).await, Client::clean5(broker, &[]).await);
    four.subscribe(&topic, 1).await;
    five.subscribe(&topic, 1).await;
    four.publish_all(0, [crate::message::Message::new(&topic, "from four")]).await;
    assert_eq!(four.payloads(1).await, ["from four"]);
    assert_eq!(five.payloads(1).await, ["from four"]);
    five.publish_all(0, [crate::message::Message::new(&topic, "from five")]).await;
    assert_eq!(four.payloads(1).await, ["from five"]);
    assert_eq!(five.payloads(1).await, ["from five"]);
}
