//! What a client asks for, and what it is answered.

use std::net::SocketAddr;

use tokio::time::timeout;

use crate::{
    site::token,
    wire::{CONNACK, Client, Connect, PATIENCE, PINGRESP, PUBACK, SUBACK, Version, packet},
};

pub(crate) const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

const PUBREC: u8 = 0x50;
const DISCONNECT: u8 = 0xe0;
/// Not authorized, in CONNACK of 3.1.1 (3.2.2.3).
const NOT_AUTHORIZED_311: u8 = 0x05;
/// Not authorized (5.0, 2.4).
pub(crate) const NOT_AUTHORIZED: u8 = 0x87;
/// Failure, in SUBACK of 3.1.1 (3.9.3).
const FAILURE: u8 = 0x80;

/// The code of a refused CONNECT.
pub(crate) fn connect_refused(version: Version) -> u8 {
    if version == Version::V5 { NOT_AUTHORIZED } else { NOT_AUTHORIZED_311 }
}

/// The code of a refused subscription.
pub(crate) fn subscribe_refused(version: Version) -> u8 {
    if version == Version::V5 { NOT_AUTHORIZED } else { FAILURE }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was acknowledged, or at QoS 0 the connection lives on.
    Taken,
    /// PUBACK or PUBREC has this code.
    Refused(u8),
    /// The connection was ended; in 5.0 with this reason.
    Ended(Option<u8>),
}

/// Sends CONNECT, and gives the code of CONNACK.
pub(crate) async fn knock(address: SocketAddr, connect: &Connect<'_>) -> (Client, u8) {
    let mut client = Client::open(address).await.expect("a connection");
    client.send(&connect.packet()).await;
    let code = client.reader.until(CONNACK).await.body[1];
    (client, code)
}

/// Connected under the user's own name.
pub(crate) async fn log_in(address: SocketAddr, version: Version, name: &str) -> Client {
    let token = token(name);
    Client::connect(address, &Connect { version, login: Some((name, &token)), ..Connect::new(name) }).await
}

impl Client {
    /// Publishes, and finishes what QoS 2 begins.
    pub(crate) async fn publish(&mut self, version: Version, flags: u8, topic: &str, payload: &[u8]) -> Answer {
        self.publish_with(version, flags, topic, &[], payload).await
    }

    /// The same with properties, encoded.
    pub(crate) async fn publish_with(
        &mut self,
        version: Version,
        flags: u8,
        topic: &str,
        properties: &[u8],
        payload: &[u8],
    ) -> Answer {
        let bytes = packet::publish_with(version, flags, topic, 7, properties, payload);
        self.send(&[bytes, packet::ping()].concat()).await;
        let mut answer = Answer::Taken;
        loop {
            let Ok(raw) = timeout(PATIENCE, self.reader.next()).await.expect("an answer in time") else {
                return Answer::Ended(None);
            };
            match raw.first & 0xf0 {
                PINGRESP => break,
                DISCONNECT => {
                    self.reader.closed().await;
                    return Answer::Ended(raw.body.first().copied());
                }
                // Codes below 0x80 are successes, and left out where they are 0.
                PUBACK | PUBREC => match raw.body.get(2).copied() {
                    Some(code) if code >= 0x80 => answer = Answer::Refused(code),
                    _ => {}
                },
                _ => {}
            }
        }
        if flags & 0x04 != 0 && answer == Answer::Taken {
            self.send(&packet::ack(0x62, 7)).await;
            self.reader.until(0x70).await;
        }
        answer
    }

    /// Subscribes all at once, and gives the codes of the SUBACK.
    pub(crate) async fn subscribe_all(&mut self, version: Version, filters: &[&str]) -> Vec<u8> {
        let filters: Vec<_> = filters.iter().map(|filter| (*filter, 1)).collect();
        self.send(&packet::subscribe(version, 1, &filters)).await;
        let suback = self.reader.until(SUBACK).await;
        suback.body[if version == Version::V5 { 3 } else { 2 }..].to_vec()
    }

    /// The topics of the messages that come before one to `last`, each acknowledged. The router keeps the order of what was answered before.
    pub(crate) async fn topics_before(&mut self, last: &str) -> Vec<String> {
        let mut topics = Vec::new();
        loop {
            let message = self.reader.message().await;
            if let Some(id) = message.id() {
                self.send(&packet::ack(PUBACK, id)).await;
            }
            if message.topic() == last {
                return topics;
            }
            topics.push(message.topic().to_owned());
        }
    }

    /// The reason of the DISCONNECT by which the broker ended the connection, if it said one.
    pub(crate) async fn ended(&mut self) -> Option<u8> {
        let mut reason = None;
        let end = async {
            while let Ok(raw) = self.reader.next().await {
                if raw.first == DISCONNECT {
                    reason = raw.body.first().copied();
                }
            }
        };
        timeout(PATIENCE, end).await.expect("ended in time");
        reason
    }
}
