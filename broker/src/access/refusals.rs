//! Refused logins in the log: one line for many.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::login::LoginRefused;

/// Seldom enough that an attack does not fill a disk: at most 8,640 lines a day.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Counts refused logins between two lines of the log.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<Counts>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    bad_credentials: u64,
    not_authorized: u64,
    too_many_attempts: u64,
    busy: u64,
    last_from: Option<IpAddr>,
    last_user: Option<String>,
    logged_at: Option<Instant>,
}

impl Refusals {
    /// `user` is one of the file: what a stranger gives as name may be a password that was typed into the wrong field.
    pub(crate) fn note(&self, refused: &LoginRefused, from: IpAddr, user: Option<&str>) {
        let counts = {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            *match refused {
                LoginRefused::BadCredentials => &mut counts.bad_credentials,
                LoginRefused::NotAuthorized => &mut counts.not_authorized,
                LoginRefused::TooManyAttempts { .. } => &mut counts.too_many_attempts,
                LoginRefused::Busy => &mut counts.busy,
            } += 1;
            counts.last_from = Some(from);
            counts.last_user = user.map(str::to_owned);
            counts.due(Instant::now())
        };
        log(counts);
    }

    /// Logs what was counted since the last line, if it is time.
    pub(crate) fn flush(&self) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner).due(Instant::now());
        log(counts);
    }
}

impl Counts {
    /// What to log now, if anything; counting then starts anew.
    fn due(&mut self, now: Instant) -> Option<Self> {
        let early = self.logged_at.is_some_and(|at| now.duration_since(at) < LOG_EVERY);
        if early || self.last_from.is_none() {
            return None;
        }
        Some(std::mem::replace(self, Self { logged_at: Some(now), ..Self::default() }))
    }
}

fn log(counts: Option<Counts>) {
    let Some(counts) = counts else { return };
    let Counts { bad_credentials, not_authorized, too_many_attempts, busy, last_from, last_user, .. } = counts;
    let last_from = last_from.map(|address| address.to_string()).unwrap_or_default();
    let last_user = last_user.unwrap_or_else(|| "(not in the file)".to_owned());
    tracing::warn!(bad_credentials, not_authorized, too_many_attempts, busy, last_from, last_user, "logins refused");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_logged_at_once_and_the_others_are_counted() {
        let (mut counts, start) = (Counts::default(), Instant::now());
        assert_eq!(counts.due(start), None, "nothing happened");
        let mut logged = Vec::new();
        for second in 0..25 {
            counts.busy += 1;
            counts.last_from = Some([127, 0, 0, 1].into());
            logged.extend(counts.due(start + Duration::from_secs(second)).map(|counts| (second, counts.busy)));
        }
        assert_eq!(logged, [(0, 1), (10, 10), (20, 10)]);
    }
}
