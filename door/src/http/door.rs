//! The listener, and who gets a connection.

use super::config::HttpConfig;
use super::connection::Gate;
use super::error::DoorError;
use super::guard::Guard;
use super::tokens::Tokens;
use crate::tls::{ServerTls, TlsConfig};
use axum::Router;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// For answers that are under way at a stop.
const STOP_TIME: Duration = Duration::from_secs(2);
/// When no connection can be taken, most often because files run out: some may be closed by then.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An HTTP server that runs. It ends at once when this is dropped, and in order with [`Self::stop`].
#[derive(Debug)]
#[must_use = "the server ends when this is dropped"]
pub struct Door {
    /// Where it listens, with its port.
    pub address: SocketAddr,
    /// Whether it speaks HTTPS.
    pub secure: bool,
    stop: watch::Sender<bool>,
    listening: JoinSet<()>,
    /// What looks at files.
    watching: JoinSet<()>,
}

impl Door {
    /// Where it is to be asked, `http://ADDRESS:PORT` or `https://ADDRESS:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.secure { "https" } else { "http" }, self.address)
    }

    /// Takes no more connections and requests, lets the answers that are under way end for 2 seconds, and ends.
    pub async fn stop(mut self) {
        self.watching.abort_all();
        // Nobody listens any more when the server has ended by itself.
        self.stop.send(true).ok();
        while self.listening.join_next().await.is_some() {}
    }
}

/// Serves `routes` behind the rules of [this module](super).
///
/// # Errors
/// Others can reach the address and there are no tokens; it cannot be listened on; or tokens, certificate or key cannot be
/// used. Each says what to do.
pub async fn serve(config: HttpConfig, routes: Router) -> Result<Door, DoorError> {
    if config.is_open_to_others() {
        return Err(DoorError::OpenToOthers(config.address));
    }
    let mut watching = JoinSet::new();
    let tokens = config.tokens.clone().map(Tokens::load).transpose()?.map(Arc::new);
    if let Some(tokens) = tokens.clone() {
        watching.spawn(async move { tokens.watch().await });
    }
    let tls = config.tls.as_ref().map(|files| TlsConfig::new(&files.certificate, &files.key));
    let tls = tls.map(ServerTls::load).transpose()?.map(Arc::new);
    if let Some(tls) = tls.clone() {
        watching.spawn(async move { tls.watch().await });
    }
    let listener = listen(config.address).await?;
    let address = listener.local_addr().map_err(|source| DoorError::Listen { address: config.address, source })?;
    let secure = tls.is_some();
    if !secure && !address.ip().to_canonical().is_loopback() {
        tracing::warn!(%address, "tokens pass over the network readable: give --http-cert and --http-key, or a TLS proxy");
    }
    let limits = config.limits;
    let gate = Arc::new(Gate {
        guard: Guard::new(routes, tokens, secure, limits, config.open_paths),
        tls,
        handshake_time: limits.handshake_time,
        head_time: limits.head_time,
        write_time: limits.write_time,
    });
    let (stop, stopped) = watch::channel(false);
    let mut listening = JoinSet::new();
    listening.spawn(accept(listener, gate, limits.connections, stopped));
    Ok(Door { address, secure, stop, listening, watching })
}

async fn listen(address: SocketAddr) -> Result<TcpListener, DoorError> {
    TcpListener::bind(address).await.map_err(|source| DoorError::Listen { address, source })
}

/// Gives each connection a task, as long as there is room.
async fn accept(listener: TcpListener, gate: Arc<Gate>, most: usize, mut stop: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut full = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        // Those that have ended make room first.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(_) if connections.len() >= most => {
                if !std::mem::replace(&mut full, true) {
                    tracing::warn!(most, "too many HTTP connections: new ones are closed");
                }
            }
            Ok((stream, peer)) => {
                full = false;
                connections.spawn(Arc::clone(&gate).serve(stream, peer.ip(), stop.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot take an HTTP connection");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // Those that are not done by then end with their set.
    timeout(STOP_TIME, async { while connections.join_next().await.is_some() {} }).await.ok();
}
