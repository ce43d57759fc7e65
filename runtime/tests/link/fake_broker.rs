//! A broker that does exactly what a test tells it to, packet by packet.

use std::future::Future;
use std::time::Duration;

use bytes::BytesMut;
use fogline_runtime::link::BrokerAddress;
use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, Packet, PubAck, Publish, QoS, SubAck, SubscribeReasonCode, mqttbytes,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// No step of a test takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Large enough for every packet of these tests.
const MAX_PACKET_BYTES: usize = 1024 * 1024;

/// Waits for a step, and fails the test at the deadline.
pub(crate) async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, step).await.expect("deadline passed")
}

pub(crate) struct FakeBroker {
    listener: TcpListener,
}

impl FakeBroker {
    pub(crate) async fn start() -> Self {
        Self::start_on(0).await
    }

    pub(crate) async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        Self { listener }
    }

    pub(crate) fn address(&self) -> BrokerAddress {
        let address = self.listener.local_addr().unwrap();
        BrokerAddress::tcp(address.ip().to_string(), address.port())
    }

    /// The next connection, before its CONNECT is read.
    pub(crate) async fn accept(&self) -> Peer {
        let (stream, _) = within(self.listener.accept()).await.unwrap();
        Peer { stream, buffer: BytesMut::new() }
    }

    /// The next connection, with CONNECT and CONNACK done.
    pub(crate) async fn accept_connected(&self) -> (Peer, Connect) {
        let mut peer = self.accept().await;
        let connect = peer.read_connect().await;
        peer.write(connack()).await;
        (peer, connect)
    }

    /// The next connection, with CONNECT done and every subscription granted.
    pub(crate) async fn accept_subscribed(&self) -> (Peer, Vec<String>) {
        let (mut peer, _) = self.accept_connected().await;
        let filters = peer.answer_subscribe(SubscribeReasonCode::Success(QoS::AtLeastOnce)).await;
        (peer, filters)
    }
}

/// One connection of a client.
pub(crate) struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
}

impl Peer {
    /// The next packet, or `None` when the client has closed or reset the connection.
    pub(crate) async fn read_or_end(&mut self) -> Option<Packet> {
        within(async {
            loop {
                match Packet::read(&mut self.buffer, MAX_PACKET_BYTES) {
                    Ok(packet) => return Some(packet),
                    Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                    Err(error) => panic!("the client sent nonsense: {error}"),
                }
                match self.stream.read_buf(&mut self.buffer).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
    }

    pub(crate) async fn read(&mut self) -> Packet {
        self.read_or_end().await.expect("the client closed the connection")
    }

    pub(crate) async fn read_connect(&mut self) -> Connect {
        match self.read().await {
            Packet::Connect(connect) => connect,
            other => panic!("not a CONNECT: {other:?}"),
        }
    }

    /// The next PUBLISH; pings on the way are answered.
    pub(crate) async fn read_publish(&mut self) -> Publish {
        loop {
            match self.read().await {
                Packet::Publish(publish) => return publish,
                Packet::PingReq => self.write(Packet::PingResp).await,
                other => panic!("not a PUBLISH: {other:?}"),
            }
        }
    }

    /// Reads until the client has closed, and says whether it sent DISCONNECT first.
    pub(crate) async fn read_to_end(&mut self) -> bool {
        let mut disconnected = false;
        while let Some(packet) = self.read_or_end().await {
            disconnected |= packet == Packet::Disconnect;
        }
        disconnected
    }

    /// Reads a SUBSCRIBE at `QoS` 1, which a PUBACK may precede, and answers each of its filters with `code`.
    pub(crate) async fn answer_subscribe(&mut self, code: SubscribeReasonCode) -> Vec<String> {
        self.answer_subscribe_at(QoS::AtLeastOnce, code).await
    }

    pub(crate) async fn answer_subscribe_at(&mut self, qos: QoS, code: SubscribeReasonCode) -> Vec<String> {
        let subscribe = loop {
            match self.read().await {
                Packet::Subscribe(subscribe) => break subscribe,
                Packet::PubAck(_) => {}
                other => panic!("not a SUBSCRIBE: {other:?}"),
            }
        };
        assert!(subscribe.filters.iter().all(|filter| filter.qos == qos));
        let codes = vec![code; subscribe.filters.len()];
        self.write(Packet::SubAck(SubAck::new(subscribe.pkid, codes))).await;
        subscribe.filters.into_iter().map(|filter| filter.path).collect()
    }

    pub(crate) async fn acknowledge(&mut self, pkid: u16) {
        self.write(Packet::PubAck(PubAck::new(pkid))).await;
    }

    pub(crate) async fn publish(&mut self, topic: &str, pkid: u16, payload: &[u8]) {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = pkid;
        self.write(Packet::Publish(publish)).await;
    }

    pub(crate) async fn write(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, MAX_PACKET_BYTES).unwrap();
        within(self.stream.write_all(&bytes)).await.unwrap();
    }

    /// Ends the stream to the client, but goes on reading.
    pub(crate) async fn finish(&mut self) {
        within(self.stream.shutdown()).await.unwrap();
    }
}

pub(crate) fn connack() -> Packet {
    Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))
}
