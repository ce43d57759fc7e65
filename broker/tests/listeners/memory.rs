//! What an idle connection costs the broker over each transport, beside what the system keeps for a socket.
//!
//! Run alone: `cargo test -p fogline-broker --test listeners memory -- --ignored --nocapture`.

use std::{fs, net::SocketAddr, process::Stdio, sync::Arc};

use futures_util::{SinkExt, StreamExt};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::site::Site;

const CONNECTIONS: usize = 1000;
/// Before it is measured: what is allocated once.
const TO_BEGIN_WITH: usize = 10;
const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

#[tokio::test]
#[ignore = "a measurement"]
async fn memory_of_idle_connections() {
    let site = Site::new();
    let trust = site.trust(Some(&site.authority.issue("lane-1", 2)));
    for scheme in ["mqtt", "mqtts", "ws", "wss"] {
        let (broker, address) = start(&site, scheme).await;
        let mut streams = Vec::new();
        let mut before = 0;
        for number in 0..TO_BEGIN_WITH + CONNECTIONS {
            if number == TO_BEGIN_WITH {
                before = resident_kib(&broker);
            }
            streams.push(connect(scheme, address, &trust, number).await);
        }
        let each = (resident_kib(&broker) - before) as f64 / CONNECTIONS as f64;
        println!("{scheme}: {each:.1} KiB for each idle connection");
    }
}

/// A broker with all listeners, and the address of one.
async fn start(site: &Site, scheme: &str) -> (Child, SocketAddr) {
    let mut broker = Command::new(env!("CARGO_BIN_EXE_fogline-broker"));
    for flag in ["--listen", "--tls-listen", "--ws-listen", "--wss-listen"] {
        broker.args([flag, "127.0.0.1:0"]);
    }
    broker.arg("--tls-cert").arg(site.path("server.pem")).arg("--tls-key").arg(site.path("server.key"));
    broker.arg("--tls-client-ca").arg(site.path("ca.pem")).args(["--tls-client-certificates", "required"]);
    let mut broker = broker.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(broker.stdout.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("says where it listens");
        let url = line.strip_prefix("fogline-broker ready on ").unwrap();
        let (spoken, address) = url.split_once("://").unwrap_or(("mqtt", url));
        if spoken == scheme {
            return (broker, address.parse().unwrap());
        }
    }
}

/// A connection that got its CONNACK.
async fn connect(scheme: &str, address: SocketAddr, trust: &Arc<ClientConfig>, number: usize) -> Box<dyn Stream> {
    let mut connect = b"\x10\x15\x00\x04MQTT\x04\x02\x00\x00\x00\x09".to_vec();
    connect.extend_from_slice(format!("idle-{number:04}").as_bytes());
    let mut stream: Box<dyn Stream> = Box::new(TcpStream::connect(address).await.unwrap());
    if matches!(scheme, "mqtts" | "wss") {
        let connector = TlsConnector::from(Arc::clone(trust));
        stream = Box::new(connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap());
    }
    if matches!(scheme, "ws" | "wss") {
        let mut request = format!("ws://{address}/").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
        let (mut socket, _) = client_async(request, stream).await.unwrap();
        socket.send(Message::Binary(connect.into())).await.unwrap();
        assert_eq!(&socket.next().await.unwrap().unwrap().into_data()[..], CONNACK);
        return socket.into_inner();
    }
    stream.write_all(&connect).await.unwrap();
    stream.flush().await.unwrap();
    let mut connack = [0; CONNACK.len()];
    stream.read_exact(&mut connack).await.unwrap();
    assert_eq!(connack, CONNACK);
    stream
}

fn resident_kib(process: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
