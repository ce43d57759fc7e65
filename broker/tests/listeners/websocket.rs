//! MQTT in WebSockets, spoken byte by byte.

use std::net::SocketAddr;

use fogline_broker::Broker;
use fogline_door::tls::ClientCertificates;
use futures_util::{SinkExt, StreamExt};
use rumqttc::Transport;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::frame::coding::CloseCode},
};

use crate::site::{PATIENCE, Site, client, message, publish, subscribe};

/// CONNECT of "ws-1", 3.1.1, clean, no keep-alive.
const CONNECT: &[u8] = b"\x10\x10\x00\x04MQTT\x04\x02\x00\x00\x00\x04ws-1";
const CONNACK: &[u8] = b"\x20\x02\x00\x00";
/// SUBSCRIBE "up/#" at QoS 1.
const SUBSCRIBE: &[u8] = b"\x82\x09\x00\x01\x00\x04up/#\x01";
const SUBACK: &[u8] = b"\x90\x03\x00\x01\x01";
/// PUBLISH "reading" to "up/1" at QoS 0, as it comes back.
const PUBLISH: &[u8] = b"\x30\x0d\x00\x04up/1reading";
const PINGREQ: &[u8] = b"\xc0\x00";
const PINGRESP: &[u8] = b"\xd0\x00";

struct Socket<S>(WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    async fn open(stream: S, address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, Error> {
        let mut request = format!("ws://{address}/mqtt").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (stream, response) = client_async(request, stream).await?;
        assert_eq!(response.headers()["sec-websocket-protocol"], "mqtt");
        Ok(Self(stream))
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
    }

    async fn expect(&mut self, expected: &[u8]) {
        assert_eq!(self.take(expected.len()).await, expected);
    }

    /// Takes so many bytes at least, in however many frames.
    async fn take(&mut self, count: usize) -> Vec<u8> {
        let mut heard = Vec::new();
        while heard.len() < count {
            match self.next().await {
                Some(Ok(Message::Binary(bytes))) => heard.extend_from_slice(&bytes),
                other => panic!("{other:?} after {heard:?}"),
            }
        }
        heard
    }

    /// Why the broker closes it.
    async fn closed(&mut self) -> CloseCode {
        match self.next().await {
            Some(Ok(Message::Close(Some(frame)))) => frame.code,
            other => panic!("{other:?}"),
        }
    }

    async fn next(&mut self) -> Option<Result<Message, Error>> {
        timeout(PATIENCE, self.0.next()).await.expect("in time")
    }
}

const MQTT: (&str, &str) = ("sec-websocket-protocol", "mqtt");

async fn open(address: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Socket<TcpStream>, Error> {
    Socket::open(TcpStream::connect(address).await.unwrap(), address, headers).await
}

async fn site() -> (Site, Broker) {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    (site, broker)
}

#[tokio::test]
async fn packets_may_share_a_frame() {
    let (_site, broker) = site().await;
    let mut socket = open(broker.ws_addr().unwrap(), &[MQTT]).await.unwrap();
    socket.send(&[CONNECT, SUBSCRIBE, PUBLISH, PINGREQ].concat()).await;
    let answers = socket.take([CONNACK, SUBACK, PUBLISH, PINGRESP].concat().len()).await;
    // The answer to the ping may go before the message.
    let orders = [[CONNACK, SUBACK, PINGRESP, PUBLISH], [CONNACK, SUBACK, PUBLISH, PINGRESP]];
    assert!(orders.iter().any(|order| order.concat() == answers), "{answers:?}");
}

#[tokio::test]
async fn packets_may_be_split_over_frames() {
    let (_site, broker) = site().await;
    let mut socket = open(broker.ws_addr().unwrap(), &[MQTT]).await.unwrap();
    for byte in [CONNECT, SUBSCRIBE].concat() {
        socket.send(&[byte]).await;
        // A frame may be empty.
        socket.send(&[]).await;
    }
    socket.expect(&[CONNACK, SUBACK].concat()).await;
    for part in PUBLISH.chunks(3) {
        socket.send(part).await;
    }
    socket.expect(PUBLISH).await;
}

#[tokio::test]
async fn messages_pass_between_websockets_and_tcp_also_large_ones() {
    let (_site, broker) = site().await;
    let mut socket = open(broker.ws_addr().unwrap(), &[MQTT]).await.unwrap();
    socket.send(&[CONNECT, SUBSCRIBE].concat()).await;
    socket.expect(&[CONNACK, SUBACK].concat()).await;
    let (plain, mut events) = client("plain", broker.local_addr(), Transport::Tcp);
    events.mqtt_options.set_max_packet_size(65_536, 65_536);
    subscribe(&plain, &mut events, "up/1").await;
    socket.send(PUBLISH).await;
    assert_eq!(&message(&mut events).await.payload[..], b"reading");
    socket.expect(PUBLISH).await;

    // A message of 40,000 bytes at QoS 1, whose remaining length is written in three bytes.
    let payload = vec![7; 40_000];
    publish(&plain, &mut events, "up/2", &payload).await;
    let head = b"\x32\xc8\xb8\x02\x00\x04up/2\x00\x01".as_slice();
    socket.expect(&[head, &payload].concat()).await;
}

#[tokio::test]
async fn pings_of_the_websocket_are_answered() {
    let (_site, broker) = site().await;
    let mut socket = open(broker.ws_addr().unwrap(), &[MQTT]).await.unwrap();
    socket.send(CONNECT).await;
    socket.expect(CONNACK).await;
    socket.0.send(Message::Ping(b"there?".as_slice().into())).await.unwrap();
    let answer = socket.next().await.unwrap().unwrap();
    assert_eq!(answer, Message::Pong(b"there?".as_slice().into()));
}

#[tokio::test]
async fn a_text_frame_ends_the_connection() {
    let (_site, broker) = site().await;
    let mut socket = open(broker.ws_addr().unwrap(), &[MQTT]).await.unwrap();
    socket.send(CONNECT).await;
    socket.expect(CONNACK).await;
    socket.0.send(Message::text("\u{10}")).await.unwrap();
    assert_eq!(socket.closed().await, CloseCode::Unsupported);
}

#[tokio::test]
async fn a_frame_that_is_too_large_ends_the_connection() {
    let (_site, broker) = site().await;
    let mut socket = open(broker.ws_addr().unwrap(), &[MQTT]).await.unwrap();
    socket.send(CONNECT).await;
    socket.expect(CONNACK).await;
    // As many QoS 0 messages as make four of the largest packets, and one byte more.
    let frame: Vec<u8> = PUBLISH.iter().copied().cycle().take(4 * 65_536 + 1).collect();
    socket.send(&frame).await;
    assert_eq!(socket.closed().await, CloseCode::Size);
}

#[tokio::test]
async fn what_is_not_todays_mqtt_is_refused() {
    let (_site, broker) = site().await;
    let old = [("sec-websocket-protocol", "mqttv3.1")];
    for headers in [&old[..], &[]] {
        match open(broker.ws_addr().unwrap(), headers).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 400, "{headers:?}"),
            other => panic!("{headers:?}: {}", other.is_ok()),
        }
    }
}

#[tokio::test]
async fn pages_of_other_sites_are_refused_unless_they_are_named() {
    let site = Site::new();
    let mut config = site.config(ClientCertificates::NotAsked);
    config.ws_origins = vec!["https://fogline.example".to_owned()];
    let broker = Broker::start(config).await.unwrap();
    let address = broker.ws_addr().unwrap();
    for origin in ["https://evil.example", "null", "http://localhost"] {
        match open(address, &[MQTT, ("origin", origin)]).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), 403, "{origin}"),
            other => panic!("{origin}: {}", other.is_ok()),
        }
    }
    for origin in [format!("http://{address}"), "https://fogline.example".to_owned()] {
        open(address, &[MQTT, ("origin", &origin)]).await.unwrap();
    }
}

#[tokio::test]
async fn over_tls_a_client_shows_its_certificate_and_goes_when_it_is_revoked() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::Required).await;
    let address = broker.wss_addr().unwrap();
    let lane = site.authority.issue("lane-1", 2);
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(site.trust(Some(&lane)));
    let stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
    let mut socket = Socket::open(stream, address, &[MQTT]).await.unwrap();
    socket.send(&[CONNECT, SUBSCRIBE, PUBLISH].concat()).await;
    socket.expect(&[CONNACK, SUBACK, PUBLISH].concat()).await;
    site.put("crl.pem", &site.authority.list(2, &[&lane]));
    broker.reload().await;
    assert!(matches!(socket.next().await, Some(Ok(Message::Close(_))) | None));
}
