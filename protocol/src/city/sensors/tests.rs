//! Sensors against a node that is played by hand.

use super::*;
use crate::city::message::SensorTaken;
use crate::time::Wall;

struct World {
    sensors: Sensors,
    ms: u64,
    asked: usize,
    sent: Vec<Samples>,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn agent(text: &str) -> AgentId {
    AgentId { region: name("city"), agent: name(text) }
}

fn now(ms: u64) -> Now {
    Now {
        mono: Monotonic::from_us(ms * 1000),
        wall: Wall::from_us(1_700_000_000_000_000 + i64::try_from(ms * 1000).unwrap()),
    }
}

impl World {
    fn new(count: u32) -> Self {
        let config = SensorsConfig {
            id: agent("sensors"),
            sensors: (0..count).map(|number| (format!("pm-{number}"), Place { u: number, v: 0 })).collect(),
            token: "t".to_owned(),
            keep_alive: Duration::from_secs(2),
            seed: 1,
        };
        let mut world = Self { sensors: Sensors::new(config, now(0)), ms: 0, asked: 0, sent: Vec::new() };
        world.input(SensorsInput::Connected);
        world
    }

    fn input(&mut self, input: SensorsInput) {
        self.sensors.handle(input, now(self.ms));
        self.effects();
    }

    fn play(&mut self, ms: u64) {
        let until = self.ms + ms;
        while let Some(at) = self.sensors.poll_timeout().filter(|at| at.us() <= until * 1000) {
            self.ms = self.ms.max(at.us().div_ceil(1000));
            self.sensors.handle_timeout(now(self.ms));
            self.effects();
        }
        self.ms = until;
    }

    fn effects(&mut self) {
        while let Some(effect) = self.sensors.poll_effect() {
            match effect {
                SensorsEffect::AskNearest { .. } => self.asked += 1,
                SensorsEffect::Publish(publish) => self.sent.push(Samples::decode(&publish.payload).unwrap()),
                SensorsEffect::AskToken => {}
            }
        }
    }

    fn nearest(&mut self, sensor: usize, node: &str) {
        let node = EdgeNode { id: name(node), host: "h".to_owned(), ports: BTreeMap::new(), u: 0, v: 0 };
        self.input(SensorsInput::Nearest { sensor, nearest: Nearest::Node(node) });
    }

    fn alive(&mut self, token: &str, leaving: bool, taken: Vec<SensorTaken>) {
        let topic = Topic::Peers(agent("node-1"), Neighbour::Alive, Some(name("sensors"))).to_string();
        let payload = Bytes::from(Alive { token: token.to_owned(), leaving, taken }.encode());
        self.input(SensorsInput::Message { topic, payload });
    }

    fn sample(&mut self, sensor: usize) {
        self.input(SensorsInput::Sampled { sensor, pm10_ugm3: 20.0 });
    }

    /// All that the last message had is taken.
    fn take_last(&mut self) {
        let last = self.sent.last().unwrap().parts.clone();
        let taken = |part: SensorPart| SensorTaken {
            through: part.first + part.samples.len() as u64 - 1,
            sensor: part.sensor,
            stream: part.stream,
        };
        self.alive("t", false, last.into_iter().map(taken).collect());
    }
}

#[test]
fn sensors_with_one_node_share_a_message_and_forget_what_is_acknowledged() {
    let mut world = World::new(2);
    world.play(500);
    assert_eq!(world.asked, 2);
    (0..2).for_each(|sensor| world.nearest(sensor, "node-1"));
    (0..2).for_each(|sensor| world.sample(sensor));
    world.play(200);
    assert_eq!(world.sent.len(), 1);
    assert_eq!(
        world.sent[0].parts.iter().map(|part| (part.first, part.samples.len())).collect::<Vec<_>>(),
        [(1, 1); 2]
    );
    world.take_last();
    assert_eq!((world.sensors.snapshot().kept, world.sensors.snapshot().acknowledged), (0, 2));
    world.play(5000);
    assert_eq!(world.sent.len(), 1, "nothing is left to send");
}

#[test]
fn what_is_not_acknowledged_is_sent_again_and_goes_to_the_next_node() {
    let mut world = World::new(1);
    world.play(500);
    world.nearest(0, "node-1");
    world.sample(0);
    world.play(5000);
    assert!(world.sent.len() >= 2 && world.asked == 1);
    world.play(2000);
    assert_eq!(world.asked, 2, "silent for three keep-alives");
    let before = world.sent.len();
    world.nearest(0, "node-2");
    world.play(200);
    assert_eq!(world.sent[before].parts[0].samples.len(), 1);
    assert_eq!(world.sensors.snapshot().moves, 1);
}

#[test]
fn a_node_that_leaves_or_takes_nothing_is_left_and_one_that_lives_is_not() {
    let mut world = World::new(1);
    world.play(500);
    world.nearest(0, "node-1");
    world.play(200);
    world.take_last();
    for _ in 0..10 {
        world.play(2000);
        world.alive("t", false, Vec::new());
    }
    assert_eq!(world.asked, 1);
    world.sample(0);
    for _ in 0..4 {
        world.play(2000);
        world.alive("t", false, Vec::new());
    }
    assert_eq!(world.asked, 2, "it lives, and takes nothing");
    world.nearest(0, "node-1");
    world.alive("t", true, Vec::new());
    assert_eq!(world.asked, 3);
}

#[test]
fn a_wrong_token_counts_for_nothing() {
    let mut world = World::new(1);
    world.play(500);
    world.nearest(0, "node-1");
    for _ in 0..4 {
        world.play(2000);
        world.alive("other", false, Vec::new());
    }
    assert_eq!((world.asked, world.sensors.snapshot().wrong_token), (2, 4));
}

#[test]
fn without_a_node_samples_are_kept_up_to_a_bound() {
    let mut world = World::new(1);
    for _ in 0..4000 {
        world.sample(0);
    }
    let snapshot = world.sensors.snapshot();
    assert_eq!((snapshot.kept, snapshot.dropped, snapshot.sampled), (3600, 400, 4000));
    world.play(500);
    world.input(SensorsInput::Nearest { sensor: 0, nearest: Nearest::NoNode });
    world.play(30_000);
    assert!((2..=3).contains(&world.asked), "an answer that does not come is waited for: {}", world.asked);
}
