//! UTF-8 encoded strings: MQTT 3.1.1, 1.5.3.

use crate::{
    client::Client,
    connect::header,
    message::Message,
    packet::{frame, suback, text},
    target::Broker,
};

rules! {
    ill_formed_topics_close;
    ill_formed_filters_close;
    ill_formed_identifiers_close;
    ill_formed_will_topics_close;
    ill_formed_user_names_close;
    a_nul_closes;
    a_byte_order_mark_is_a_character;
    characters_of_every_length_are_kept;
}

/// A lone continuation byte, a cut sequence, surrogates, an overlong slash, a NUL in two bytes, beyond U+10FFFF.
const ILL_FORMED: [&[u8]; 8] =
    [b"a\x80", b"a\xc3", b"a\xff", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xc0\xaf", b"\xc0\x80", b"\xf4\x90\x80\x80"];

fn subscribe(filter: &[u8]) -> Vec<u8> {
    frame(0x82, &[vec![0, 1], text(filter), vec![0]].concat())
}

fn unsubscribe(filter: &[u8]) -> Vec<u8> {
    frame(0xa2, &[vec![0, 1], text(filter)].concat())
}

/// A connected client sends `packet`.
async fn closes(broker: Broker, packet: &[u8]) {
    let mut client = Client::clean(broker).await;
    client.send(packet).await;
    assert_eq!(client.next().await, None, "the answer to {packet:02x?}");
}

/// A CONNECT is closed, or refused for its identifier.
async fn connect_closes(broker: Broker, flags: u8, payload: &[Vec<u8>]) {
    let mut client = Client::open(broker).await;
    client.send(frame(0x10, &[header("MQTT", 4, flags, 0), payload.concat()].concat())).await;
    if let Some(packet) = client.next().await {
        assert_eq!(packet.bytes(), [0x20, 2, 0, 2], "the answer to {payload:02x?}");
        client.expect_closed().await;
    }
}

/// [MQTT-1.5.3-1], [MQTT-3.3.2-1]
async fn ill_formed_topics_close(broker: Broker) {
    for topic in ILL_FORMED {
        closes(broker, &Message::new(topic, "").bytes()).await;
    }
}

/// [MQTT-1.5.3-1], [MQTT-3.8.3-1], [MQTT-3.10.3-1]
async fn ill_formed_filters_close(broker: Broker) {
    for filter in ILL_FORMED {
        closes(broker, &subscribe(filter)).await;
        closes(broker, &unsubscribe(filter)).await;
    }
}

/// [MQTT-1.5.3-1], [MQTT-3.1.3-4]
async fn ill_formed_identifiers_close(broker: Broker) {
    for id in ILL_FORMED {
        connect_closes(broker, 0x02, &[text(id)]).await;
    }
}

/// [MQTT-1.5.3-1], [MQTT-3.1.3-10]
async fn ill_formed_will_topics_close(broker: Broker) {
    for topic in ILL_FORMED {
        connect_closes(broker, 0x06, &[text(broker.unique("will")), text(topic), text("")]).await;
    }
}

/// [MQTT-1.5.3-1], [MQTT-3.1.3-11]
async fn ill_formed_user_names_close(broker: Broker) {
    for user in ILL_FORMED {
        connect_closes(broker, 0x82, &[text(broker.unique("user")), text(user)]).await;
    }
}

/// [MQTT-1.5.3-2], [MQTT-4.7.3-2]
async fn a_nul_closes(broker: Broker) {
    closes(broker, &Message::new(b"a\0b", "").bytes()).await;
    closes(broker, &subscribe(b"a\0b")).await;
    closes(broker, &unsubscribe(b"a\0b")).await;
    connect_closes(broker, 0x02, &[text(b"a\0b")]).await;
    connect_closes(broker, 0x06, &[text(broker.unique("will")), text(b"a\0b"), text("")]).await;
    connect_closes(broker, 0x82, &[text(broker.unique("user")), text(b"a\0b")]).await;
}

/// [MQTT-1.5.3-3]: it is neither taken away from a topic nor ignored in matching.
async fn a_byte_order_mark_is_a_character(broker: Broker) {
    let plain = broker.unique("mark");
    let marked = format!("\u{feff}{plain}");
    let mut client = Client::clean(broker).await;
    client.subscribe(&plain, 0).await;
    client.send(Message::new(&marked, "unheard").bytes()).await;
    client.expect_silence().await;
    client.send(subscribe(marked.as_bytes())).await;
    client.expect(suback(1, &[0])).await;
    let message = Message::new(&marked, "heard");
    client.send(message.bytes()).await;
    assert_eq!(client.message().await, message);
}

/// 1.5.3: characters of two, three and four bytes, also as the first one.
async fn characters_of_every_length_are_kept(broker: Broker) {
    let mut client = Client::clean(broker).await;
    for start in ["über", "雾", "\u{10348}", "\u{2028}"] {
        let topic = broker.unique(start);
        client.subscribe(&topic, 0).await;
        let message = Message::new(&topic, "kept");
        client.send(message.bytes()).await;
        assert_eq!(client.message().await, message);
    }
}
