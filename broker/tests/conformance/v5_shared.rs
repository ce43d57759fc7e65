//! Shared subscriptions: MQTT 5, 4.8.2.

use std::collections::BTreeSet;

use crate::{client::Client, client5::subscribe, message::Message, property::user, target::Broker};

rules! {
    each_message_goes_to_one_member;
    every_member_gets_some;
    each_group_gets_its_copy;
    a_subscription_of_ones_own_gets_its_copy_too;
    each_member_has_its_qos;
    messages_go_to_those_that_stay;
    wildcards_are_shared;
    filters_of_one_group_are_independent;
    retained_messages_are_not_sent except(Mosquitto, "it sends them");
    properties_are_forwarded;
    unsuback_tells_whether_one_was_shared;
    malformed_shares_are_refused except(Mosquitto, "it grants some");
    a_client_of_mqtt_3_1_1_can_share;
}

const MESSAGES: usize = 30;

fn numbered(topic: &str) -> impl Iterator<Item = Message> {
    (0..MESSAGES).map(move |number| Message::new(topic, number.to_string()))
}

/// Members of a group that shares `filter`.
async fn members<const N: usize>(broker: Broker, filter: &str, qos: u8) -> [Client; N] {
    let group = broker.unique("group");
    let mut members = Vec::new();
    for _ in 0..N {
        let mut member = Client::clean5(broker, &[]).await;
        member.subscribe(&format!("$share/{group}/{filter}"), qos).await;
        members.push(member);
    }
    members.try_into().unwrap()
}

/// Takes from all members until there are as many messages as sent, and shows who got what.
async fn collect(members: &mut [Client]) -> Vec<Vec<String>> {
    let mut got = vec![Vec::new(); members.len()];
    while got.iter().map(Vec::len).sum::<usize>() < MESSAGES {
        for (member, got) in members.iter_mut().zip(&mut got) {
            got.extend(member.drain().await);
        }
    }
    for member in members {
        member.expect_silence().await;
    }
    let all: BTreeSet<_> = got.iter().flatten().collect();
    assert_eq!(all.len(), MESSAGES, "{got:?}");
    got
}

/// 4.8.2
async fn each_message_goes_to_one_member(broker: Broker) {
    for qos in [0, 1, 2] {
        let topic = broker.unique("share");
        let mut members = members::<3>(broker, &topic, qos).await;
        Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic)).await;
        collect(&mut members).await;
    }
}

/// 4.8.2 leaves the choice to the server; one that always chooses the same shares nothing.
async fn every_member_gets_some(broker: Broker) {
    let topic = broker.unique("share");
    let mut members = members::<3>(broker, &topic, 1).await;
    Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic)).await;
    let got = collect(&mut members).await;
    assert!(got.iter().all(|got| !got.is_empty()), "{got:?}");
}

/// 4.8.2
async fn each_group_gets_its_copy(broker: Broker) {
    let topic = broker.unique("share");
    let (mut one, mut other) = (members::<2>(broker, &topic, 1).await, members::<2>(broker, &topic, 1).await);
    Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic)).await;
    collect(&mut one).await;
    collect(&mut other).await;
}

/// 4.8.2: shared and not shared are two subscriptions.
async fn a_subscription_of_ones_own_gets_its_copy_too(broker: Broker) {
    let topic = broker.unique("share");
    let mut members = members::<2>(broker, &topic, 1).await;
    let mut own = Client::clean5(broker, &[]).await;
    own.subscribe(&topic, 1).await;
    Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic)).await;
    collect(&mut members).await;
    assert_eq!(own.payloads(MESSAGES).await.len(), MESSAGES);
}

/// [MQTT-4.8.2-3]
async fn each_member_has_its_qos(broker: Broker) {
    let topic = broker.unique("share");
    let group = broker.unique("group");
    let mut clients = Vec::new();
    for qos in [0, 1] {
        let mut client = Client::clean5(broker, &[]).await;
        client.subscribe(&format!("$share/{group}/{topic}"), qos).await;
        clients.push((client, qos));
    }
    Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic)).await;
    for (client, qos) in &mut clients {
        assert_eq!(client.acknowledged().await.qos, *qos);
    }
}

/// 4.8.2: after a farewell, a cut, and an UNSUBSCRIBE.
async fn messages_go_to_those_that_stay(broker: Broker) {
    let topic = broker.unique("share");
    let group = broker.unique("group");
    let filter = format!("$share/{group}/{topic}");
    let mut clients = Vec::new();
    for _ in 0..4 {
        let mut client = Client::clean5(broker, &[]).await;
        client.subscribe(&filter, 1).await;
        clients.push(client);
    }
    clients.remove(0).disconnect().await;
    let mut cut = clients.remove(0);
    // The server closes for this error, so that it has ended when the connection has.
    cut.send([0x00, 0]).await;
    cut.expect_refused().await;
    assert_eq!(clients[0].unsubscribe5(&[&filter]).await, [0]);
    Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic)).await;
    assert_eq!(clients[1].payloads(MESSAGES).await.len(), MESSAGES);
    clients[0].expect_silence().await;
}

/// 4.8.2
async fn wildcards_are_shared(broker: Broker) {
    let base = broker.unique("share");
    let mut members = members::<2>(broker, &format!("{base}/+/x"), 1).await;
    let messages = (0..MESSAGES).map(|number| Message::new(format!("{base}/{number}/x"), number.to_string()));
    Client::clean5(broker, &[]).await.publish_all(1, messages).await;
    collect(&mut members).await;
}

/// 4.8.2: the share name and the filter together name a shared subscription.
async fn filters_of_one_group_are_independent(broker: Broker) {
    let [a, b] = ["a", "b"].map(|label| broker.unique(label));
    let group = broker.unique("group");
    let (mut one, mut other) = (Client::clean5(broker, &[]).await, Client::clean5(broker, &[]).await);
    one.subscribe(&format!("$share/{group}/{a}"), 1).await;
    other.subscribe(&format!("$share/{group}/{b}"), 1).await;
    let mut publisher = Client::clean5(broker, &[]).await;
    publisher.publish_all(1, numbered(&a)).await;
    publisher.publish_all(1, numbered(&b)).await;
    assert_eq!(one.payloads(MESSAGES).await.len(), MESSAGES);
    assert_eq!(other.payloads(MESSAGES).await.len(), MESSAGES);
}

/// 3.8.4, 4.8.2: not at the first subscription either.
async fn retained_messages_are_not_sent(broker: Broker) {
    let topic = broker.unique("share");
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "kept").retained()).await;
    let [mut member] = members::<1>(broker, &topic, 1).await;
    member.expect_silence().await;
}

/// 3.3.2.3
async fn properties_are_forwarded(broker: Broker) {
    let topic = broker.unique("share");
    let [mut member] = members::<1>(broker, &topic, 1).await;
    let properties = [user("b", "1"), user("a", "2")];
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "x").v5(&properties)).await;
    assert_eq!(member.acknowledged().await.properties(), properties);
}

/// [MQTT-3.10.4-1]
async fn unsuback_tells_whether_one_was_shared(broker: Broker) {
    let topic = broker.unique("share");
    let group = broker.unique("group");
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&format!("$share/{group}/{topic}"), 0).await;
    let codes =
        client.unsubscribe5(&[&topic, &format!("$share/other/{topic}"), &format!("$share/{group}/{topic}")]).await;
    assert_eq!(codes, [0x11, 0x11, 0x00]);
}

/// [MQTT-4.8.2-1], [MQTT-4.8.2-2]
async fn malformed_shares_are_refused(broker: Broker) {
    for filter in ["$share//a", "$share/group", "$share/group/", "$share/", "$share/a+/b", "$share/#/b", "$share/g/a+"]
    {
        let mut client = Client::clean5(broker, &[]).await;
        client.send(subscribe(3, &[], &[(filter, 0)])).await;
        let packet = client.packet().await;
        match packet.first {
            0x90 => assert!(packet.body[3] >= 0x80, "{filter} was granted"),
            0xe0 => assert!(packet.body[0] >= 0x80, "{filter}: {packet:?}"),
            _ => panic!("{filter}: {packet:?}"),
        }
    }
}

/// 4.8.2 is of MQTT 5; servers serve it to older clients as well.
async fn a_client_of_mqtt_3_1_1_can_share(broker: Broker) {
    let topic = broker.unique("share");
    let group = broker.unique("group");
    let (mut older, mut newer) = (Client::clean(broker).await, Client::clean5(broker, &[]).await);
    older.subscribe(&format!("$share/{group}/{topic}"), 0).await;
    newer.subscribe(&format!("$share/{group}/{topic}"), 0).await;
    Client::clean5(broker, &[]).await.publish_all(1, numbered(&topic)).await;
    collect(&mut [older, newer]).await;
}
