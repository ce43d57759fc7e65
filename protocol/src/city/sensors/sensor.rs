//! One sensor: its node, and what that has not acknowledged.

use super::{Nearest, SensorsSnapshot};
use crate::city::grid::Place;
use crate::city::kept::Kept;
use crate::city::message::{SensorPart, SensorTaken};
use crate::ids::{Name, StreamId};
use crate::rng::Rng;
use crate::time::{Monotonic, Wall};
use std::time::Duration;

/// The most samples that are kept: an hour of one a second, 60 KiB. Then the oldest go, and are counted.
const KEPT_MAX: usize = 3600;
/// How long an acknowledgement may take before samples are sent again.
const RESEND: Duration = Duration::from_secs(2);
/// How long the API's answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// After "there is no node", or no answer, the next question comes within so long: half of it at least.
const AGAIN: Duration = Duration::from_secs(4);

#[derive(Debug)]
enum Standing {
    /// Wants a node: asks then.
    Seeking(Monotonic),
    /// The API was asked, and answers until then.
    Asking(Monotonic),
    /// Streams.
    Streaming(Stream),
}

#[derive(Debug)]
struct Stream {
    node: Name,
    /// When the node said last that it lives ...
    heard: Monotonic,
    /// ... and since when it owes an acknowledgement.
    owes: Option<Monotonic>,
    /// When the oldest samples are sent, again or for the first time; none: there is nothing to send.
    send_at: Option<Monotonic>,
}

#[derive(Debug)]
pub(super) struct Sensor {
    name: String,
    place: Place,
    stream: StreamId,
    silence: Duration,
    rng: Rng,
    kept: Kept<(i64, f64)>,
    standing: Standing,
    /// The node before, while another one is sought.
    last: Option<Name>,
    sampled: u64,
    moves: u64,
}

impl Sensor {
    pub(super) fn new(
        name: String,
        place: Place,
        stream: StreamId,
        silence: Duration,
        mut rng: Rng,
        now: Monotonic,
    ) -> Self {
        // Not all in the same moment.
        let standing = Standing::Seeking(now + Duration::from_millis(rng.below(500)));
        let kept = Kept::new(KEPT_MAX);
        Self { name, place, stream, silence, rng, kept, standing, last: None, sampled: 0, moves: 0 }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn place(&self) -> Place {
        self.place
    }

    pub(super) const fn node(&self) -> Option<&Name> {
        match &self.standing {
            Standing::Streaming(stream) => Some(&stream.node),
            Standing::Seeking(_) | Standing::Asking(_) => None,
        }
    }

    pub(super) fn count(&self, snapshot: &mut SensorsSnapshot) {
        snapshot.kept += self.kept.len();
        snapshot.sampled += self.sampled;
        snapshot.dropped += self.kept.dropped();
        snapshot.acknowledged += self.sampled - self.kept.dropped() - self.kept.len() as u64;
        snapshot.moves += self.moves;
    }

    pub(super) fn sampled(&mut self, wall: Wall, pm10_ugm3: f64, now: Monotonic) {
        self.sampled += 1;
        self.kept.push((wall.us(), pm10_ugm3));
        if let Standing::Streaming(stream) = &mut self.standing {
            stream.send_at.get_or_insert(now);
        }
    }

    /// Its node was heard.
    pub(super) fn heard(&mut self, taken: Option<&SensorTaken>, leaving: bool, now: Monotonic) {
        let Standing::Streaming(stream) = &mut self.standing else { return };
        stream.heard = now;
        let taken = taken.filter(|taken| taken.stream == self.stream);
        if let Some(taken) = taken {
            // All before what is kept: an answer to a greeting without samples. Less is an answer that was overtaken.
            let in_step = taken.through + 1 >= self.kept.first();
            self.kept.acknowledged(taken.through);
            if in_step {
                stream.owes = None;
                stream.send_at = (!self.kept.is_empty()).then_some(now);
            }
        }
        if leaving {
            self.seek(now);
        }
    }

    pub(super) fn connected(&mut self, now: Monotonic) {
        if let Standing::Streaming(stream) = &mut self.standing {
            // Nobody could be heard meanwhile.
            (stream.heard, stream.owes, stream.send_at) = (now, None, Some(now));
        }
    }

    /// True when the API is to be asked now.
    pub(super) fn asks(&mut self, now: Monotonic) -> bool {
        if self.asks_at().is_none_or(|at| at > now) {
            return false;
        }
        self.seek(now);
        self.standing = Standing::Asking(now + ANSWER_WITHIN);
        true
    }

    /// When the API is to be asked: at once, when its answer did not come, or when the node was silent for too long.
    pub(super) fn asks_at(&self) -> Option<Monotonic> {
        Some(match &self.standing {
            Standing::Seeking(at) | Standing::Asking(at) => *at,
            // One that says that it lives and takes nothing is of no use either.
            Standing::Streaming(Stream { heard, owes, .. }) => {
                owes.map_or(*heard, |owes| owes.min(*heard)) + self.silence
            }
        })
    }

    fn seek(&mut self, now: Monotonic) {
        if let Standing::Streaming(stream) = &self.standing {
            self.last = Some(stream.node.clone());
            self.standing = Standing::Seeking(now);
        }
    }

    pub(super) fn answered(&mut self, nearest: Nearest, now: Monotonic) {
        if !matches!(self.standing, Standing::Asking(_)) {
            return;
        }
        self.standing = match nearest {
            Nearest::Node(node) => {
                self.moves += u64::from(self.last.as_ref().is_some_and(|last| *last != node.id));
                self.last = None;
                // Also without samples: the node is to know of it.
                Standing::Streaming(Stream { node: node.id, heard: now, owes: None, send_at: Some(now) })
            }
            Nearest::NoNode | Nearest::Failed => {
                let half_ms = u64::try_from(AGAIN.as_millis() / 2).unwrap_or(u64::MAX);
                Standing::Seeking(now + Duration::from_millis(half_ms + self.rng.below(half_ms)))
            }
        };
    }

    /// When there is something to send, with a node to send it to.
    pub(super) const fn sends_at(&self) -> Option<Monotonic> {
        match &self.standing {
            Standing::Streaming(stream) => stream.send_at,
            Standing::Seeking(_) | Standing::Asking(_) => None,
        }
    }

    /// The oldest samples, if they are due.
    pub(super) fn send(&mut self, now: Monotonic, most: usize) -> Option<(Name, SensorPart)> {
        let Standing::Streaming(stream) = &mut self.standing else { return None };
        stream.send_at.filter(|at| *at <= now)?;
        stream.send_at = Some(now + RESEND);
        stream.owes.get_or_insert(now);
        let samples = self.kept.oldest(most).copied().collect();
        let part = SensorPart { sensor: self.name.clone(), stream: self.stream, first: self.kept.first(), samples };
        Some((stream.node.clone(), part))
    }
}
