//! A pipe, read on a thread of its own: nothing can wake up a thread that waits for one.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// What is read from the pipe at once, in bytes: as much as a Linux pipe gives.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that may wait between the reading thread and the source. Then the writer at the other end waits.
const CHUNKS_WAITING: usize = 1;
/// Chunks that the reading thread may have taken out of the pipe when it is told to stop: those that wait, one in its hand,
/// and one that it was just reading.
const CHUNKS_TAKEN: usize = CHUNKS_WAITING + 2;
/// How long to wait for each of them at most: it is in memory already.
const LAST_WAIT: Duration = Duration::from_millis(20);

/// The near end of the reading thread. Its `read` never blocks.
#[derive(Debug)]
pub(super) struct Pipe {
    chunks: Receiver<std::io::Result<Vec<u8>>>,
    stop: Arc<AtomicBool>,
    chunk: Vec<u8>,
    at: usize,
    ended: bool,
    failure: Option<std::io::Error>,
}

impl Pipe {
    /// Starts the thread that reads `input`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn open(input: impl Read + Send + 'static) -> std::io::Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS_WAITING);
        let stop = Arc::new(AtomicBool::new(false));
        let told_to_stop = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("fogline-stdin".to_owned());
        thread.spawn(move || read_chunks(input, &sender, &told_to_stop))?;
        Ok(Self { chunks, stop, chunk: Vec::new(), at: 0, ended: false, failure: None })
    }

    fn rest(&self) -> &[u8] {
        self.chunk.get(self.at..).unwrap_or_default()
    }

    /// Waits until there is something to read, at most so long.
    pub(super) fn wait(&mut self, patience: Duration) {
        if self.ended || self.failure.is_some() || !self.rest().is_empty() {
            return;
        }
        match self.chunks.recv_timeout(patience) {
            Ok(chunk) => self.keep(chunk),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.ended = true,
        }
    }

    /// Takes over what the reading thread has taken out of the pipe already, and ends there.
    pub(super) fn close(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for _ in 0..CHUNKS_TAKEN {
            let Ok(Ok(chunk)) = self.chunks.recv_timeout(LAST_WAIT) else { break };
            self.chunk.drain(..self.at);
            self.at = 0;
            self.chunk.extend(chunk);
        }
        self.ended = true;
    }

    fn keep(&mut self, chunk: std::io::Result<Vec<u8>>) {
        match chunk {
            Ok(chunk) => (self.chunk, self.at) = (chunk, 0),
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.rest().is_empty() && !self.ended && self.failure.is_none() {
            match self.chunks.try_recv() {
                Ok(chunk) => self.keep(chunk),
                Err(TryRecvError::Empty) => return Err(ErrorKind::WouldBlock.into()),
                Err(TryRecvError::Disconnected) => self.ended = true,
            }
        }
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let mut rest = self.rest();
        let count = rest.read(into)?;
        self.at += count;
        Ok(count)
    }
}

/// Reads until the input ends, or until it is told to stop.
fn read_chunks(mut input: impl Read, chunks: &SyncSender<std::io::Result<Vec<u8>>>, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut chunk = vec![0; CHUNK_BYTES];
        let sent = match input.read(&mut chunk) {
            Ok(0) => return,
            Ok(count) => {
                chunk.truncate(count);
                chunks.send(Ok(chunk))
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => {
                // The last word: if nobody hears it, nobody listens.
                chunks.send(Err(error)).ok();
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
