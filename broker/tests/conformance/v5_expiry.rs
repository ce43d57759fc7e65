//! Message Expiry Interval: MQTT 5, 3.3.2.3.3.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    client::Client,
    connect::Connect,
    message::Message,
    property::{MESSAGE_EXPIRY, SESSION_EXPIRY, Value, number},
    target::Broker,
};

rules! {
    messages_expire;
}

together! {
    /// 3.3.2.3.3
    messages_expire =
        a_waiting_message_expires,
        an_expiry_is_lowered_by_the_time_waited,
        a_message_without_expiry_waits_on,
        a_retained_message_expires,
        the_expiry_of_a_retained_message_is_lowered,
}

/// Longer than a second, in whole seconds.
const PAST_A_SECOND: Duration = Duration::from_millis(2200);

fn expiring(topic: &str, payload: &str, seconds: u32) -> Message {
    Message::new(topic, payload).v5(&[(MESSAGE_EXPIRY, Value::Four(seconds))])
}

/// An offline session that has subscribed a topic.
async fn offline(broker: Broker) -> (Connect, String) {
    let topic = broker.unique("expiry");
    let connect = Connect::v5(&topic, &[(SESSION_EXPIRY, Value::Four(60))]).persistent();
    let mut client = Client::session5(broker, &connect, false).await;
    client.subscribe(&topic, 1).await;
    client.disconnect().await;
    (connect, topic)
}

/// What is left of `seconds` after [`PAST_A_SECOND`] on a loaded machine.
fn assert_lowered(message: &Message, seconds: usize) {
    let left = number(&message.properties(), MESSAGE_EXPIRY);
    assert!(left.is_some_and(|left| (seconds - 30..seconds).contains(&left)), "{left:?} of {seconds} are left");
}

/// [MQTT-3.3.2-5]
async fn a_waiting_message_expires(broker: Broker) {
    let (connect, topic) = offline(broker).await;
    let messages = [expiring(&topic, "short", 1), expiring(&topic, "long", 60)];
    Client::clean5(broker, &[]).await.publish_all(1, messages).await;
    sleep(PAST_A_SECOND).await;
    let mut client = Client::session5(broker, &connect, true).await;
    assert_eq!(client.payloads(1).await, ["long"]);
    client.expect_silence().await;
}

/// [MQTT-3.3.2-6]
async fn an_expiry_is_lowered_by_the_time_waited(broker: Broker) {
    let (connect, topic) = offline(broker).await;
    Client::clean5(broker, &[]).await.publish(expiring(&topic, "waits", 60)).await;
    sleep(PAST_A_SECOND).await;
    assert_lowered(&Client::session5(broker, &connect, true).await.acknowledged().await, 60);
}

/// 3.3.2.3.3: without the property it does not expire.
async fn a_message_without_expiry_waits_on(broker: Broker) {
    let (connect, topic) = offline(broker).await;
    Client::clean5(broker, &[]).await.publish(Message::new(&topic, "waits")).await;
    sleep(PAST_A_SECOND).await;
    let message = Client::session5(broker, &connect, true).await.acknowledged().await;
    assert_eq!((message.text().as_str(), message.properties()), ("waits", Vec::new()));
}

/// 3.3.1.3: it is then discarded.
async fn a_retained_message_expires(broker: Broker) {
    let topic = broker.unique("expiry");
    Client::clean5(broker, &[]).await.publish(expiring(&topic, "short", 1).retained()).await;
    sleep(PAST_A_SECOND).await;
    let mut client = Client::clean5(broker, &[]).await;
    client.subscribe(&topic, 0).await;
    client.expect_silence().await;
}

/// [MQTT-3.3.2-6]
async fn the_expiry_of_a_retained_message_is_lowered(broker: Broker) {
    let topic = broker.unique("expiry");
    Client::clean5(broker, &[]).await.publish(expiring(&topic, "long", 60).retained()).await;
    sleep(PAST_A_SECOND).await;
    assert_lowered(&Client::clean5(broker, &[]).await.retained(&topic, 0, 1).await[0], 60);
}
