//! Accepts connections, and gives each to a task of its own.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use fogline_door::tls::ServerTls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout_at,
};
use tokio_rustls::server::TlsStream;

use super::{Gate, Peer, handshake, upgrade::Origins, websocket};
use crate::packet::Reason;

/// Connections that the system keeps until they are accepted: a whole fleet may come back at once. The system has a bound of its own.
const BACKLOG: u32 = 8192;
/// When files run out, others must end first.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
/// A peer that is gone without a word is noticed after this, also without keep-alive: idle time, pause between probes, and probes.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

/// What clients of a listener speak below MQTT.
#[derive(Debug, Clone)]
pub(crate) enum Transport {
    Plain,
    /// One or both of the layers between TCP and MQTT.
    Layered {
        tls: Option<Arc<ServerTls>>,
        websocket: Option<Arc<Origins>>,
    },
}

/// A stream through such layers.
trait Layered: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Layered for S {}

/// Binds an address.
///
/// # Errors
/// If it cannot be had.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the gate stops. All listeners share the gate's room for connections.
pub(crate) async fn accept(gate: Arc<Gate>, listener: TcpListener, transport: Transport) {
    let serve = async {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => admit(&gate, &transport, stream, address),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    };
    tokio::select! {
        () = gate.stopping() => {}
        () = serve => {}
    }
}

/// Nothing here waits for the client: one that says nothing must not keep others out.
fn admit(gate: &Arc<Gate>, transport: &Transport, stream: TcpStream, address: SocketAddr) {
    gate.metrics.accepted.add(1);
    let Ok(permit) = Arc::clone(&gate.room).try_acquire_owned() else {
        gate.metrics.refuse("connect", Reason::ConnectionRateExceeded);
        return;
    };
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, %address, "a socket ended before it was served");
        return;
    }
    let (gate, transport) = (Arc::clone(gate), transport.clone());
    tokio::spawn(async move {
        serve(gate, transport, stream, address).await;
        drop(permit);
    });
}

async fn serve(gate: Arc<Gate>, transport: Transport, stream: TcpStream, address: SocketAddr) {
    let peer = Peer::new(address.ip());
    match transport {
        Transport::Plain => {
            let (reader, writer) = stream.into_split();
            handshake::serve(gate, peer, reader, writer).await;
        }
        Transport::Layered { tls, websocket } => {
            // Boxed, so that its room is free again afterwards.
            if let Some((peer, stream)) = Box::pin(lay(&gate, tls, websocket, peer, stream)).await {
                let (reader, writer) = tokio::io::split(stream);
                handshake::serve(gate, peer, reader, writer).await;
            }
        }
    }
}

/// The handshakes before that of MQTT. None if one of them fails.
async fn lay(
    gate: &Gate,
    tls: Option<Arc<ServerTls>>,
    websocket: Option<Arc<Origins>>,
    peer: Peer,
    stream: TcpStream,
) -> Option<(Peer, Box<dyn Layered>)> {
    let handshaking = gate.metrics.handshaking.enter();
    let (peer, stream): (Peer, Box<dyn Layered>) = match tls {
        None => (peer, Box::new(stream)),
        Some(tls) => {
            let (peer, stream) = secure(gate, tls, peer, stream).await?;
            (peer, Box::new(stream))
        }
    };
    let stream = match websocket {
        None => stream,
        Some(origins) => upgrade(gate, &origins, &peer, stream).await?,
    };
    drop(handshaking);
    Some((peer, stream))
}

/// The handshake of a WebSocket, in the same time.
async fn upgrade(gate: &Gate, origins: &Origins, peer: &Peer, stream: Box<dyn Layered>) -> Option<Box<dyn Layered>> {
    let accepted = websocket::accept(stream, gate.limits().packet_bytes, origins);
    match timeout_at(peer.connect_until, accepted).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        Ok(Err(error)) => {
            tracing::debug!(%error, address = %peer.address, "no WebSocket with a client");
            gate.metrics.refuse("websocket", Reason::NotAuthorized);
            None
        }
        Err(_) => {
            gate.metrics.refuse("websocket", Reason::KeepAliveTimeout);
            None
        }
    }
}

/// The handshake of TLS, within the time of all handshakes.
async fn secure(
    gate: &Gate,
    tls: Arc<ServerTls>,
    peer: Peer,
    stream: TcpStream,
) -> Option<(Peer, TlsStream<TcpStream>)> {
    let changes = tls.changes();
    let accepted = timeout_at(peer.connect_until, tls.acceptor().accept(stream)).await;
    match accepted {
        Ok(Ok(stream)) => Some((peer.verified(&tls, changes, &stream), stream)),
        Ok(Err(error)) => {
            tracing::debug!(%error, address = %peer.address, "no TLS with a client");
            gate.metrics.refuse("tls", Reason::NotAuthorized);
            None
        }
        Err(_) => {
            gate.metrics.refuse("tls", Reason::KeepAliveTimeout);
            None
        }
    }
}

/// Small packets go out at once, and dead peers are found.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    probe(stream)
}

#[cfg(target_os = "linux")]
fn probe(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, PROBE_AFTER)?;
    sockopt::set_tcp_keepintvl(stream, PROBE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, PROBES)?;
    Ok(())
}

/// Other systems probe after their own time.
#[cfg(not(target_os = "linux"))]
fn probe(stream: &TcpStream) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_packets_are_not_held_back() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), async {
            listener.accept().await.unwrap().0
        });
        assert!(!accepted.nodelay().unwrap());
        prepare(&accepted).unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
