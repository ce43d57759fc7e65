//! A TLS server that answers CONNECT, and nothing else.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use fogline_runtime::link::BrokerAddress;
use rumqttc::{ConnAck, Connect, ConnectReturnCode, Packet, mqttbytes};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{AlertDescription, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::{Authority, Signed};

/// No step of a test takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// Large enough for every packet of these tests.
const MAX_PACKET_BYTES: usize = 64 * 1024;

/// Waits for a step, and fails the test at the deadline.
pub(crate) async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, step).await.expect("deadline passed")
}

pub(crate) struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

/// A connection that was accepted.
pub(crate) struct Accepted {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) connect: Connect,
}

impl Server {
    /// On 127.0.0.1, asking for no certificate.
    pub(crate) async fn start(signed: &Signed) -> Self {
        Self::bind("127.0.0.1:0".parse().unwrap(), config(signed, None)).await
    }

    pub(crate) async fn on(address: SocketAddr, signed: &Signed) -> Self {
        Self::bind(address, config(signed, None)).await
    }

    /// Refuses whoever shows no certificate of `clients`.
    pub(crate) async fn requiring(signed: &Signed, clients: &Authority) -> Self {
        Self::bind("127.0.0.1:0".parse().unwrap(), config(signed, Some(clients))).await
    }

    async fn bind(address: SocketAddr, config: ServerConfig) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self { listener, acceptor: Arc::new(config).into() }
    }

    /// From now on with other certificates.
    pub(crate) fn renew(&mut self, signed: &Signed, clients: &Authority) {
        self.acceptor = Arc::new(config(signed, Some(clients))).into();
    }

    /// Its address, with this host.
    pub(crate) fn address(&self, host: &str) -> BrokerAddress {
        BrokerAddress::tls(host, self.listener.local_addr().unwrap().port())
    }

    /// The next connection, to its CONNACK.
    pub(crate) async fn accept(&self) -> Accepted {
        let mut stream = self.handshake().await.expect("the handshake failed");
        let connect = within(read_connect(&mut stream)).await;
        let mut answer = BytesMut::new();
        let accepted = Packet::ConnAck(ConnAck::new(ConnectReturnCode::Success, false));
        accepted.write(&mut answer, MAX_PACKET_BYTES).unwrap();
        within(stream.write_all(&answer)).await.unwrap();
        within(stream.flush()).await.unwrap();
        Accepted { stream, connect }
    }

    /// How the next connection's client refuses us.
    pub(crate) async fn refused_with(&self) -> AlertDescription {
        match self.refusal().await {
            rustls::Error::AlertReceived(alert) => alert,
            other => panic!("not refused by the client: {other}"),
        }
    }

    /// What ends the next connection's handshake.
    pub(crate) async fn refusal(&self) -> rustls::Error {
        let error = self.handshake().await.expect_err("the handshake was done");
        error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()).expect("a TLS error").clone()
    }

    async fn handshake(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let (stream, _) = within(self.listener.accept()).await?;
        within(self.acceptor.accept(stream)).await
    }
}

impl Accepted {
    /// The certificate that the client has shown.
    pub(crate) fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.stream.get_ref().1.peer_certificates()?.first().cloned()
    }
}

async fn read_connect(stream: &mut TlsStream<TcpStream>) -> Connect {
    let mut buffer = BytesMut::new();
    loop {
        match Packet::read(&mut buffer, MAX_PACKET_BYTES) {
            Ok(Packet::Connect(connect)) => return connect,
            Ok(other) => panic!("not a CONNECT: {other:?}"),
            Err(mqttbytes::Error::InsufficientBytes(_)) => {}
            Err(error) => panic!("the client sent nonsense: {error}"),
        }
        assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "the client left without a CONNECT");
    }
}

fn config(signed: &Signed, clients: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = signed.key.serialize_der().try_into().unwrap();
    builder.with_single_cert(vec![signed.certificate.der().clone()], key).unwrap()
}
