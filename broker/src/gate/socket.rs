//! The ends of a connection's socket: writing that can be interrupted, and a close that lets the last words arrive.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

/// Longest that the end of a connection may take.
const FAREWELL: Duration = Duration::from_millis(500);
/// Most that is read of what a client still sends at the end.
const UNREAD_BYTES: usize = 1024 * 1024;
/// What is read at once of that.
const PART_BYTES: usize = 1024;

/// Writes the last words, closes, and takes what still comes: a socket that is closed with something unread makes the peer's system throw the
/// last words away. A client that does not listen any more is not waited for.
pub(super) async fn farewell(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    mut words: BytesMut,
) {
    let part = async {
        writer.write_all_buf(&mut words).await?;
        writer.shutdown().await?;
        let mut unread = BytesMut::with_capacity(PART_BYTES);
        let mut total = 0;
        while total < UNREAD_BYTES {
            unread.clear();
            match reader.read_buf(&mut unread).await? {
                0 => break,
                count => total += count,
            }
        }
        std::io::Result::Ok(())
    };
    drop(timeout(FAREWELL, part).await);
}

/// Writes some, and when nothing is left, flushes what encryption or a WebSocket holds back. Cancel safe: what was written is
/// counted at once, and a flush that has to wait goes on at the next call.
pub(super) async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    out: &mut BytesMut,
    unflushed: &mut bool,
) -> std::io::Result<usize> {
    let mut count = 0;
    if !out.is_empty() {
        count = writer.write_buf(out).await?;
        *unflushed = true;
    }
    if out.is_empty() {
        if count == 0 {
            writer.flush().await?;
        } else if let Poll::Ready(flushed) =
            poll_fn(|context| Poll::Ready(Pin::new(&mut *writer).poll_flush(context))).await
        {
            flushed?;
        } else {
            return Ok(count);
        }
        *unflushed = false;
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    /// Takes everything at once, and holds it back for some flushes.
    struct Holding {
        taken: Vec<u8>,
        flushes_left: usize,
    }

    impl AsyncWrite for Holding {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
            self.taken.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            if self.flushes_left == 0 {
                return Poll::Ready(Ok(()));
            }
            self.flushes_left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_was_written_is_counted_before_it_is_flushed_and_the_flush_goes_on() {
        let mut writer = Holding { taken: Vec::new(), flushes_left: 2 };
        let (mut out, mut unflushed) = (BytesMut::from(&b"reading"[..]), false);
        // The connection has other things to do than to wait for a flush, and must not forget it.
        assert_eq!(write(&mut writer, &mut out, &mut unflushed).await.unwrap(), 7);
        assert!(out.is_empty() && unflushed);
        assert_eq!(write(&mut writer, &mut out, &mut unflushed).await.unwrap(), 0);
        assert!(!unflushed && writer.flushes_left == 0 && writer.taken == b"reading");
    }
}
