//! Messages that are in order, and lies.

use super::broken::Made;
use super::craft::{answer, batch, hello, status, term};
use super::{Attacker, Fate, topic};
use fogline_protocol::delivery::{RANGES_MAX, STREAMS_MAX};
use fogline_protocol::ids::SEQ_MAX;
use fogline_protocol::topic::Up;
use fogline_protocol::wire::Outcome;

impl Attacker {
    pub(super) fn replayed(&mut self) -> Made {
        let first = 1 + self.rng.below(20);
        (topic("evil-again", Up::Readings), batch(4, 1, first, &[], 3), Fate::Taken("readings"))
    }

    pub(super) fn of_another(&mut self) -> Made {
        // As far ahead as numbers go: were it the same stream, the victim would never be heard again.
        let first = [1, 1_000_000, SEQ_MAX][usize::try_from(self.rng.below(3)).unwrap_or(0)];
        (topic("evil-thief", Up::Readings), batch(self.victim, first, first, &[], 1), Fate::Taken("readings"))
    }

    pub(super) fn jump(&mut self) -> Made {
        self.jumps += 1;
        let fate =
            if self.jumps <= RANGES_MAX as u64 { Fate::Taken("readings") } else { Fate::Refused("too_scattered") };
        (topic("evil-jump", Up::Readings), batch(5, 1, 1000 * self.jumps, &[], 1), fate)
    }

    pub(super) fn new_stream(&mut self) -> Made {
        self.streams += 1;
        let stream = self.rng.next_u64();
        (topic("evil-born", Up::Readings), batch(stream, 1, 1, &[], 1), Fate::Either("readings", "too_many_streams"))
    }

    pub(super) fn hello_flood(&mut self) -> Made {
        let streams: Vec<u64> = (0..STREAMS_MAX).map(|_| self.rng.next_u64()).collect();
        let payload = hello(self.rng.next_u64(), None, &streams);
        (topic("evil-hello", Up::Hello), payload, Fate::Either("hello", "too_many_streams"))
    }

    pub(super) fn forged_term(&mut self) -> Made {
        let counter = *self.pick(&[SEQ_MAX, SEQ_MAX - 1, 1 << 40, 1 << 22]);
        let payload = hello(self.rng.next_u64(), Some(term(counter)), &[6]);
        (topic("evil-term", Up::Hello), payload, Fate::Taken("hello"))
    }

    pub(super) fn forged_answer(&mut self) -> Made {
        let counter = *self.pick(&[1, 2, 1 << 30, SEQ_MAX]);
        let outcome = *self.pick(&[Outcome::Applied, Outcome::Superseded]);
        let key = *self.pick(&["limit", "notice/x", "config/a/b"]);
        let seq = 1 + self.rng.below(5);
        let payload = answer(key, term(counter), seq, outcome, Some(term(SEQ_MAX - self.rng.below(2))));
        (topic("evil-answer", Up::Ack), payload, Fate::Taken("ack"))
    }

    pub(super) fn status_flood(&mut self) -> Made {
        let online = self.rng.percent(50);
        let connection = (self.rng.below(SEQ_MAX), self.rng.below(SEQ_MAX));
        let ts_us = i64::try_from(self.rng.below(SEQ_MAX)).unwrap_or(0);
        (topic("evil-status", Up::Status), status(online, connection, ts_us), Fate::Taken("status"))
    }
}
