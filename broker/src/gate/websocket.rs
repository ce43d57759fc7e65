//! MQTT in the binary frames of a WebSocket (3.1.1 and 5.0, chapter 6), read and written like any other stream.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Error, Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::upgrade::{self, Origins};

/// A client may join packets in one frame, and some write all that they have at once: so many of the largest. The whole
/// frame is kept until it is complete.
const PACKETS_IN_A_FRAME: usize = 4;
/// Largest frame that is sent. Room of this size stays with the connection.
const FRAME_BYTES: usize = 16 * 1024;
/// Room for what is read; kept by idle connections, too.
const READ_BYTES: usize = 4 * 1024;

/// A stream of bytes, cut into frames anyhow: packets may be split over frames, and share them [MQTT-6.0.0-2].
pub(super) struct WebSocket<S> {
    stream: WebSocketStream<S>,
    /// The rest of a frame.
    unread: Bytes,
    /// The client did what it must not. What still comes is of no interest.
    failed: bool,
    /// What it is told then.
    farewell: Option<CloseFrame>,
}

/// The handshake of HTTP, which says that MQTT is spoken [MQTT-6.0.0-3], [MQTT-6.0.0-4].
///
/// The head of the request is at most 64 KiB, in at most 124 lines: the library sees to that.
///
/// # Errors
/// If the client asks for something else, comes from a page that may not, or goes. It has been told.
pub(super) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    packet_bytes: usize,
    origins: &Origins,
) -> Result<WebSocket<S>, Error> {
    let frame_bytes = Some(packet_bytes.saturating_mul(PACKETS_IN_A_FRAME));
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        // What is written goes out at once: the connection gathers packets itself.
        .write_buffer_size(0)
        .max_frame_size(frame_bytes)
        .max_message_size(frame_bytes);
    #[expect(clippy::result_large_err, reason = "the library wants it so, once for each connection")]
    let answer = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        upgrade::answer(request, response, origins)
    };
    let stream = accept_hdr_async_with_config(stream, answer, Some(config)).await?;
    Ok(WebSocket { stream, unread: Bytes::new(), failed: false, farewell: None })
}

impl<S> WebSocket<S> {
    fn fail(&mut self, code: CloseCode, reason: &'static str) -> io::Error {
        self.failed = true;
        self.farewell = Some(CloseFrame { code, reason: reason.into() });
        io::Error::new(io::ErrorKind::InvalidData, reason)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.failed {
            return Pin::new(this.stream.get_mut()).poll_read(context, into);
        }
        while this.unread.is_empty() {
            match ready!(Pin::new(&mut this.stream).poll_next(context)) {
                Some(Ok(Message::Binary(data))) => this.unread = data,
                // Pings are answered by the library at the next read or write.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                // [MQTT-6.0.0-1]
                Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                    return Poll::Ready(Err(this.fail(CloseCode::Unsupported, "MQTT is in binary frames")));
                }
                Some(Err(Error::Capacity(_))) => {
                    return Poll::Ready(Err(this.fail(CloseCode::Size, "the frame is too large")));
                }
                Some(Err(Error::Protocol(_) | Error::Utf8(_))) => {
                    return Poll::Ready(Err(this.fail(CloseCode::Protocol, "this is no WebSocket frame")));
                }
                Some(Err(error)) => return Poll::Ready(Err(into_io(error))),
            }
        }
        let count = this.unread.len().min(into.remaining());
        into.put_slice(&this.unread.split_to(count));
        if this.unread.is_empty() {
            // Otherwise it would hold the memory of the frame.
            this.unread = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = &mut self.get_mut().stream;
        ready!(Pin::new(&mut *stream).poll_ready(context)).map_err(into_io)?;
        let bytes = bytes.get(..FRAME_BYTES).unwrap_or(bytes);
        let frame = Message::Binary(Bytes::copy_from_slice(bytes));
        Poll::Ready(Pin::new(stream).start_send(frame).map(|()| bytes.len()).map_err(into_io))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context).map_err(into_io)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(farewell) = this.farewell.take() {
            // It is queued even where it cannot be written yet.
            Pin::new(&mut this.stream).start_send(Message::Close(Some(farewell))).map_err(into_io)?;
        }
        ready!(Pin::new(&mut this.stream).poll_close(context)).map_err(into_io)?;
        Pin::new(this.stream.get_mut()).poll_shutdown(context)
    }
}

fn into_io(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        error => io::Error::other(error),
    }
}
