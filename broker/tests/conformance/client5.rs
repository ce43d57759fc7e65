//! What the raw client says and hears in MQTT 5 only.

use crate::{
    client::Client,
    connect::Connect,
    packet::{CONNACK, Packet, SUBACK, UNSUBACK, frame, text},
    property::{self, Property, RECEIVE_MAXIMUM},
    target::{Broker, Target},
};

/// What a server may call an error that it could not read, or that it could read and must not accept: 4.13.1.
pub(crate) const MALFORMED_OR_PROTOCOL_ERROR: [u8; 2] = [0x81, 0x82];

/// A CONNACK.
#[derive(Debug, Clone)]
pub(crate) struct Connack {
    pub(crate) session_present: bool,
    pub(crate) code: u8,
    pub(crate) properties: Vec<Property>,
}

/// A packet that answers an identifier with codes: PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK.
#[derive(Debug, Clone)]
pub(crate) struct Ack {
    pub(crate) first: u8,
    pub(crate) id: u16,
    pub(crate) codes: Vec<u8>,
    pub(crate) properties: Vec<Property>,
}

impl Ack {
    pub(crate) fn read(packet: &Packet) -> Self {
        let Packet { first, body } = packet;
        assert!([4, 5, 6, 7, 9, 11].contains(&(first >> 4)), "expected an acknowledgement, got {packet:?}");
        let id = u16::from_be_bytes(body[..2].try_into().unwrap());
        let of_filters = [SUBACK, UNSUBACK].contains(first);
        let (codes, properties) = if of_filters {
            let (properties, taken) = property::decode(&body[2..]);
            (body[2 + taken..].to_vec(), properties)
        } else {
            let properties = if body.len() > 3 { property::decode(&body[3..]).0 } else { Vec::new() };
            (vec![body.get(2).copied().unwrap_or(0)], properties)
        };
        Self { first: *first, id, codes, properties }
    }
}

/// SUBSCRIBE of filters with their options.
pub(crate) fn subscribe(id: u16, properties: &[Property], filters: &[(&str, u8)]) -> Vec<u8> {
    let filters = filters.iter().flat_map(|(filter, options)| [text(filter), vec![*options]].concat());
    frame(0x82, &[id.to_be_bytes().to_vec(), property::encode(properties), filters.collect()].concat())
}

/// UNSUBSCRIBE.
pub(crate) fn unsubscribe(id: u16, filters: &[&str]) -> Vec<u8> {
    let filters = filters.iter().flat_map(text);
    frame(0xa2, &[id.to_be_bytes().to_vec(), vec![0], filters.collect()].concat())
}

/// DISCONNECT with a reason code.
pub(crate) fn disconnect(code: u8, properties: &[Property]) -> Vec<u8> {
    frame(0xe0, &[vec![code], property::encode(properties)].concat())
}

impl Client {
    /// Connects with MQTT 5; gives the CONNACK, whatever it says.
    pub(crate) async fn try_connect5(broker: Broker, connect: &Connect) -> (Self, Connack) {
        let mut client = Self::open5(broker).await;
        client.send(connect.bytes()).await;
        let connack = client.connack().await;
        (client, connack)
    }

    /// Connects with MQTT 5.
    pub(crate) async fn connect5(broker: Broker, connect: &Connect) -> (Self, Connack) {
        let (mut client, connack) = Self::try_connect5(broker, connect).await;
        assert_eq!(connack.code, 0, "{connack:?}");
        client.window = property::number(&connack.properties, RECEIVE_MAXIMUM).unwrap_or(usize::from(u16::MAX));
        (client, connack)
    }

    /// Connects with MQTT 5, where a session is present or not.
    pub(crate) async fn session5(broker: Broker, connect: &Connect, present: bool) -> Self {
        let (client, connack) = Self::connect5(broker, connect).await;
        assert_eq!(connack.session_present, present, "{connack:?}");
        client
    }

    /// Connects with MQTT 5, a clean start, an identifier of its own, and these properties.
    pub(crate) async fn clean5(broker: Broker, properties: &[Property]) -> Self {
        Self::connect5(broker, &Connect::v5(&broker.unique("five"), properties)).await.0
    }

    /// The next packet has to be a CONNACK.
    pub(crate) async fn connack(&mut self) -> Connack {
        let packet = self.packet().await;
        assert_eq!(packet.first, CONNACK, "expected a CONNACK, got {packet:?}");
        assert!(packet.body[0] <= 1, "reserved flags are set: {packet:?}");
        let properties = property::decode(&packet.body[2..]).0;
        Connack { session_present: packet.body[0] == 1, code: packet.body[1], properties }
    }

    /// The next packet has to be an acknowledgement.
    pub(crate) async fn ack(&mut self) -> Ack {
        Ack::read(&self.packet().await)
    }

    /// Subscribes and gives the SUBACK's codes; nothing may be retained.
    pub(crate) async fn subscribe5(&mut self, properties: &[Property], filters: &[(&str, u8)]) -> Vec<u8> {
        self.send(subscribe(11, properties, filters)).await;
        let ack = self.ack().await;
        assert_eq!((ack.first, ack.id), (SUBACK, 11), "{ack:?}");
        ack.codes
    }

    /// Unsubscribes and gives the UNSUBACK's codes.
    pub(crate) async fn unsubscribe5(&mut self, filters: &[&str]) -> Vec<u8> {
        self.send(unsubscribe(12, filters)).await;
        let ack = self.ack().await;
        assert_eq!((ack.first, ack.id), (UNSUBACK, 12), "{ack:?}");
        ack.codes
    }

    /// The server has to tell one of these reasons in a DISCONNECT, and to close.
    ///
    /// It must close and should tell (4.13.1). Mosquitto often closes in silence, which here counts as an answer of it.
    pub(crate) async fn expect_disconnect(&mut self, reasons: &[u8]) {
        let Some(packet) = self.next().await else {
            assert_eq!(self.target, Target::Mosquitto, "the server closed the connection without a DISCONNECT");
            return;
        };
        assert_eq!(packet.first, 0xe0, "expected a DISCONNECT, got {packet:?}");
        let reason = packet.body.first().copied().unwrap_or(0);
        assert!(reasons.contains(&reason), "the reason is {reason:#x}, expected one of {reasons:#x?}");
        self.expect_closed().await;
    }

    /// The server has to close, and may say why in a CONNACK or DISCONNECT before: with an error in any case.
    pub(crate) async fn expect_refused(&mut self) {
        if let Some(packet) = self.next().await {
            let code = match packet.first {
                CONNACK => packet.body.get(1),
                0xe0 => packet.body.first(),
                _ => panic!("expected the end, got {packet:?}"),
            };
            assert!(code.is_some_and(|code| *code >= 0x80), "expected an error, got {packet:?}");
            self.expect_closed().await;
        }
    }
}
