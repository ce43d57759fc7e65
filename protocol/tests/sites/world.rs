//! A world of ingesters with a state each, at one broker.

use bytes::Bytes;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::directive::{Directive, DirectiveRefusal};
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
pub(crate) struct State {
    pub(crate) term: u64,
    pub(crate) run: u64,
    pub(crate) progress: BTreeMap<(AgentId, StreamId), Progress>,
    pub(crate) directives: BTreeMap<u64, Directive>,
    /// Stays of cars, by the number of the entry.
    pub(crate) stays: BTreeMap<u64, Stay>,
}

/// An ingester with a state of its own.
pub(crate) struct Site {
    pub(crate) node: SiteNode,
    pub(crate) state: State,
    pub(crate) asked: VecDeque<StoreCommand>,
    pub(crate) listens: bool,
    pub(crate) conflict: Option<String>,
    pub(crate) directed: BTreeMap<u64, Result<Directive, DirectiveRefusal>>,
}

/// Ingesters at one broker that delivers at once, in order, unless a message is among the lost.
pub(crate) struct World {
    pub(crate) now: Now,
    pub(crate) sites: Vec<Option<Site>>,
    pub(crate) flying: VecDeque<(usize, String, Vec<u8>)>,
    /// Messages whose topic ends with this are lost.
    pub(crate) loses: Option<&'static str>,
    pub(crate) hangs: bool,
    /// The store of this one does not answer.
    pub(crate) stalled: Option<usize>,
    /// Up to here the agent was told that its readings are written.
    pub(crate) acknowledged: u64,
    /// The limits that it was told.
    pub(crate) told: Vec<Decision>,
}

pub(crate) fn name(index: usize) -> Name {
    Name::new(&format!("ingest-{index}")).unwrap()
}

pub(crate) fn agent() -> AgentId {
    AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() }
}

impl World {
    pub(crate) fn new(keeping: Keeping, stores: &[&str]) -> Self {
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

    pub(crate) fn start(&mut self, index: usize, keeping: Keeping, store: &str) {
        let cloud = CloudConfig::new(name(index), index as u64 + 1);
        let config = SiteConfig { store: store.to_owned(), keeping, ..SiteConfig::new(cloud) };
        let state = self.sites[index].take().map(|site| site.state).unwrap_or_default();
        let node = SiteNode::new(config, self.now);
        let site =
            Site { node, state, asked: VecDeque::new(), listens: false, conflict: None, directed: BTreeMap::new() };
        self.sites[index] = Some(site);
        self.input(index, SiteInput::Connected { broker: 0 });
    }

    pub(crate) fn site(&mut self, index: usize) -> &mut Site {
        self.sites[index].as_mut().unwrap()
    }

    pub(crate) fn input(&mut self, index: usize, input: SiteInput) {
        let now = self.now;
        self.site(index).node.handle(input, now);
        self.effects(index);
    }

    pub(crate) fn effects(&mut self, index: usize) {
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
    pub(crate) fn work(&mut self) {
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

    pub(crate) fn answer(&mut self, index: usize) {
        let site = self.site(index);
        let command = site.asked.pop_front().unwrap();
        let answer = site.state.execute(&command);
        self.input(index, SiteInput::Store(answer));
    }

    pub(crate) fn pass(&mut self, ms: u64) {
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
    pub(crate) fn reading(&mut self, seq: u64) {
        self.batch(seq, r#""kind":"road","fields":{"speed_kmh":90.0}"#);
    }

    /// A car drives in.
    pub(crate) fn entry(&mut self, seq: u64) {
        self.batch(seq, &format!(r#""kind":"parking","fields":{{"event":"entry","plate":"B-FG {seq}"}}"#));
    }

    pub(crate) fn batch(&mut self, seq: u64, reading: &str) {
        let payload = format!(
            r#"{{"v":1,"stream":"0000000000000001","floor":1,"first":{seq},"gaps":[],"clock":0,"readings":[{{"ts_us":{},"sensor":"s",{reading}}}]}}"#,
            self.now.wall.us()
        );
        self.says("readings", &payload);
    }

    pub(crate) fn hello(&mut self, next: u64) {
        let streams = format!(r#"[{{"stream":"0000000000000001","floor":1,"next":{next},"gaps":[]}}]"#);
        self.says("hello", &format!(r#"{{"v":1,"hello":1,"agent_version":"0","term":null,"streams":{streams}}}"#));
    }

    pub(crate) fn says(&mut self, channel: &str, payload: &str) {
        let topic = format!("fogline/v1/{}/up/{channel}", agent());
        for index in 0..self.sites.len() {
            if self.sites[index].as_ref().is_some_and(|site| site.listens) {
                let (topic, payload) = (topic.clone(), Bytes::from(payload.to_owned()));
                self.input(index, SiteInput::Message { broker: 0, topic, payload });
            }
        }
        self.work();
    }

    pub(crate) fn roles(&self) -> Vec<Option<Role>> {
        let role = |site: &Site| site.node.snapshot(self.now.mono).role;
        self.sites.iter().map(|site| site.as_ref().map(role)).collect()
    }

    pub(crate) fn through(&self, index: usize) -> u64 {
        let progress = &self.sites[index].as_ref().unwrap().state.progress;
        progress.get(&(agent(), StreamId::from_bits(1))).map_or(0, |progress| progress.through)
    }

    pub(crate) fn in_step(&self, index: usize) -> bool {
        self.sites[index].as_ref().unwrap().node.snapshot(self.now.mono).in_step
    }
}

impl State {
    pub(crate) fn execute(&mut self, command: &StoreCommand) -> StoreAnswer {
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

    pub(crate) fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault> {
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
    pub(crate) fn export(&self, export: &Export) -> Page {
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

/// Two with a state each, one in step with the other. The first leads.
pub(crate) fn pair() -> World {
    let mut world = World::new(Keeping::Apart, &["db", "db"]);
    world.pass(8_000);
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    assert!(world.in_step(1 - leader));
    world
}
