//! What a node makes of messages.

use super::CityNode;
use super::clients::alive;
use crate::city::message::{Averages, Global, NodeWord, PM10_MAX, Samples, SensorTaken, Taken};
use crate::ids::Name;
use crate::time::{Monotonic, Now};
use crate::topic::{Neighbour, Topic};
use crate::wire::{Message, Role};

impl CityNode {
    pub(super) fn heard(&mut self, topic: &str, payload: &[u8], now: Now) {
        let Ok(Topic::Peers(from, channel, to)) = Topic::parse(topic) else { return };
        let for_us = to.is_none_or(|to| to == *self.me());
        if from.region != self.config.id.region || from.agent == *self.me() || !for_us {
            return;
        }
        let from = from.agent;
        match channel {
            Neighbour::Node => {
                if let Some(word) = self.read(payload, |word: &NodeWord| &word.token, now.mono) {
                    self.heard_node(&from, &word, now.mono);
                }
            }
            Neighbour::Global => {
                if let Some(global) = self.read(payload, |global: &Global| &global.token, now.mono) {
                    self.heard_global(global, now.mono);
                }
            }
            Neighbour::Samples => {
                if let Some(samples) = self.read(payload, |samples: &Samples| &samples.token, now.mono) {
                    self.heard_samples(from, samples, now);
                }
            }
            Neighbour::Averages => {
                if let Some(averages) = self.read(payload, |averages: &Averages| &averages.token, now.mono) {
                    self.heard_averages(&from, &averages, now);
                }
            }
            Neighbour::Taken => {
                if let Some(taken) = self.read(payload, |taken: &Taken| &taken.token, now.mono) {
                    self.heard_taken(&taken);
                }
            }
            // For sensors.
            Neighbour::Alive => {}
        }
    }

    /// Messages with another token are not looked at.
    fn read<M: Message>(&mut self, payload: &[u8], token: impl Fn(&M) -> &String, now: Monotonic) -> Option<M> {
        let Ok(message) = M::decode(payload) else {
            self.counts.malformed += 1;
            return None;
        };
        if *token(&message) == self.config.token {
            return Some(message);
        }
        self.doubt_token(now);
        None
    }

    fn heard_node(&mut self, from: &Name, word: &NodeWord, now: Monotonic) {
        self.registered.heard(from, now);
        self.election.heard(from, &word.word(), now);
        // A coordinator that leaves has answered all that it could: what it did not the next one is asked.
        if word.hello && word.role != Role::Leaving && self.connected {
            self.say(self.election.role());
        }
    }

    fn heard_global(&mut self, global: Global, now: Monotonic) {
        for (node, taken) in &global.taken {
            self.books.heard(node, *taken, now);
            if node == self.me() && taken.stream == self.stream {
                self.acknowledged(taken.through);
            }
        }
        self.counts.global = global.average.or(self.counts.global);
    }

    fn heard_taken(&mut self, taken: &Taken) {
        if taken.taken.stream == self.stream {
            self.acknowledged(taken.taken.through);
        }
    }

    /// The next averages can be sent at once.
    pub(super) fn acknowledged(&mut self, through: u64) {
        if self.kept.acknowledged(through) {
            self.send_at = None;
        }
    }

    fn heard_samples(&mut self, from: Name, samples: Samples, now: Now) {
        if self.leaving.is_some() {
            return self.say_alive(from, Vec::new());
        }
        let (windows, counts) = (&mut self.windows, &mut self.counts);
        let taken = self.clients.take(&from, samples.parts, now.mono, |ts_us, value| {
            counts.samples += 1;
            if (0.0..=PM10_MAX).contains(&value) {
                windows.add(ts_us, value, now.wall);
            } else {
                counts.implausible += 1;
            }
        });
        if !taken.is_empty() {
            self.say_alive(from, taken);
        }
    }

    pub(super) fn say_alive(&mut self, client: Name, taken: Vec<SensorTaken>) {
        let alive = alive(&self.config.token, self.leaving.is_some(), taken);
        self.publish(Neighbour::Alive, Some(client), &alive);
    }
}
