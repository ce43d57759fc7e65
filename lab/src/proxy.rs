//! A network of one connection's length: a TCP proxy on loopback that can be cut, slowed, stalled, and opened on one half.
//!
//! A proxy cannot lose packets: TCP would send them again before it sees them. That takes a [namespace](crate::namespace).

mod pump;

use crate::LabError;
use pump::pump;
use rustix::net::sockopt::set_socket_linger;
use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Connections at the same time: an agent has one, an ingester's pool of connections to its database some.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection to the far side may take: it is on this machine.
const CONNECT_DEADLINE: Duration = Duration::from_secs(2);
/// How long to wait when the system gives no connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the network does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Everything passes.
    Open,
    /// Connections are reset, and no new ones are made.
    Cut,
    /// Everything passes, [`SLOWED_BY`](pump::SLOWED_BY) later, in each direction.
    Slow,
    /// Nothing passes and nothing is lost: what is on its way arrives when this is over.
    Stalled,
    /// Each side sees a connection, and all it says is swallowed. When this is over these connections are reset, as the first packet
    /// to a machine that knows nothing of them is answered.
    HalfOpen,
}

/// A running proxy. Its port stays its own until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    condition: watch::Sender<Condition>,
    task: JoinHandle<()>,
}

/// The way of one connection.
#[derive(Debug, Clone)]
struct Way {
    to: SocketAddr,
    condition: watch::Receiver<Condition>,
}

/// The connection is to be reset on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reset;

impl Proxy {
    /// A proxy to a port on loopback, on a port of its own on loopback. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// [`LabError::Machine`] when there is no port.
    pub(crate) fn start(to: u16) -> Result<Self, LabError> {
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, crate::ports::free_port()?));
        Self::serve(listener.map_err(|error| LabError::machine("a port for a proxy", &error))?, to)
    }

    /// The same on a listener that is there, which may be in another network namespace.
    ///
    /// # Errors
    /// [`LabError::Machine`] when the listener cannot be used.
    pub(crate) fn serve(listener: StdListener, to: u16) -> Result<Self, LabError> {
        let failed = |error: std::io::Error| LabError::machine("a proxy", &error);
        let address = listener.local_addr().map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let (condition, watched) = watch::channel(Condition::Open);
        let way = Way { to: SocketAddr::from((Ipv4Addr::LOCALHOST, to)), condition: watched };
        let task = tokio::spawn(accept(listener, way));
        Ok(Self { address, condition, task })
    }

    /// Where it is reached.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the network does this.
    pub(crate) fn set(&self, condition: Condition) {
        self.condition.send_replace(condition);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, way: Way) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        let Ok((near, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let way = way.clone();
        tokio::spawn(async move {
            carry(near, way).await;
            drop(permit);
        });
    }
}

/// One connection, from its beginning to its end. A proxy that is gone ends it too: nobody holds its condition then.
async fn carry(mut near: TcpStream, mut way: Way) {
    let Ok(mut far) = reach(&mut way, &near).await else {
        reset(&near);
        return;
    };
    near.set_nodelay(true).ok();
    let (near_reads, near_writes) = near.split();
    let (far_reads, far_writes) = far.split();
    let there = pump(near_reads, far_writes, way.condition.clone());
    let back = pump(far_reads, near_writes, way.condition);
    if tokio::try_join!(there, back).is_err() {
        reset(&near);
        reset(&far);
    }
}

/// Connects to the far side, as soon as the network lets it.
async fn reach(way: &mut Way, near: &TcpStream) -> Result<TcpStream, Reset> {
    loop {
        let condition = *way.condition.borrow_and_update();
        match condition {
            Condition::Cut => return Err(Reset),
            Condition::Open | Condition::Slow => break,
            Condition::Stalled => way.condition.changed().await.map_err(|_| Reset)?,
            Condition::HalfOpen => {
                swallow(near, &mut way.condition).await;
                return Err(Reset);
            }
        }
    }
    let connecting = tokio::time::timeout(CONNECT_DEADLINE, TcpStream::connect(way.to));
    let far = connecting.await.map_err(|_| Reset)?.map_err(|_| Reset)?;
    far.set_nodelay(true).map_err(|_| Reset)?;
    Ok(far)
}

/// Reads what comes and forgets it, until the network changes.
async fn swallow(near: &TcpStream, condition: &mut watch::Receiver<Condition>) {
    let mut scrap = vec![0; pump::CHUNK_BYTES];
    loop {
        tokio::select! {
            _ = condition.changed() => return,
            ready = near.readable() => match ready.and_then(|()| near.try_read(&mut scrap)) {
                Ok(0) => {
                    // The end is not passed on either.
                    condition.changed().await.ok();
                    return;
                }
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            },
        }
    }
}

/// The end of the connection will be a reset, not an orderly end.
fn reset(stream: &TcpStream) {
    // A connection that is gone needs none.
    set_socket_linger(stream, Some(Duration::ZERO)).ok();
}

#[cfg(test)]
mod tests;
