//! When to say hello: after each connect and whenever the open streams change, until it is answered.

use crate::ids::{StreamId, Term};
use crate::rng::Rng;
use crate::time::Monotonic;
use crate::wire::{Hello, OpenStream};
use std::time::Duration;

/// How long to wait for the first answer: doubled from here...
const RESEND_FIRST: Duration = Duration::from_secs(1);
/// ...up to here; also how often gaps are repeated until they are acknowledged.
const RESEND_LONGEST: Duration = Duration::from_secs(5);
/// What a timer that waits for nothing says: far enough.
const NEVER: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct HelloTimer {
    number: u64,
    /// The first number of this connection: an older answer does not speak of it.
    connection_from: u64,
    answered: bool,
    /// Said, also again for its gaps, and not answered since.
    waiting: bool,
    next: Monotonic,
    wait: Duration,
    named: Vec<StreamId>,
    rng: Rng,
}

impl HelloTimer {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x4845_4C4C_4F21_0000);
        // Drawn, so that an answer to an earlier run of the agent is none to this one.
        let number = rng.below(1 << 40);
        Self {
            number,
            connection_from: number + 1,
            answered: true,
            waiting: false,
            next: Monotonic::ZERO + NEVER,
            wait: RESEND_FIRST,
            named: Vec::new(),
            rng,
        }
    }

    pub(super) fn connected(&mut self, now: Monotonic) {
        self.renew(now);
        self.waiting = false;
        self.connection_from = self.number;
    }

    pub(super) fn streams_changed(&mut self, streams: &[OpenStream], now: Monotonic) {
        if !streams.iter().map(|open| open.stream).eq(self.named.iter().copied()) {
            self.named = streams.iter().map(|open| open.stream).collect();
            self.renew(now);
        }
    }

    /// A new one is due at once.
    pub(super) fn renew(&mut self, now: Monotonic) {
        self.number += 1;
        self.answered = false;
        self.wait = RESEND_FIRST;
        self.next = now;
    }

    /// The number of the newest.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// True when the answer speaks of this connection.
    pub(super) fn answered(&mut self, number: u64, now: Monotonic) -> bool {
        if number == self.number {
            self.answered = true;
            self.waiting = false;
            self.next = now + RESEND_LONGEST;
        }
        (self.connection_from..=self.number).contains(&number)
    }

    /// Whether an answer is missing.
    pub(super) const fn waits(&self) -> bool {
        self.waiting
    }

    pub(super) const fn next(&self) -> Monotonic {
        self.next
    }

    /// The hello to send now, if one is due. `repeat` asks for one also after an answer: gaps are not acknowledged yet.
    pub(super) fn poll(
        &mut self,
        streams: impl FnOnce() -> Vec<OpenStream>,
        repeat: bool,
        term: Option<&Term>,
        agent_version: &str,
        now: Monotonic,
    ) -> Option<Hello> {
        if self.next > now {
            return None;
        }
        if self.answered && !repeat {
            self.next = now + RESEND_LONGEST;
            return None;
        }
        let jitter = self.rng.below(u64::try_from(self.wait.as_micros() / 4).unwrap_or(0));
        self.next = now + self.wait + Duration::from_micros(jitter);
        self.wait = (self.wait * 2).min(RESEND_LONGEST);
        self.waiting = true;
        let streams = streams();
        self.named = streams.iter().map(|open| open.stream).collect();
        let agent_version = agent_version.to_owned();
        Some(Hello { hello: self.number, agent_version, term: term.cloned(), streams })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Monotonic {
        Monotonic::from_us(ms * 1000)
    }

    fn poll(timer: &mut HelloTimer, repeat: bool, now: Monotonic) -> Option<u64> {
        timer.poll(|| vec![stream()], repeat, None, "0.1.0", now).map(|hello| hello.hello)
    }

    const fn stream() -> OpenStream {
        OpenStream { stream: StreamId::from_bits(1), floor: 1, next: 2, gaps: Vec::new() }
    }

    #[test]
    fn a_hello_is_repeated_until_it_is_answered() {
        let mut timer = HelloTimer::new(1);
        assert_eq!(poll(&mut timer, false, at(0)), None);
        timer.connected(at(0));
        let number = poll(&mut timer, false, at(0)).unwrap();
        assert_eq!(poll(&mut timer, false, at(500)), None);
        assert_eq!(poll(&mut timer, false, at(1300)), Some(number));
        assert!(!timer.answered(number - 1, at(1400)), "an answer to an earlier connection");
        assert!(timer.waits());
        assert!(timer.answered(number, at(1400)));
        assert!(!timer.waits());
        assert_eq!(poll(&mut timer, false, at(60_000)), None);
        assert_eq!(poll(&mut timer, true, at(70_000)), Some(number), "gaps are repeated");
        assert!(timer.waits(), "and waited for");
    }

    #[test]
    fn new_streams_are_a_new_hello() {
        let mut timer = HelloTimer::new(1);
        timer.connected(at(0));
        let first = poll(&mut timer, false, at(0)).unwrap();
        let newer = OpenStream { stream: StreamId::from_bits(2), ..stream() };
        timer.streams_changed(&[newer], at(10));
        assert_eq!(poll(&mut timer, false, at(10)), Some(first + 1));
        assert!(timer.answered(first, at(20)), "the connection is open all the same");
        timer.streams_changed(&[stream()], at(30));
        assert_eq!(poll(&mut timer, false, at(30)), None, "the same streams again");
    }
}
