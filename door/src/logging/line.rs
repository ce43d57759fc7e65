//! One event, one line.

use std::io::{self, Write};
use tracing_subscriber::fmt::MakeWriter;

/// Makes writers in which what was formatted at once is one line.
#[derive(Debug)]
pub(super) struct OneLine<M>(M);

impl<M> OneLine<M> {
    pub(super) const fn new(make: M) -> Self {
        Self(make)
    }
}

impl<'a, M, W> MakeWriter<'a> for OneLine<M>
where
    M: Fn() -> W,
    W: Write + 'a,
{
    type Writer = Writer<W>;

    fn make_writer(&'a self) -> Self::Writer {
        Writer((self.0)())
    }
}

/// Escapes line ends that are not the last one. Each event comes in one call.
#[derive(Debug)]
pub(super) struct Writer<W>(W);

impl<W: Write> Write for Writer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (text, end) = match bytes.split_last() {
            Some((b'\n', text)) => (text, &b"\n"[..]),
            _ => (bytes, &b""[..]),
        };
        if text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            let mut line = Vec::with_capacity(bytes.len() + 8);
            for byte in text {
                match byte {
                    b'\n' => line.extend_from_slice(br"\n"),
                    b'\r' => line.extend_from_slice(br"\r"),
                    other => line.push(*other),
                }
            }
            line.extend_from_slice(end);
            self.0.write_all(&line)?;
        } else {
            self.0.write_all(bytes)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
