//! What happens in a world, step by step.

use crate::world::{Event, Process, SAMPLE_EVERY_US, World, edge_node};
use fogline_protocol::city::node::{CityNode, NodeEffect, NodeInput};
use fogline_protocol::city::sensors::{Sensors, SensorsEffect, SensorsInput};
use fogline_protocol::ids::Name;
use fogline_protocol::node::Machine;

/// A machine that never rests has a fault.
const STEPS_MAX: usize = 2_000_000;
/// How long a commit, and an answer of the API, may take.
const ANSWER_MS: u64 = 60;

impl World {
    /// Plays for so many seconds.
    pub(crate) fn play(&mut self, seconds: u64) {
        self.play_ms(seconds * 1000);
    }

    pub(crate) fn play_ms(&mut self, ms: u64) {
        let until = self.now_us + ms * 1000;
        for _ in 0..STEPS_MAX {
            let Some(next) = self.next().filter(|next| *next <= until) else {
                self.now_us = until;
                return;
            };
            self.now_us = next.max(self.now_us);
            self.step();
        }
        panic!("it spins");
    }

    /// Plays until the condition holds; fails after so many seconds.
    pub(crate) fn play_until(&mut self, what: &str, seconds: u64, holds: impl Fn(&Self) -> bool) {
        let started = self.now_us;
        while !holds(self) {
            assert!(self.now_us < started + seconds * 1_000_000, "not within {seconds} s: {what}");
            self.play_ms(50);
        }
    }

    fn next(&self) -> Option<u64> {
        let timers = self.nodes.values().filter_map(|process| process.node.poll_timeout());
        let sensors = self.sensors.as_ref().and_then(Sensors::poll_timeout);
        let timers = timers.chain(sensors).map(|at| at.us());
        self.agenda.keys().map(|(at, _)| *at).chain(timers).min()
    }

    fn step(&mut self) {
        while let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.now_us) {
            let event = entry.remove();
            self.happens(event);
        }
        let now = self.now();
        let due: Vec<Name> = self
            .nodes
            .iter()
            .filter(|(_, process)| is_due(&process.node, self.now_us))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            if let Some(process) = self.nodes.get_mut(&name) {
                process.node.handle_timeout(now);
            }
            self.effects(&name);
        }
        if let Some(sensors) =
            self.sensors.as_mut().filter(|sensors| sensors.poll_timeout().is_some_and(|at| at.us() <= now.mono.us()))
        {
            sensors.handle_timeout(now);
            self.sensors_effects();
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Deliver { to, publish } => self.deliver(&to, publish),
            Event::Committed { node, life, ticket, readings } => {
                if self.nodes.get(&node).is_some_and(|process| process.life == life) {
                    self.account.committed(&node, &readings);
                    self.input(&node, NodeInput::Uploaded { ticket });
                }
            }
            Event::Nearest { sensor, nearest } => self.sensors_input(SensorsInput::Nearest { sensor, nearest }),
            Event::Registered { node, nodes } => self.input(&node, NodeInput::Nodes(nodes)),
            Event::Token { to, token } if to == self.client => self.sensors_input(SensorsInput::Token(token)),
            Event::Token { to, token } => self.input(&to, NodeInput::Token(token)),
            Event::Sample => self.sample(),
            Event::Drain => {
                if self.cloud_up {
                    self.account.drain(self.nodes.keys());
                }
                self.at(self.now_us + 1_000_000, Event::Drain);
            }
        }
    }

    fn sample(&mut self) {
        let count = self.sensors.as_ref().map_or(0, |sensors| sensors.nodes().count());
        for sensor in 0..count {
            let pm10_ugm3 = self.rng.between(10.0, 30.0);
            self.sensors_input(SensorsInput::Sampled { sensor, pm10_ugm3 });
        }
        self.at(self.now_us + SAMPLE_EVERY_US, Event::Sample);
    }

    pub(crate) fn input(&mut self, id: &Name, input: NodeInput) {
        let now = self.now();
        if let Some(process) = self.nodes.get_mut(id) {
            process.node.handle(input, now);
            self.effects(id);
        }
    }

    fn effects(&mut self, id: &Name) {
        while let Some(effect) = self.nodes.get_mut(id).and_then(|process| process.node.poll_effect()) {
            self.trace.push(format!("{} {id} {effect:?}", self.now_us));
            match effect {
                NodeEffect::Publish(publish) => self.publish(id, &publish),
                NodeEffect::Upload { ticket, readings } => {
                    let life = self.nodes[id].life;
                    self.after_ms(ANSWER_MS, Event::Committed { node: id.clone(), life, ticket, readings });
                }
                NodeEffect::AskToken if self.api.up => {
                    let token = self.api.token.clone();
                    self.after_ms(ANSWER_MS, Event::Token { to: id.clone(), token });
                }
                NodeEffect::AskNodes if self.api.up => {
                    let nodes = self.api.nodes.clone();
                    self.after_ms(ANSWER_MS, Event::Registered { node: id.clone(), nodes });
                }
                NodeEffect::AskToken | NodeEffect::AskNodes => {}
                NodeEffect::Register => self.api.register(&edge_node(id, self.nodes[id].place)),
                NodeEffect::Forget(node) => self.api.remove(node.id.as_str()),
                NodeEffect::Left => self.left(id),
            }
        }
    }

    fn left(&mut self, id: &Name) {
        self.api.remove(id.as_str());
        if let Some(Process { node, .. }) = self.nodes.remove(id) {
            self.account.left(id, &node.snapshot(self.now().mono));
        }
    }

    pub(crate) fn sensors_input(&mut self, input: SensorsInput) {
        let now = self.now();
        if let Some(sensors) = &mut self.sensors {
            sensors.handle(input, now);
            self.sensors_effects();
        }
    }

    fn sensors_effects(&mut self) {
        while let Some(effect) = self.sensors.as_mut().and_then(Sensors::poll_effect) {
            self.trace.push(format!("{} sensors {effect:?}", self.now_us));
            match effect {
                SensorsEffect::Publish(publish) => self.publish(&self.client.clone(), &publish),
                SensorsEffect::AskNearest { sensor, place } => {
                    let nearest = self.api.nearest(place);
                    self.after_ms(ANSWER_MS, Event::Nearest { sensor, nearest });
                }
                SensorsEffect::AskToken if self.api.up => {
                    let token = self.api.token.clone();
                    self.after_ms(ANSWER_MS, Event::Token { to: self.client.clone(), token });
                }
                SensorsEffect::AskToken => {}
            }
        }
    }
}

fn is_due(node: &CityNode, now_us: u64) -> bool {
    node.poll_timeout().is_some_and(|at| at.us() <= now_us)
}
