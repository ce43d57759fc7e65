//! PINGREQ and DISCONNECT: MQTT 3.1.1, 3.12 to 3.14.

use crate::{
    client::Client,
    connect::Connect,
    message::Message,
    packet::{DISCONNECT, PINGREQ, PINGRESP},
    target::Broker,
};

rules! {
    a_ping_is_answered;
    every_ping_is_answered;
    disconnect_closes;
    what_follows_disconnect_is_not_served;
    what_precedes_disconnect_is_served;
    a_connect_after_disconnect_is_not_served;
}

/// [MQTT-3.12.4-1]
async fn a_ping_is_answered(broker: Broker) {
    Client::clean(broker).await.ping().await;
}

/// [MQTT-3.12.4-1]
async fn every_ping_is_answered(broker: Broker) {
    let mut client = Client::clean(broker).await;
    client.send(PINGREQ.repeat(50)).await;
    for _ in 0..50 {
        client.expect(PINGRESP).await;
    }
    client.expect_silence().await;
}

/// 3.14.4: the server has to close if the client has not.
async fn disconnect_closes(broker: Broker) {
    Client::clean(broker).await.disconnect().await;
}

/// [MQTT-3.14.4-2]
async fn what_follows_disconnect_is_not_served(broker: Broker) {
    let topic = broker.unique("late");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let mut client = Client::clean(broker).await;
    client.send([DISCONNECT.to_vec(), Message::new(&topic, "late").bytes(), PINGREQ.to_vec()].concat()).await;
    client.expect_closed().await;
    watcher.expect_silence().await;
}

/// 4.2: bytes are served in their order, so the message was there before.
async fn what_precedes_disconnect_is_served(broker: Broker) {
    let topic = broker.unique("last");
    let mut watcher = Client::clean(broker).await;
    watcher.subscribe(&topic, 0).await;
    let mut client = Client::open(broker).await;
    let connect = Connect::new(&broker.unique("hasty")).bytes();
    client.send([connect, Message::new(&topic, "last words").bytes(), DISCONNECT.to_vec()].concat()).await;
    assert_eq!(watcher.message().await, Message::new(&topic, "last words"));
}

/// [MQTT-3.14.4-2], [MQTT-3.1.0-2]
async fn a_connect_after_disconnect_is_not_served(broker: Broker) {
    let connect = Connect::new(&broker.unique("back"));
    let mut client = Client::connect(broker, &connect).await;
    client.send([DISCONNECT.to_vec(), connect.bytes()].concat()).await;
    client.expect_closed().await;
}
