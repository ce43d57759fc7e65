//! A node alone, and what it makes of what others say.

use super::*;
use crate::city::grid::Place;
use crate::city::message::{Samples, SensorPart, Taken, TakenThrough};
use crate::ids::AgentId;
use crate::time::Wall;
use bytes::Bytes;

struct World {
    node: CityNode,
    ms: u64,
    effects: Vec<NodeEffect>,
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn agent(text: &str) -> AgentId {
    AgentId { region: name("city"), agent: name(text) }
}

impl World {
    fn new(id: &str) -> Self {
        let config = NodeConfig::new(agent(id), Place { u: 0, v: 0 }, "t".to_owned(), 1);
        let mut world = Self { node: CityNode::new(config, now(0)), ms: 0, effects: Vec::new() };
        world.input(NodeInput::Connected);
        world
    }

    fn input(&mut self, input: NodeInput) {
        self.node.handle(input, now(self.ms));
        self.effects.extend(std::iter::from_fn(|| self.node.poll_effect()));
    }

    fn play(&mut self, ms: u64) {
        let until = self.ms + ms;
        while let Some(at) = self.node.poll_timeout().filter(|at| at.us() <= until * 1000) {
            self.ms = self.ms.max(at.us().div_ceil(1000));
            self.node.handle_timeout(now(self.ms));
            self.effects.extend(std::iter::from_fn(|| self.node.poll_effect()));
        }
        self.ms = until;
    }

    fn say(&mut self, from: &str, channel: Neighbour, message: &impl Message) {
        let to = channel.has_address().then(|| self.node.me().clone());
        let topic = Topic::Peers(agent(from), channel, to).to_string();
        self.input(NodeInput::Message { topic, payload: Bytes::from(message.encode()) });
    }

    fn sample(&mut self, first: u64, values: &[f64]) {
        let wall = now(self.ms).wall.us();
        let part = SensorPart {
            sensor: "pm-1".to_owned(),
            stream: StreamId::from_bits(5),
            first,
            samples: values.iter().map(|value| (wall, *value)).collect(),
        };
        self.say("sensors", Neighbour::Samples, &Samples { token: "t".to_owned(), parts: vec![part] });
    }

    fn word(&self, role: Role, token: &str) -> NodeWord {
        let term = (role == Role::Leading).then(|| Term { counter: 9, ingester: name("z") });
        let place = Place { u: 50, v: 50 };
        NodeWord {
            token: token.to_owned(),
            hello: false,
            role,
            term,
            coordinator: None,
            place,
            sensors: 0,
            local: None,
        }
    }

    fn uploads(&self) -> Vec<u64> {
        let ticket = |effect: &NodeEffect| {
            let NodeEffect::Upload { ticket, .. } = effect else { return None };
            Some(*ticket)
        };
        self.effects.iter().filter_map(ticket).collect()
    }

    fn said(&self, channel: Neighbour) -> usize {
        let level = format!("/{}", channel.as_str());
        let is =
            |effect: &&NodeEffect| matches!(effect, NodeEffect::Publish(publish) if publish.topic.contains(&level));
        self.effects.iter().filter(is).count()
    }
}

fn now(ms: u64) -> Now {
    let wall = Wall::from_us(1_700_000_000_000_000 + i64::try_from(ms * 1000).unwrap());
    Now { mono: Monotonic::from_us(ms * 1000), wall }
}

#[test]
fn one_that_is_alone_coordinates_itself_and_frees_its_averages_when_they_are_on_disk() {
    let mut world = World::new("a");
    assert_eq!(world.node.state(), NodeState::Joining);
    world.play(1000);
    assert_eq!(world.node.state(), NodeState::Coordinator);
    world.sample(1, &[10.0, 30.0, 5000.0]);
    world.sample(1, &[10.0, 30.0, 5000.0]);
    let snapshot = world.node.snapshot(now(1000).mono);
    assert_eq!((snapshot.samples, snapshot.implausible, snapshot.sensors), (3, 1, 1), "the repeated ones are known");
    assert_eq!(world.said(Neighbour::Alive), 2);
    world.play(19_000);
    assert_eq!(world.node.kept.len(), 2, "nobody said that they are on disk");
    let uploads = world.uploads();
    assert!(uploads.len() >= 3, "two local averages and one of all nodes: {uploads:?}");
    uploads.into_iter().for_each(|ticket| world.input(NodeInput::Uploaded { ticket }));
    let snapshot = world.node.snapshot(now(20_000).mono);
    assert_eq!((snapshot.kept, snapshot.uploads_waiting, snapshot.uploaded), (0, 0, 2));
    assert_eq!(snapshot.global.map(|global| global.mean), Some(20.0));
}

#[test]
fn averages_go_to_the_coordinator_until_it_says_that_they_are_on_disk() {
    let mut world = World::new("a");
    world.say("z", Neighbour::Node, &world.word(Role::Leading, "t"));
    assert_eq!(world.node.state(), NodeState::Active);
    world.sample(1, &[10.0]);
    for _ in 0..20 {
        world.play(1000);
        world.say("z", Neighbour::Node, &world.word(Role::Leading, "t"));
    }
    assert!(world.said(Neighbour::Averages) >= 4, "sent again until answered");
    let taken = TakenThrough { stream: world.node.stream, through: 2 };
    world.say("z", Neighbour::Taken, &Taken { token: "other".to_owned(), taken });
    assert_eq!(world.node.kept.len(), 2, "a wrong token frees nothing");
    world.say("z", Neighbour::Taken, &Taken { token: "t".to_owned(), taken });
    assert_eq!(world.node.kept.len(), 0);
    assert!(world.uploads().is_empty());
}

#[test]
fn a_wrong_token_is_counted_and_the_api_asked_for_the_right_one_seldom() {
    let mut world = World::new("a");
    for _ in 0..30 {
        world.say("z", Neighbour::Node, &world.word(Role::Leading, "other"));
        world.play(500);
    }
    assert_eq!(world.node.state(), NodeState::Coordinator, "it listens to nobody");
    let asked = world.effects.iter().filter(|effect| matches!(effect, NodeEffect::AskToken)).count();
    assert_eq!((asked, world.node.counts.wrong_token), (2, 30));
    world.say("z", Neighbour::Samples, &world.word(Role::Leading, "t"));
    assert_eq!(world.node.counts.malformed, 1);
}

#[test]
fn whoever_speaks_of_another_city_or_to_another_node_is_not_heard() {
    let mut world = World::new("a");
    let payload = Bytes::from(world.word(Role::Leading, "t").encode());
    for topic in ["fogline/v1/other/peers/z/node", "fogline/v1/city/peers/a/node", "fogline/v1/city/peers/z/averages/b"]
    {
        world.input(NodeInput::Message { topic: topic.to_owned(), payload: payload.clone() });
    }
    assert_eq!((world.node.state(), world.node.counts.malformed), (NodeState::Joining, 0));
}

#[test]
fn it_leaves_when_everything_is_on_disk() {
    let mut world = World::new("a");
    world.play(1000);
    world.sample(1, &[10.0]);
    world.play(1000);
    world.input(NodeInput::Leave);
    let left = |world: &World| world.effects.contains(&NodeEffect::Left);
    assert!(!left(&world));
    assert_eq!(world.uploads().len(), 2, "the windows as far as they have come, and the part of the interval");
    world.sample(2, &[10.0]);
    assert_eq!(world.node.counts.samples, 1, "it takes nothing more");
    world.uploads().into_iter().for_each(|ticket| world.input(NodeInput::Uploaded { ticket }));
    assert!(left(&world));
}

#[test]
fn without_an_answer_it_leaves_all_the_same_in_the_end() {
    let mut world = World::new("a");
    world.say("z", Neighbour::Node, &world.word(Role::Leading, "t"));
    world.sample(1, &[10.0]);
    world.input(NodeInput::Leave);
    world.play(1400);
    assert!(world.uploads().is_empty(), "the coordinator may answer yet");
    world.play(200);
    assert_eq!(world.uploads().len(), 1, "into its own queue");
    world.play(3000);
    assert!(!world.effects.contains(&NodeEffect::Left));
    world.play(500);
    assert!(world.effects.contains(&NodeEffect::Left));
}
