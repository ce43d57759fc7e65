//! Accepts connections, and gives each to a task of its own.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};

use super::{Gate, Peer, handshake};
use crate::packet::Reason;

/// Connections that the system keeps until they are accepted: a whole fleet may come back at once. The system has a bound of its own.
const BACKLOG: u32 = 8192;
/// When files run out, others must end first.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
/// A peer that is gone without a word is noticed after this, also without keep-alive: idle time, pause between probes, and probes.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_INTERVAL: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

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

/// Accepts until the gate stops.
pub(crate) async fn accept(gate: Arc<Gate>, listener: TcpListener) {
    let room = Arc::new(Semaphore::new(gate.limits.connections));
    let serve = async {
        loop {
            match listener.accept().await {
                Ok((stream, address)) => admit(&gate, &room, stream, address),
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

fn admit(gate: &Arc<Gate>, room: &Arc<Semaphore>, stream: TcpStream, address: SocketAddr) {
    gate.metrics.accepted.add(1);
    let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
        gate.metrics.refuse("connect", Reason::ConnectionRateExceeded);
        return;
    };
    if let Err(error) = prepare(&stream) {
        tracing::debug!(%error, %address, "a socket ended before it was served");
        return;
    }
    let gate = Arc::clone(gate);
    tokio::spawn(async move {
        let (reader, writer) = stream.into_split();
        let peer = Peer { address: address.ip(), certificate_user: None };
        handshake::serve(gate, peer, reader, writer).await;
        drop(permit);
    });
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
