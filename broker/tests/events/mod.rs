//! An MQTT client, polled until something happens.

use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, Packet, Publish, QoS};
use tokio::time::timeout;

/// Longer than anything here takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until a packet comes that `wanted` accepts.
pub(crate) async fn until(events: &mut EventLoop, mut wanted: impl FnMut(&Packet) -> bool) -> Packet {
    timeout(PATIENCE, async {
        loop {
            match events.poll().await.expect("connected") {
                Event::Incoming(packet) if wanted(&packet) => return packet,
                _ => {}
            }
        }
    })
    .await
    .expect("in time")
}

/// Polls until the next message.
pub(crate) async fn message(events: &mut EventLoop) -> Publish {
    match until(events, |packet| matches!(packet, Packet::Publish(_))).await {
        Packet::Publish(publish) => publish,
        other => panic!("{other:?}"),
    }
}

/// Publishes at QoS 1 and waits for the PUBACK.
pub(crate) async fn publish(client: &AsyncClient, events: &mut EventLoop, topic: &str, payload: &[u8]) {
    client.try_publish(topic, QoS::AtLeastOnce, false, payload).unwrap();
    until(events, |packet| matches!(packet, Packet::PubAck(_))).await;
}
