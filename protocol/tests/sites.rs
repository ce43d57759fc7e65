//! Ingesters of one realm: who leads, what a follower knows, and how a lead ends. The election itself is played in its own
//! tests, all of it together in the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use bytes::Bytes;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::directive::{Directive, DirectiveChange, DirectiveRefusal, Target};
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::node::{CloudConfig, Keeping, Machine, SiteConfig, SiteEffect, SiteInput, SiteNode};
use fogline_protocol::store::{
    Commit, CommitReport, Export, Page, Progress, ProgressRow, Recovered, Rows, Stay, StoreAnswer, StoreCommand,
    StoreFault,
};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::wire::{Ack, Decision, Message as _, Role};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What a state keeps, in this world.
#[derive(Debug, Default, Clone, PartialEq)]
struct State {
    term: u64,
    run: u64,
    progress: BTreeMap<(AgentId, StreamId), Progress>,
    directives: BTreeMap<u64, Directive>,
    /// Stays of cars, by the number of the entry.
    stays: BTreeMap<u64, Stay>,
}

/// An ingester with a state of its own.
struct Site {
    node: SiteNode,
    state: State,
    asked: VecDeque<StoreCommand>,
    listens: bool,
    conflict: Option<String>,
    directed: BTreeMap<u64, Result<Directive, DirectiveRefusal>>,
}

/// Ingesters at one broker that delivers at once, in order, unless a message is among the lost.
struct World {
    now: Now,
    sites: Vec<Option<Site>>,
    flying: VecDeque<(usize, String, Vec<u8>)>,
    /// Messages whose topic ends with this are lost.
    loses: Option<&'static str>,
    hangs: bool,
    /// The store of this one does not answer.
    stalled: Option<usize>,
    /// Up to here the agent was told that its readings are written.
    acknowledged: u64,
    /// The limits that it was told.
    told: Vec<Decision>,
}

fn name(index: usize) -> Name {
    Name::new(&format!("ingest-{index}")).unwrap()
}

fn agent() -> AgentId {
    AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() }
}

impl World {
    fn new(keeping: Keeping, stores: &[&str]) -> Self {
        let now = Now { mono: Monotonic::from_us(1), wall: Wall::from_us(1_717_200_000_000_000) };
        let mut world = Self {
            now,
            sites: Vec::new(),
            flying: VecDeque::new(),
            loses: None,
            hangs: false,
            stalled: None,
            acknowledged: 0,
            told: Vec::new(),
        };
        for (index, store) in stores.iter().enumerate() {
            world.sites.push(None);
            world.start(index, keeping, store);
        }
        world
    }

    fn start(&mut self, index: usize, keeping: Keeping, store: &str) {
        let cloud = CloudConfig::new(name(index), index as u64 + 1);
        let config = SiteConfig { store: store.to_owned(), keeping, ..SiteConfig::new(cloud) };
        let state = self.sites[index].take().map(|site| site.state).unwrap_or_default();
        let node = SiteNode::new(config, self.now);
        let site =
            Site { node, state, asked: VecDeque::new(), listens: false, conflict: None, directed: BTreeMap::new() };
        self.sites[index] = Some(site);
        self.input(index, SiteInput::Connected { broker: 0 });
    }

    fn site(&mut self, index: usize) -> &mut Site {
        self.sites[index].as_mut().unwrap()
    }

    fn input(&mut self, index: usize, input: SiteInput) {
        let now = self.now;
        self.site(index).node.handle(input, now);
        self.effects(index);
    }

    fn effects(&mut self, index: usize) {
        let site = self.sites[index].as_mut().unwrap();
        while let Some(effect) = site.node.poll_effect() {
            match effect {
                SiteEffect::Publish { publish, .. } if publish.topic.ends_with("down/ack") => {
                    let ack = Ack::decode(&publish.payload).unwrap();
                    let through = ack.streams.iter().map(|stream| stream.through).max().unwrap_or(0);
                    self.acknowledged = self.acknowledged.max(through);
                }
                SiteEffect::Publish { publish, .. } if publish.topic.ends_with("down/limit") => {
                    self.told.push(Decision::decode(&publish.payload).unwrap());
                }
                SiteEffect::Publish { publish, .. } => self.flying.push_back((index, publish.topic, publish.payload)),
                SiteEffect::Store(command) => site.asked.push_back(command),
                SiteEffect::Directed { ticket, result } => drop(site.directed.insert(ticket, result)),
                SiteEffect::Listen(listens) => site.listens = listens,
                SiteEffect::Conflict { store, .. } => site.conflict = Some(store),
            }
        }
    }

    /// Everything that is on its way arrives, and stores answer.
    fn work(&mut self) {
        loop {
            if let Some((from, topic, payload)) = self.flying.pop_front() {
                if self.loses.is_some_and(|end| topic.ends_with(end)) {
                    continue;
                }
                for index in (0..self.sites.len()).filter(|index| *index != from) {
                    if self.sites[index].is_some() {
                        let (topic, payload) = (topic.clone(), Bytes::from(payload.clone()));
                        self.input(index, SiteInput::Message { broker: 0, topic, payload });
                    }
                }
                continue;
            }
            let asked = |site: &Option<Site>| site.as_ref().is_some_and(|site| !site.asked.is_empty());
            let answers = |index: &usize| !self.hangs && self.stalled != Some(*index) && asked(&self.sites[*index]);
            let Some(index) = (0..self.sites.len()).find(answers) else { return };
            self.answer(index);
        }
    }

    fn answer(&mut self, index: usize) {
        let site = self.site(index);
        let command = site.asked.pop_front().unwrap();
        let answer = site.state.execute(&command);
        self.input(index, SiteInput::Store(answer));
    }

    fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(50) {
            self.now.mono = self.now.mono + Duration::from_millis(50);
            self.now.wall = self.now.wall + Duration::from_millis(50);
            for index in 0..self.sites.len() {
                if self.sites[index].is_some() {
                    let now = self.now;
                    self.site(index).node.handle_timeout(now);
                    self.effects(index);
                }
            }
            self.work();
        }
    }

    /// An agent sends one reading with this number to all that listen.
    fn reading(&mut self, seq: u64) {
        self.batch(seq, r#""kind":"road","fields":{"speed_kmh":90.0}"#);
    }

    /// A car drives in.
    fn entry(&mut self, seq: u64) {
        self.batch(seq, &format!(r#""kind":"parking","fields":{{"event":"entry","plate":"B-FG {seq}"}}"#));
    }

    fn batch(&mut self, seq: u64, reading: &str) {
        let payload = format!(
            r#"{{"v":1,"stream":"0000000000000001","floor":1,"first":{seq},"gaps":[],"clock":0,"readings":[{{"ts_us":{},"sensor":"s",{reading}}}]}}"#,
            self.now.wall.us()
        );
        self.says("readings", &payload);
    }

    fn hello(&mut self, next: u64) {
        let streams = format!(r#"[{{"stream":"0000000000000001","floor":1,"next":{next},"gaps":[]}}]"#);
        self.says("hello", &format!(r#"{{"v":1,"hello":1,"agent_version":"0","term":null,"streams":{streams}}}"#));
    }

    fn says(&mut self, channel: &str, payload: &str) {
        let topic = format!("fogline/v1/{}/up/{channel}", agent());
        for index in 0..self.sites.len() {
            if self.sites[index].as_ref().is_some_and(|site| site.listens) {
                let (topic, payload) = (topic.clone(), Bytes::from(payload.to_owned()));
                self.input(index, SiteInput::Message { broker: 0, topic, payload });
            }
        }
        self.work();
    }

    fn roles(&self) -> Vec<Option<Role>> {
        let role = |site: &Site| site.node.snapshot(self.now.mono).role;
        self.sites.iter().map(|site| site.as_ref().map(role)).collect()
    }

    fn through(&self, index: usize) -> u64 {
        let progress = &self.sites[index].as_ref().unwrap().state.progress;
        progress.get(&(agent(), StreamId::from_bits(1))).map_or(0, |progress| progress.through)
    }

    fn in_step(&self, index: usize) -> bool {
        self.sites[index].as_ref().unwrap().node.snapshot(self.now.mono).in_step
    }
}

impl State {
    fn execute(&mut self, command: &StoreCommand) -> StoreAnswer {
        match command {
            StoreCommand::Commit(commit) => StoreAnswer::Committed(commit.id, self.commit(commit)),
            StoreCommand::Recall(agent, stream) => {
                let progress = self.progress.get(&(agent.clone(), *stream)).cloned();
                StoreAnswer::Recalled(agent.clone(), *stream, Ok(progress))
            }
            StoreCommand::TakeOver(take) => {
                self.term = self.term.max(take.above) + 1;
                self.run = take.run;
                let in_force = self.directives.values().filter(|directive| directive.ended.is_none());
                let directives = in_force.cloned().collect();
                let recovered = Recovered { term: self.term, directives, ..Recovered::default() };
                StoreAnswer::TakenOver(take.run, Ok(recovered))
            }
            StoreCommand::Export(export) => StoreAnswer::Exported(Ok(self.export(export))),
            StoreCommand::Adopt(rows) => {
                self.term = self.term.max(rows.term);
                for row in &rows.progress {
                    let progress = Progress { through: row.through, ranges: row.ranges.clone() };
                    self.progress.insert((row.owner.clone().into(), row.stream), progress);
                }
                self.directives.extend(rows.directives.iter().map(|row| (row.id, row.clone())));
                self.stays.extend(rows.stays.iter().map(|stay| (stay.seq, stay.clone())));
                StoreAnswer::Adopted(Ok(()))
            }
        }
    }

    fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault> {
        if commit.run != self.run {
            return Err(StoreFault::Deposed);
        }
        for change in &commit.progress {
            self.progress.insert((change.agent.clone(), change.stream), change.progress.clone());
        }
        self.directives.extend(commit.directives.iter().map(|row| (row.id, row.clone())));
        self.stays.extend(commit.bills.stays.iter().map(|stay| (stay.seq, stay.clone())));
        Ok(CommitReport { stored: commit.points.iter().map(|points| points.count()).sum(), dead: 0 })
    }

    /// Pages have one row each.
    fn export(&self, export: &Export) -> Page {
        let row = |at: &(AgentId, StreamId)| {
            self.progress.get(at).map(|known| ProgressRow::new(&at.0, at.1, known.clone(), vec![Range::new(1, 1)]))
        };
        let page = |progress: Vec<ProgressRow>, next| Page {
            rows: Rows { term: self.term, progress, ..Rows::default() },
            next,
        };
        match export {
            Export::Named { streams, .. } => page(streams.iter().filter_map(row).collect(), None),
            Export::Page { after } => {
                let from: usize = after.as_deref().map_or(0, |after| after.parse().unwrap());
                let rows = self.progress.keys().skip(from).take(1).filter_map(row).collect();
                let mut page = page(rows, (from + 1 < self.progress.len()).then(|| (from + 1).to_string()));
                // Bills come last: a follower has none of them before the last page.
                if page.next.is_none() {
                    page.rows.stays = self.stays.values().cloned().collect();
                    page.rows.directives = self.directives.values().cloned().collect();
                }
                page
            }
        }
    }
}

#[test]
fn one_leads_and_hears_agents_and_the_other_follows_its_log() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    assert_eq!(world.roles(), [Some(Role::StandingBy), Some(Role::Leading)], "the greater name");
    assert_eq!((world.site(0).listens, world.site(1).listens), (false, true));
    assert!(world.in_step(0));
    for seq in 1..=5 {
        world.reading(seq);
    }
    assert_eq!((world.through(1), world.through(0)), (5, 0), "changes gather for a moment");
    world.pass(300);
    assert_eq!(world.through(0), 5);
}

#[test]
fn a_successor_has_a_term_above_the_leader_that_it_followed_even_after_a_restart() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    world.reading(1);
    world.pass(300);
    let led_in = world.site(1).state.term;
    world.sites[1] = None;
    world.start(0, Keeping::Apart, "influx");
    world.pass(5000);
    assert_eq!(world.roles(), [Some(Role::Leading), None]);
    assert!(world.site(0).state.term > led_in);
    world.reading(1);
    assert_eq!(world.through(0), 1, "it knows what is written");
}

#[test]
fn who_has_missed_an_entry_asks_for_everything_again() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    world.loses = Some("/log");
    world.reading(1);
    world.pass(500);
    world.loses = None;
    assert_eq!(world.through(0), 0);
    world.pass(3500);
    assert_eq!(world.through(0), 1, "the leader's beat says that there was an entry");
    assert!(world.in_step(0));
}

#[test]
fn a_newcomer_with_another_store_gives_way_and_the_leader_goes_on() {
    let mut world = World::new(Keeping::Together, &["sqlite:1"]);
    world.pass(2000);
    world.sites.push(None);
    world.start(1, Keeping::Together, "sqlite:2");
    world.pass(2000);
    assert_eq!(world.site(1).conflict.as_deref(), Some("sqlite:1"));
    assert_eq!(world.site(0).conflict, None);
    assert_eq!(world.roles()[0], Some(Role::Leading));
}

#[test]
fn a_leader_whose_store_was_taken_over_stands_down() {
    let mut world = World::new(Keeping::Together, &["sqlite:1"]);
    world.pass(2000);
    world.reading(1);
    // Another process has taken the lead in the shared file while this one slept.
    world.site(0).state.run ^= 1;
    world.reading(2);
    assert_eq!(world.roles(), [Some(Role::StandingBy)]);
    assert!(!world.site(0).listens);
    assert_eq!(world.through(0), 1, "nothing was written");
    world.pass(5000);
    assert_eq!(world.roles(), [Some(Role::Leading)], "nobody else leads after all");
}

#[test]
fn an_orderly_stop_waits_for_the_store_and_hands_over_within_a_second() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    world.reading(1);
    world.hangs = true;
    world.reading(2);
    let now = world.now;
    world.site(1).node.leave(now);
    world.effects(1);
    assert!(!world.site(1).node.has_left(), "a commit is at the store");
    world.hangs = false;
    world.work();
    world.pass(300);
    assert!(world.site(1).node.has_left());
    world.sites[1] = None;
    assert_eq!(world.through(0), 2, "what was committed last is in the log");
    world.pass(900);
    assert_eq!(world.roles(), [Some(Role::Leading), None]);
}

/// Two with a state each, one in step with the other. The first leads.
fn pair() -> World {
    let mut world = World::new(Keeping::Apart, &["db", "db"]);
    world.pass(8_000);
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    assert!(world.in_step(1 - leader));
    world
}

#[test]
fn a_bill_is_acknowledged_once_the_follower_keeps_it_too() {
    let mut world = pair();
    world.hello(1);
    world.reading(1);
    world.pass(100);
    assert_eq!(world.acknowledged, 1, "what is no bill waits for nobody");
    world.entry(2);
    assert_eq!(world.acknowledged, 1);
    world.pass(1_000);
    assert_eq!(world.acknowledged, 2);
    assert!(world.sites.iter().flatten().all(|site| site.state.stays.contains_key(&2)));
    world.loses = Some("/log");
    world.entry(3);
    world.pass(2_000);
    assert_eq!(world.acknowledged, 2, "nobody else keeps it");
    world.loses = None;
    world.pass(4_000);
    assert_eq!(world.acknowledged, 3);
    assert!(world.sites.iter().flatten().all(|site| site.state.stays.contains_key(&3)));
}

#[test]
fn a_leader_that_is_alone_acknowledges_bills_and_says_so() {
    let mut world = pair();
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    let standby = |world: &World| world.sites[leader].as_ref().unwrap().node.snapshot(world.now.mono).standby;
    assert_eq!(standby(&world), Some(true));
    world.hello(1);
    world.sites[1 - leader] = None;
    world.entry(1);
    world.pass(1_000);
    assert_eq!(world.acknowledged, 0, "the other one may be there still");
    world.pass(3_000);
    assert_eq!((world.acknowledged, standby(&world)), (1, Some(false)));
}

#[test]
fn a_bill_is_not_acknowledged_while_pages_are_missing() {
    let mut world = pair();
    world.hello(1);
    // More pages than one: other streams.
    for site in world.sites.iter_mut().flatten() {
        for bits in 2..6 {
            let known = Progress { through: 1, ranges: Vec::new() };
            site.state.progress.insert((agent(), StreamId::from_bits(bits)), known);
        }
    }
    let follower = world.roles().iter().position(|role| *role == Some(Role::StandingBy)).unwrap();
    world.loses = Some("/log");
    world.entry(1);
    world.pass(600);
    world.loses = None;
    // It is told all pages, and its store has taken all but some.
    world.stalled = Some(follower);
    world.pass(1_000);
    assert!(world.site(follower).asked.len() > 2);
    while world.site(follower).asked.len() > 1 {
        assert!(!world.site(follower).state.stays.contains_key(&1));
        world.answer(follower);
        world.pass(600);
        assert_eq!(world.acknowledged, 0, "nobody else keeps it");
    }
    world.stalled = None;
    world.pass(600);
    assert_eq!((world.acknowledged, world.site(follower).state.stays.contains_key(&1)), (1, true));
}

/// An operator sets the limit of the region; gives the ticket.
fn set_limit(world: &mut World, site: usize, kmh: u32) {
    let (region, until_us) = (agent().region, world.now.wall.us() + 600_000_000);
    let target = Target { region, agent: None, key: "limit".to_owned() };
    let set = Some((serde_json::json!({ "limit_kmh": kmh }), Some(until_us)));
    world.input(site, SiteInput::Direct { ticket: u64::from(kmh), change: DirectiveChange { target, set, by: None } });
    world.work();
}

#[test]
fn a_directive_is_said_to_be_kept_once_the_follower_keeps_it_too() {
    let mut world = pair();
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    set_limit(&mut world, 1 - leader, 70);
    assert_eq!(world.site(1 - leader).directed[&70], Err(DirectiveRefusal::StandsBy));
    world.loses = Some("/log");
    set_limit(&mut world, leader, 80);
    world.pass(2_000);
    assert!(world.site(leader).directed.is_empty(), "nobody else keeps it");
    world.loses = None;
    world.pass(4_000);
    assert!(world.site(leader).directed[&80].is_ok());
    assert_eq!(world.sites.iter().flatten().filter(|site| site.state.directives.len() == 1).count(), 2);
    world.sites[leader] = None;
    world.pass(8_000);
    world.says("hello", r#"{"v":1,"hello":1,"agent_version":"0","term":null,"streams":[]}"#);
    let told = world.told.last().expect("the agent is told of it by the one that took over");
    assert_eq!(told.body["limit_kmh"], 80.0);
}

#[test]
fn a_leader_that_is_alone_keeps_directives_by_itself() {
    let mut world = pair();
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    world.sites[1 - leader] = None;
    world.pass(5_000);
    set_limit(&mut world, leader, 80);
    assert!(world.site(leader).directed[&80].is_ok());
}
