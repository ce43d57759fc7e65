//! One connection.

use super::guard::Guard;
use super::patient::Patient;
use crate::tls::ServerTls;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// A browser sends some twenty; what has more gets 431.
const HEADERS_MAX: usize = 64;
/// Of a head, and of what is read ahead; what has more gets 431.
const BUFFER_BYTES: usize = 16 * 1024;

/// Times and TLS of connections, and what answers their requests.
pub(super) struct Gate {
    pub(super) guard: Guard,
    pub(super) tls: Option<Arc<ServerTls>>,
    pub(super) handshake_time: Duration,
    pub(super) head_time: Duration,
    pub(super) write_time: Duration,
}

impl Gate {
    /// Serves a connection until it ends, or `stop` says so: then the request that is being answered is the last.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, peer: IpAddr, stop: watch::Receiver<bool>) {
        // Small answers go out at once. A socket that cannot do that is slower, and good for all else.
        stream.set_nodelay(true).ok();
        let Some(tls) = &self.tls else { return self.answer(stream, peer, stop).await };
        match timeout(self.handshake_time, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => self.answer(stream, peer, stop).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
            Err(_) => tracing::debug!(%peer, "no TLS in time"),
        }
    }

    async fn answer(&self, stream: impl AsyncRead + AsyncWrite + Unpin, peer: IpAddr, mut stop: watch::Receiver<bool>) {
        let requests =
            service_fn(async |request: Request<Incoming>| Ok::<_, Infallible>(self.guard.answer(peer, request).await));
        let stream = TokioIo::new(Patient::new(stream, self.write_time));
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.head_time)
                .max_headers(HEADERS_MAX)
                .max_buf_size(BUFFER_BYTES)
                .serve_connection(stream, requests)
        );
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            // An error is that nobody can stop it any more, which is a stop.
            _ = stop.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "an HTTP connection ended");
        }
    }
}
