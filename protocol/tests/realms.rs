//! Ingesters that take different agents at one broker: each region has one leader at most, and rivals wait for each other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use bytes::Bytes;
use fogline_protocol::directive::{Directive, DirectiveChange, DirectiveRefusal, Target};
use fogline_protocol::ids::{AgentId, Name, Term};
use fogline_protocol::node::{
    CloudConfig, Keeping, Machine, SiteConfig, SiteEffect, SiteInput, SiteNode, SiteSnapshot,
};
use fogline_protocol::realm::Realm;
use fogline_protocol::store::{
    AgentStatus, CommitReport, DecisionRecord, Fate, Recovered, StoreAnswer, StoreCommand, TakeOver,
};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::topic::{peer_filters, up_filters};
use fogline_protocol::wire::{Decision, Role};
use serde_json::json;
use std::collections::VecDeque;
use std::time::Duration;

const BEGIN: Wall = Wall::from_us(1_717_200_000_000_000);

/// One of them, with a state of its own.
struct Ingester {
    node: SiteNode,
    realm: Realm,
    listens: bool,
    alive: bool,
    /// Regions of the readings that it has committed.
    committed: Vec<String>,
    statuses: Vec<AgentStatus>,
    /// Topics of what it said to agents.
    said: Vec<String>,
    /// What became of what its operator decided: nothing, if it was kept.
    directed: Vec<Option<DirectiveRefusal>>,
}

/// A broker that delivers at once, by filters.
struct World {
    now: Now,
    ingesters: Vec<Ingester>,
    flying: VecDeque<(String, Vec<u8>)>,
    /// Nobody hears what these say to other ingesters.
    mute: Vec<usize>,
    term: u64,
}

fn realm(text: &str) -> Realm {
    text.parse().unwrap()
}

fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

impl World {
    fn new(realms: &[&str]) -> Self {
        let now = Now { mono: Monotonic::from_us(1), wall: BEGIN };
        let mut world = Self { now, ingesters: Vec::new(), flying: VecDeque::new(), mute: Vec::new(), term: 0 };
        for text in realms {
            world.start(text);
        }
        world
    }

    fn start(&mut self, text: &str) -> usize {
        let index = self.ingesters.len();
        let node = self.node(index, text);
        let (committed, statuses, said, directed) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let realm = realm(text);
        let ingester = Ingester { node, realm, listens: false, alive: true, committed, statuses, said, directed };
        self.ingesters.push(ingester);
        self.input(index, SiteInput::Connected { broker: 0 });
        index
    }

    fn node(&self, index: usize, text: &str) -> SiteNode {
        let cloud = CloudConfig::new(Name::new(&format!("ingest-{index}")).unwrap(), index as u64 + 1);
        let store = "influxdb".to_owned();
        let config = SiteConfig { store, keeping: Keeping::Apart, realm: realm(text), ..SiteConfig::new(cloud) };
        SiteNode::new(config, self.now)
    }

    /// Stopped in order, or killed; and started again with other regions.
    fn restart(&mut self, index: usize, text: &str, in_order: bool) {
        if in_order {
            let now = self.now;
            self.ingesters[index].node.leave(now);
            self.effects(index);
            self.pass(500);
        }
        self.ingesters[index].node = self.node(index, text);
        self.ingesters[index].realm = realm(text);
        self.ingesters[index].listens = false;
        self.input(index, SiteInput::Connected { broker: 0 });
    }

    fn input(&mut self, index: usize, input: SiteInput) {
        let now = self.now;
        self.ingesters[index].node.handle(input, now);
        self.effects(index);
    }

    fn effects(&mut self, index: usize) {
        while let Some(effect) = self.ingesters[index].node.poll_effect() {
            match effect {
                SiteEffect::Publish { publish, .. } if publish.topic.contains("/ingest/") => {
                    if !self.mute.contains(&index) {
                        self.flying.push_back((publish.topic, publish.payload));
                    }
                }
                SiteEffect::Publish { publish, .. } => self.ingesters[index].said.push(publish.topic),
                SiteEffect::Store(command) => {
                    let answer = self.execute(index, &command);
                    self.input(index, SiteInput::Store(answer));
                }
                SiteEffect::Listen(listens) => self.ingesters[index].listens = listens,
                SiteEffect::Directed { result, .. } => self.ingesters[index].directed.push(result.err()),
                SiteEffect::Conflict { peer, .. } => panic!("{index} and {peer} share a database"),
            }
        }
    }

    fn execute(&mut self, index: usize, command: &StoreCommand) -> StoreAnswer {
        match command {
            StoreCommand::Commit(commit) => {
                let regions = commit.points.iter().map(|points| points.agent.region.to_string());
                self.ingesters[index].committed.extend(regions);
                self.ingesters[index].statuses.extend(commit.statuses.iter().cloned());
                StoreAnswer::Committed(commit.id, Ok(CommitReport::default()))
            }
            StoreCommand::Recall(agent, stream) => StoreAnswer::Recalled(agent.clone(), *stream, Ok(None)),
            StoreCommand::TakeOver(take) => StoreAnswer::TakenOver(take.run, Ok(self.recovered(take))),
            StoreCommand::Export(_) => StoreAnswer::Exported(Ok(fogline_protocol::store::Page::default())),
            StoreCommand::Adopt(_) => StoreAnswer::Adopted(Ok(())),
        }
    }

    /// A state that knows of decisions for an agent of a7 and one of a8.
    fn recovered(&mut self, take: &TakeOver) -> Recovered {
        self.term = take.above + 1;
        let term = Term { counter: 1, ingester: Name::new("ingest-0").unwrap() };
        let decision = |region: &str| DecisionRecord {
            agent: AgentId { region: Name::new(region).unwrap(), agent: Name::new("lane-1").unwrap() },
            decision: Decision {
                key: "limit".to_owned(),
                term: term.clone(),
                seq: 1,
                decided_us: self.now.wall.us(),
                ttl_ms: 60_000,
                body: json!({"limit_kmh": 100}),
            },
            decided: self.now.wall,
            fate: Fate::Outstanding,
            reason: None,
        };
        let decisions = vec![decision("a7"), decision("a8")];
        let mut directives = vec![self.directive(1, None, 600), self.directive(2, Some("lane-1"), 15)];
        directives.retain(|directive| !directive.is_over(self.now.wall));
        Recovered { term: self.term, decisions, directives, ..Recovered::default() }
    }

    /// An operator's limit for a7, or for an agent there: it ends so many seconds after the world began.
    fn directive(&self, id: u64, agent: Option<&str>, lasts_s: i64) -> Directive {
        let region = Name::new("a7").unwrap();
        let target = Target { region, agent: agent.map(|name| Name::new(name).unwrap()), key: "limit".to_owned() };
        let until_us = Some(BEGIN.us() + lasts_s * 1_000_000);
        let body = json!({ "limit_kmh": 70 });
        Directive { id, target, body, by: None, set_us: BEGIN.us(), until_us, ended: None }
    }

    fn deliver(&mut self) {
        while let Some((topic, payload)) = self.flying.pop_front() {
            for index in 0..self.ingesters.len() {
                let ingester = &self.ingesters[index];
                let mut filters = peer_filters(&ingester.realm);
                if ingester.listens {
                    filters.extend(up_filters(&ingester.realm));
                }
                let wanted = filters.iter().filter(|filter| matches(filter, &topic)).count();
                assert!(wanted <= 1, "{topic} comes twice by {filters:?}");
                if ingester.alive && wanted == 1 {
                    let (topic, payload) = (topic.clone(), Bytes::from(payload.clone()));
                    self.input(index, SiteInput::Message { broker: 0, topic, payload });
                }
            }
        }
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(50) {
            self.now.mono = self.now.mono + Duration::from_millis(50);
            self.now.wall = self.now.wall + Duration::from_millis(50);
            for index in 0..self.ingesters.len() {
                if self.ingesters[index].alive {
                    let now = self.now;
                    self.ingesters[index].node.handle_timeout(now);
                    self.effects(index);
                }
            }
            self.deliver();
        }
    }

    /// An agent of this region sends a reading.
    fn reading(&mut self, region: &str, seq: u64) {
        let payload = format!(
            r#"{{"v":1,"stream":"0000000000000001","floor":1,"first":{seq},"clock":0,"readings":[{{"ts_us":{},"sensor":"s","kind":"road","fields":{{"speed_kmh":90.0}}}}]}}"#,
            self.now.wall.us()
        );
        self.flying.push_back((format!("fogline/v1/{region}/lane-1/up/readings"), payload.into_bytes()));
        self.deliver();
        self.pass(100);
    }

    fn snapshot(&self, index: usize) -> SiteSnapshot {
        self.ingesters[index].node.snapshot(self.now.mono)
    }

    fn leaders(&self) -> Vec<usize> {
        let leads = |index: &usize| self.ingesters[*index].alive && self.snapshot(*index).role == Role::Leading;
        (0..self.ingesters.len()).filter(leads).collect()
    }

    /// Who has written readings of this region since it was asked last.
    fn writers(&mut self, region: &str) -> Vec<usize> {
        let wrote = |(index, ingester): (usize, &mut Ingester)| {
            std::mem::take(&mut ingester.committed).iter().any(|written| written == region).then_some(index)
        };
        self.ingesters.iter_mut().enumerate().filter_map(wrote).collect()
    }
}

#[test]
fn realms_without_a_region_in_common_lead_side_by_side_each_with_its_standby() {
    for realms in [["a7,a8", "a7,a8", "b1", "b1"], ["1/2", "1/2", "2/2", "2/2"]] {
        let mut world = World::new(&realms);
        world.pass(3000);
        assert_eq!(world.leaders(), [1, 3], "{realms:?}: of each pair the greater name");
        assert!(world.snapshot(0).in_step && world.snapshot(0).waits_for.is_none());
        assert!((0..4).all(|index| world.snapshot(index).rivals.is_empty()));
        assert_eq!(world.snapshot(1).peers, [Name::new("ingest-0").unwrap()]);
        world.ingesters[1].alive = false;
        world.pass(5000);
        assert_eq!(world.leaders(), [0, 3], "{realms:?}");
    }
}

#[test]
fn each_reading_is_taken_by_the_leader_of_its_region_and_by_nobody_else() {
    // a7 and a8 are in the first of two shares, north is in the second.
    for (realms, of) in [(["a7,a8", "north"], [0, 0, 1]), (["1/2", "2/2"], [0, 0, 1])] {
        let mut world = World::new(&realms);
        world.pass(3000);
        for (region, leader) in ["a7", "a8", "north"].into_iter().zip(of) {
            world.reading(region, 1);
            assert_eq!(world.writers(region), [leader], "{region} of {realms:?}");
        }
    }
    let mut world = World::new(&["2/2"]);
    world.pass(3000);
    world.reading("a7", 1);
    assert_eq!((world.snapshot(0).others, world.snapshot(0).cloud.counters.messages), (1, 0), "nothing is decoded");
}

#[test]
fn of_rivals_only_one_leads_and_the_other_says_for_whom_it_waits() {
    for (one, another) in [("a7,a8", "a8"), ("*", "a8"), ("*", "1/2"), ("1/2", "a7"), ("1/2", "1/4"), ("a7", "a7,a8")] {
        let mut world = World::new(&[one]);
        world.pass(3000);
        let late = world.start(another);
        world.pass(10_000);
        assert_eq!(world.leaders(), [0], "{another} beside {one}");
        let snapshot = world.snapshot(late);
        let first = Name::new("ingest-0").unwrap();
        assert_eq!((snapshot.waits_for, &snapshot.rivals), (Some(first.clone()), &vec![(first, realm(one))]));
        assert!(!snapshot.in_step, "it could not stand in for the other");
        assert_eq!(world.snapshot(0).rivals.len(), 1, "the other one knows it too");

        world.ingesters[0].alive = false;
        world.pass(5000);
        assert_eq!(world.leaders(), [late], "nobody else is left");
        assert!(world.snapshot(late).rivals.is_empty());
    }
}

#[test]
fn rivals_that_start_together_or_meet_again_agree_on_one() {
    for (one, another) in [("a7,a8", "a8"), ("*", "2/2"), ("1/4", "1/2")] {
        let mut world = World::new(&[one, another]);
        world.pass(5000);
        assert_eq!(world.leaders().len(), 1, "{one} and {another}");
        world.mute = vec![0, 1];
        world.pass(10_000);
        assert_eq!(world.leaders(), [0, 1], "nobody can know");
        let terms = [0, 1].map(|index| world.snapshot(index).term.unwrap());
        world.mute.clear();
        world.pass(2000);
        let stronger = usize::from(terms[1] > terms[0]);
        assert_eq!(world.leaders(), [stronger], "{one} and {another}: agents have followed the higher term");
    }
}

#[test]
fn a_region_that_moves_is_led_in_a_higher_term_and_the_state_of_before_is_not_spoken_of() {
    let mut world = World::new(&["a7,a8"]);
    world.pass(3000);
    let before = world.snapshot(0).term.unwrap();
    let second = world.start("a7");
    world.pass(2000);
    assert_eq!(world.leaders(), [0]);
    world.restart(0, "a8", true);
    world.pass(2000);
    assert_eq!(world.leaders(), [0, second]);
    assert!(world.snapshot(second).term.unwrap().counter > before.counter, "an agent of a7 hears a higher term");

    world.ingesters[0].said.clear();
    world.pass(10_000);
    let limits = |index: usize, region: &str| {
        let topic = format!("fogline/v1/{region}/lane-1/down/limit");
        world.ingesters[index].said.iter().filter(|said| **said == topic).count()
    };
    assert!(limits(0, "a8") > 0, "what its own agents have not answered is said again");
    assert_eq!((limits(0, "a7"), limits(second, "a8")), (0, 0), "what is another one's is not");
}

/// The operator of an ingester sets the limit of an agent there.
fn refusal_of(world: &mut World, index: usize, region: &str) -> Option<DirectiveRefusal> {
    let (region, agent) = (Name::new(region).unwrap(), Some(Name::new("lane-1").unwrap()));
    let until_us = world.now.wall.us() + 60_000_000;
    let target = Target { region, agent, key: "limit".to_owned() };
    let set = Some((json!({ "limit_kmh": 80 }), Some(until_us)));
    world.input(index, SiteInput::Direct { ticket: 1, change: DirectiveChange { target, set, by: None } });
    world.pass(100);
    world.ingesters[index].directed.pop().expect("an answer")
}

#[test]
fn nothing_is_decided_for_a_region_that_another_ingester_takes() {
    // a7 and a8 are in the first of two shares, north is in the second.
    for takes in ["a7,a8", "1/2"] {
        let mut world = World::new(&[takes, takes]);
        world.pass(3000);
        assert_eq!(world.leaders(), [1]);
        let not_taken = DirectiveRefusal::NotTaken { region: Name::new("north").unwrap(), takes: realm(takes) };
        for index in [0, 1] {
            assert_eq!(
                refusal_of(&mut world, index, "north"),
                Some(not_taken.clone()),
                "also where nobody knows who leads there"
            );
            assert!(world.ingesters[index].said.iter().all(|topic| !topic.contains("/north/")));
        }
        assert_eq!(refusal_of(&mut world, 0, "a8"), Some(DirectiveRefusal::StandsBy));
    }
    let mut world = World::new(&["a7,a8"]);
    world.pass(3000);
    assert_eq!(refusal_of(&mut world, 0, "a8"), None, "it has it");
}
