//! What keeps sources from running ahead of the queue.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The memory of readings that all sources together may have handed over and that are not committed yet, in bytes. A commit every 50 ms
/// then takes up to about 400,000 readings a second, and an agent stays within its 16 MB.
const ROOM_BYTES: usize = 2 * 1024 * 1024;

/// The agent is stopping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped;

/// Lets sources' threads through while there is room, and wakes it up to stop.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside_bytes: usize,
    /// Sources that wait for room.
    waiting: usize,
    stopped: bool,
}

impl Gate {
    /// Waits until there is room for an offer of `bytes`. One offer always has room, however large it is.
    pub(crate) fn enter(&self, bytes: usize) -> Result<(), Stopped> {
        let mut state = self.lock();
        while !state.stopped && state.inside_bytes > 0 && state.inside_bytes + bytes > ROOM_BYTES {
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
        if state.stopped {
            return Err(Stopped);
        }
        state.inside_bytes += bytes;
        Ok(())
    }

    /// Lets an offer in without waiting: the last one of a source that stops.
    pub(crate) fn force(&self, bytes: usize) {
        self.lock().inside_bytes += bytes;
    }

    /// An offer of `bytes` is committed.
    pub(crate) fn leave(&self, bytes: usize) {
        let mut state = self.lock();
        state.inside_bytes = state.inside_bytes.saturating_sub(bytes);
        let waits = state.waiting > 0;
        drop(state);
        // One that sleeps until its next reading is let sleep.
        if waits {
            self.changed.notify_all();
        }
    }

    /// Waits until `deadline`, or until the agent stops.
    pub(crate) fn sleep_until(&self, deadline: Instant) -> Result<(), Stopped> {
        let mut state = self.lock();
        while !state.stopped {
            let wait = deadline.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(());
            }
            state = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        Err(Stopped)
    }

    /// Wakes up whoever waits, and lets nobody in any more.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn a_full_gate_waits_for_a_commit() {
        let gate = Arc::new(Gate::default());
        assert_eq!(gate.enter(ROOM_BYTES * 2), Ok(()), "one offer always has room");
        let (sender, entered) = channel();
        let waiting = Arc::clone(&gate);
        let thread = std::thread::spawn(move || sender.send(waiting.enter(1)).unwrap());
        assert!(entered.recv_timeout(Duration::from_millis(50)).is_err());
        gate.leave(ROOM_BYTES * 2);
        assert_eq!(entered.recv_timeout(Duration::from_secs(10)), Ok(Ok(())));
        thread.join().unwrap();
    }

    #[test]
    fn of_several_that_wait_none_is_forgotten() {
        let gate = Arc::new(Gate::default());
        gate.enter(ROOM_BYTES).unwrap();
        let (sender, entered) = channel();
        for _ in 0..2 {
            let (gate, sender) = (Arc::clone(&gate), sender.clone());
            std::thread::spawn(move || {
                // Each fills all of it, so that the second must be woken up when the first has left.
                let passed = gate.enter(ROOM_BYTES);
                sender.send(passed).unwrap();
            });
        }
        let deadline = Instant::now() + Duration::from_secs(30);
        while gate.lock().waiting < 2 {
            assert!(Instant::now() < deadline, "they do not wait");
            std::thread::yield_now();
        }
        gate.leave(ROOM_BYTES);
        assert_eq!(entered.recv_timeout(Duration::from_secs(30)), Ok(Ok(())));
        while gate.lock().waiting < 1 {
            assert!(Instant::now() < deadline, "the other does not wait");
            std::thread::yield_now();
        }
        gate.leave(ROOM_BYTES);
        assert_eq!(entered.recv_timeout(Duration::from_secs(30)), Ok(Ok(())));
    }

    #[test]
    fn a_stop_wakes_up_everyone() {
        let gate = Arc::new(Gate::default());
        gate.enter(ROOM_BYTES).unwrap();
        let (entering, sleeping) = (Arc::clone(&gate), Arc::clone(&gate));
        let enter = std::thread::spawn(move || entering.enter(1));
        let sleep = std::thread::spawn(move || sleeping.sleep_until(Instant::now() + Duration::from_secs(3600)));
        gate.stop();
        assert_eq!((enter.join().unwrap(), sleep.join().unwrap()), (Err(Stopped), Err(Stopped)));
    }

    #[test]
    fn a_sleep_ends_in_time() {
        let start = Instant::now();
        Gate::default().sleep_until(start + Duration::from_millis(20)).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20));
    }
}
