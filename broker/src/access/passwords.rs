//! Checking passwords without letting them take the machine.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use super::secret::{Secret, is_password};

/// Each takes a core for some 30 ms and 19 MiB; agents, with their tokens, need the other cores.
const AT_ONCE: usize = 2;
/// More would not be served within [`MAX_WAIT`] on a small machine.
const MAX_WAITING: usize = 64;
/// Clients give up after some seconds.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// A bounded number of checks at once, and a bounded number of others that wait for their turn.
#[derive(Debug)]
pub(crate) struct Passwords {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) right: bool,
    /// When it was its turn.
    pub(crate) started: Instant,
}

/// Too many are waiting already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE + MAX_WAITING)), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Whether `presented` is the password that `secret` keeps. Where there is none it waits for its turn all the same, so that
    /// a busy broker does not tell who has a password.
    pub(crate) async fn check(&self, secret: Option<&Secret>, presented: &[u8]) -> Result<Checked, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        let turn = timeout(MAX_WAIT, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| Busy)?.map_err(|_| Busy)?;
        let started = Instant::now();
        let Some(Secret::Password(hash)) = secret else { return Ok(Checked { right: false, started }) };
        let (hash, presented) = (hash.clone(), presented.to_vec());
        let check = move || {
            // Held by the thread: it works on when the client, and with it the future, is gone.
            let _held = (place, turn);
            is_password(&hash, &presented)
        };
        Ok(Checked { right: spawn_blocking(check).await.unwrap_or(false), started })
    }

    #[cfg(test)]
    pub(crate) fn occupy(&self) -> impl Drop + use<> {
        let all = u32::try_from(self.places.available_permits()).unwrap_or(u32::MAX);
        Arc::clone(&self.places).try_acquire_many_owned(all).unwrap()
    }

    #[cfg(test)]
    pub(crate) fn take_turns(&self) -> impl Drop + use<> {
        let all = u32::try_from(self.turns.available_permits()).unwrap_or(u32::MAX);
        Arc::clone(&self.turns).try_acquire_many_owned(all).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_places_it_is_busy_and_recovers() {
        let (passwords, secret) = (Passwords::new(), Secret::of_password(b"right").unwrap());
        let occupied = passwords.occupy();
        assert_eq!(passwords.check(Some(&secret), b"right").await, Err(Busy));
        assert_eq!(passwords.check(None, b"right").await, Err(Busy), "the same for everybody");
        drop(occupied);
        assert!(passwords.check(Some(&secret), b"right").await.unwrap().right);
        assert!(!passwords.check(Some(&secret), b"wrong").await.unwrap().right);
        assert!(!passwords.check(None, b"right").await.unwrap().right);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_an_end() {
        let passwords = Passwords::new();
        let _turns = passwords.take_turns();
        let start = Instant::now();
        assert_eq!(passwords.check(None, b"").await, Err(Busy));
        assert_eq!(start.elapsed(), MAX_WAIT);
    }
}
