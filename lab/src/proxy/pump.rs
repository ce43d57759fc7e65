//! One direction of a connection.

use super::{Condition, Reset};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How much later everything arrives on a slow network, in each direction.
pub(super) const SLOWED_BY: Duration = Duration::from_millis(200);
/// Read at once.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;
/// What may be on its way: beyond that nothing is read, and the sender's own buffers fill.
const ON_THE_WAY_MAX: usize = 1 << 20;

/// What is on its way, and when it arrives.
#[derive(Default)]
struct Line {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    bytes: usize,
    ended: bool,
    swallowed: bool,
}

impl Line {
    fn put(&mut self, chunk: &[u8], condition: Condition) {
        let delay = if condition == Condition::Slow { SLOWED_BY } else { Duration::ZERO };
        // Never before what was sent earlier.
        let earliest = self.chunks.back().map_or_else(Instant::now, |(due, _)| *due);
        self.bytes += chunk.len();
        self.chunks.push_back((earliest.max(Instant::now() + delay), chunk.to_vec()));
    }

    fn due(&self) -> Instant {
        self.chunks.front().map_or_else(Instant::now, |(due, _)| *due)
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let (_, chunk) = self.chunks.pop_front()?;
        self.bytes -= chunk.len();
        Some(chunk)
    }
}

/// Carries one direction to its end, and passes the end on.
pub(super) async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut condition: watch::Receiver<Condition>,
) -> Result<(), Reset> {
    let (mut line, mut buffer) = (Line::default(), vec![0; CHUNK_BYTES]);
    loop {
        let now = *condition.borrow_and_update();
        match now {
            Condition::Cut => return Err(Reset),
            Condition::Stalled => {
                condition.changed().await.map_err(|_| Reset)?;
                continue;
            }
            Condition::HalfOpen => line.swallowed = true,
            // What was swallowed will never come: the sides would misunderstand each other.
            Condition::Open | Condition::Slow if line.swallowed => return Err(Reset),
            Condition::Open | Condition::Slow if line.ended && line.chunks.is_empty() => {
                return to.shutdown().await.map_err(|_| Reset);
            }
            Condition::Open | Condition::Slow => {}
        }
        let passes = now != Condition::HalfOpen;
        tokio::select! {
            changed = condition.changed() => changed.map_err(|_| Reset)?,
            read = from.read(&mut buffer), if !line.ended && line.bytes < ON_THE_WAY_MAX => {
                let count = read.map_err(|_| Reset)?;
                line.ended = count == 0;
                if let Some(chunk) = buffer.get(..count).filter(|chunk| passes && !chunk.is_empty()) {
                    line.put(chunk, now);
                }
            }
            () = sleep_until(line.due()), if passes && !line.chunks.is_empty() => {
                if let Some(chunk) = line.take() {
                    write(&mut to, &chunk, condition.clone(), &mut line.swallowed).await?;
                }
            }
        }
    }
}

/// Writes a chunk, for as long as its receiver takes, unless the network ends under it.
async fn write(
    to: &mut WriteHalf<'_>,
    chunk: &[u8],
    mut condition: watch::Receiver<Condition>,
    swallowed: &mut bool,
) -> Result<(), Reset> {
    tokio::select! {
        written = to.write_all(chunk) => written.map_err(|_| Reset),
        ends = condition.wait_for(|now| matches!(now, Condition::Cut | Condition::HalfOpen)) => match ends {
            Ok(now) if *now == Condition::HalfOpen => {
                *swallowed = true;
                Ok(())
            }
            Ok(_) | Err(_) => Err(Reset),
        },
    }
}
