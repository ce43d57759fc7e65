//! The world: all programs, what lies between them, and the time.

use super::agenda::{Agenda, Event, Party};
use super::bugs::{Bug, Saboteur};
use super::checks::{Check, Violation, require};
use super::clocks::Clock;
use super::cloud::Cloud;
use super::coverage::Coverage;
use super::edge::Edge;
use super::ledger::Ledger;
use super::limits::Limits;
use super::network::Network;
use super::operator::Operator;
use super::options::{Options, SECOND_US};
use super::store::{Books, SimStore};
use super::trace::Trace;
use super::trials::Trials;
use fogline_protocol::ids::AgentId;
use fogline_protocol::realm::Realm;
use fogline_protocol::rng::Rng;
use fogline_protocol::time::Now;
use std::collections::BTreeMap;

/// How long everything may take to come to rest once nothing breaks any more...
const SETTLE_US: u64 = 60 * SECOND_US;
/// ...and for each queued byte: an ingester that holds less than it grants turns away half of it every two seconds.
const SETTLE_US_PER_BYTE: u64 = SECOND_US / 50_000;
/// How long to look on at least: the last windows have to close, and their limits to be decided.
const LOOK_ON_US: u64 = 8 * SECOND_US;
/// How often to look whether everything is at rest.
const LOOK_EVERY_US: u64 = SECOND_US / 2;
/// A node whose timer rings more often than this at one moment spins.
const RINGS_MAX: u32 = 20;

/// All there is.
#[derive(Debug)]
pub struct World {
    pub(super) now_us: u64,
    pub(super) options: Options,
    pub(super) agenda: Agenda,
    pub(super) network: Network,
    pub(super) edges: Vec<Edge>,
    pub(super) clouds: Vec<Cloud>,
    /// Programs that sleep, and until when.
    pub(super) paused: BTreeMap<Party, u64>,
    pub(super) store: SimStore,
    pub(super) clocks: BTreeMap<Party, Clock>,
    pub(super) ledger: Ledger,
    pub(super) limits: Limits,
    pub(super) operator: Operator,
    pub(super) trials: Trials,
    /// Whose agents each ingester takes.
    pub(super) realms: Vec<Realm>,
    /// What ingesters are to take from their next start on.
    pub(super) next_realms: BTreeMap<usize, Realm>,
    pub(super) saboteur: Saboteur,
    pub(super) coverage: Coverage,
    pub(super) trace: Trace,
    pub(super) healed: bool,
    wakes: BTreeMap<Party, u64>,
    rings: (u64, u32),
}

impl World {
    /// The world that follows from `seed`.
    #[must_use]
    pub fn new(seed: u64, bug: Option<Bug>, print: bool) -> Self {
        let mut rng = Rng::new(seed);
        let options = Options::draw(&mut rng);
        let mut split = || Rng::new(rng.next_u64());
        let ids: Vec<AgentId> = options.agents.iter().map(|agent| agent.id.clone()).collect();
        let edges = options.agents.iter().enumerate();
        let edges = edges.map(|(index, agent)| Edge::new(index, agent.clone(), options.disk_delay_us, &mut split));
        let clocks = options.clocks.iter().map(|clock| (clock.party, Clock::new(clock.rate, clock.offset_us)));
        Self {
            now_us: 0,
            agenda: Agenda::default(),
            edges: edges.collect(),
            network: Network::new(options.network, &ids, &options.division.realms, split()),
            clouds: (0..options.sites).map(|_| Cloud::new(split())).collect(),
            paused: BTreeMap::new(),
            store: SimStore::new(options.store, options.sites, bug, split()),
            clocks: clocks.collect(),
            ledger: Ledger::new(&ids),
            limits: Limits::default(),
            operator: Operator::default(),
            trials: Trials::default(),
            realms: options.division.realms.clone(),
            next_realms: BTreeMap::new(),
            saboteur: Saboteur::new(bug),
            coverage: Coverage::default(),
            trace: Trace::new(print),
            healed: false,
            wakes: BTreeMap::new(),
            rings: (0, 0),
            options,
        }
    }

    /// Plays: trouble first, then healing, until everything is at rest.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn play(&mut self) -> Check {
        self.begin()?;
        while self.next_us() < self.options.faulty_us {
            self.step()?;
        }
        self.heal()?;
        self.go_on()?;
        let healed_us = self.now_us;
        let settle_us = SETTLE_US + self.queued_bytes() * SETTLE_US_PER_BYTE;
        let mut look_us = healed_us + LOOK_ON_US;
        loop {
            while self.next_us() < look_us {
                self.step()?;
            }
            let Some(unsettled) = self.unsettled() else { break };
            let in_time = look_us < healed_us + settle_us;
            let seconds = settle_us / SECOND_US;
            require(in_time, || format!("NOT LIVE: {seconds} s after all was healed {unsettled}\n{}", self.shown()))?;
            look_us += LOOK_EVERY_US;
        }
        self.orders_are_kept()?;
        self.ledger.complete()?;
        if !self.options.division.is_divided() {
            self.store.averages_are_complete(self.leader_of("a7").unwrap_or(0), &self.ledger)?;
        }
        self.rivals_meet()
    }

    /// Plays until this time.
    pub(super) fn play_until(&mut self, until_us: u64) -> Check {
        while self.next_us() < until_us {
            self.step()?;
        }
        self.now_us = until_us;
        Ok(())
    }

    /// Everything is whole again, and readings go on coming: what waits has to go on, too, and not only once it is quiet.
    fn go_on(&mut self) -> Check {
        let written: Vec<u64> = (0..self.edges.len()).map(|agent| self.ledger.written(agent)).collect();
        let until_us = self.now_us + self.options.healthy_us;
        self.play_until(until_us)?;
        if self.options.healthy_us == 0 {
            return Ok(());
        }
        for (agent, before) in written.into_iter().enumerate() {
            require(self.ledger.written(agent) > before, || {
                format!("STALLED: nothing of agent {agent} was written while all was well\n{}", self.shown())
            })?;
        }
        self.coverage.count("readings after healing");
        Ok(())
    }

    /// What has happened so far, as a hash.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// What the run has met so far.
    #[must_use]
    pub const fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// The true time, in microseconds since the beginning.
    #[must_use]
    pub const fn now_us(&self) -> u64 {
        self.now_us
    }

    /// What a seed has drawn.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Both clocks of a party.
    pub(super) fn clock(&self, party: Party) -> Now {
        self.clocks.get(&party).map(|clock| clock.read(self.now_us)).unwrap_or_default()
    }

    pub(super) fn note(&mut self, who: Party, what: &str, detail: &[u8]) {
        self.trace.note(self.now_us, who, what, detail);
    }

    /// The store, and the books it writes into.
    pub(super) fn store_and_books(&mut self) -> (&mut SimStore, &mut Agenda, Books<'_>) {
        let (ledger, limits, coverage) = (&mut self.ledger, &mut self.limits, &mut self.coverage);
        let books = Books { ledger, limits, trials: &self.trials, coverage };
        (&mut self.store, &mut self.agenda, books)
    }

    /// A node was handled: its timer may be another one now.
    pub(super) fn set_wake(&mut self, party: Party) {
        let due = match party {
            Party::Agent(index) => self.edges[index].poll_timeout(),
            Party::Cloud(site) => self.clouds[site].poll_timeout(),
        };
        let rings = due.zip(self.clocks.get(&party)).map(|(due, clock)| clock.reaches(due).max(self.now_us));
        match rings {
            Some(at_us) => self.wakes.insert(party, at_us),
            None => self.wakes.remove(&party),
        };
    }

    fn begin(&mut self) -> Check {
        for (at_us, fault) in self.options.schedule.clone() {
            self.agenda.at(at_us, Event::Fault(fault));
        }
        for (index, (at_us, _)) in self.options.orders.iter().enumerate() {
            self.agenda.at(*at_us, Event::Operate(index));
        }
        for (index, (at_us, ..)) in self.options.division.moves.iter().enumerate() {
            self.agenda.at(*at_us, Event::Realm(index));
        }
        for site in 0..self.clouds.len() {
            self.boot_cloud(site)?;
        }
        for index in 0..self.edges.len() {
            self.boot_edge(index)?;
            self.agenda.at(self.options.agents[index].every_us, Event::Measure(index));
        }
        Ok(())
    }

    fn next_us(&self) -> u64 {
        let wake = self.wakes.iter().map(|(party, at_us)| self.awake_us(*party, *at_us)).min();
        wake.into_iter().chain(self.agenda.next_us()).min().unwrap_or(u64::MAX)
    }

    /// When something that would be at `at_us` reaches a program that may sleep.
    fn awake_us(&self, party: Party, at_us: u64) -> u64 {
        self.paused.get(&party).map_or(at_us, |until_us| at_us.max(*until_us))
    }

    /// Timers come before events of the same time.
    fn step(&mut self) -> Check {
        let next_us = self.next_us();
        self.now_us = self.now_us.max(next_us);
        let rings = |(party, at_us): &(&Party, &u64)| self.awake_us(**party, **at_us) <= next_us;
        let ringing = self.wakes.iter().find(rings).map(|(party, _)| *party);
        match (ringing, self.agenda.next_us()) {
            (Some(party), _) => self.ring(party),
            (None, Some(_)) => match self.agenda.pop() {
                Some(event) => self.happen(event),
                None => Ok(()),
            },
            (None, None) => Err(Violation::new("nothing will ever happen again".to_owned())),
        }
    }

    fn ring(&mut self, party: Party) -> Check {
        self.rings = if self.rings.0 == self.now_us { (self.now_us, self.rings.1 + 1) } else { (self.now_us, 1) };
        let most = RINGS_MAX * u32::try_from(self.edges.len() + self.clouds.len()).unwrap_or(1);
        require(self.rings.1 <= most, || format!("SPINS: the timer of {party} rings again and again at one moment"))?;
        self.note(party, "timer", b"");
        match party {
            Party::Agent(index) => self.edge_timeout(index),
            Party::Cloud(site) => self.cloud_timeout(site),
        }
    }

    fn happen(&mut self, event: Event) -> Check {
        let awake_us = event.happens_to().map_or(0, |party| self.awake_us(party, 0));
        if awake_us > self.now_us {
            self.agenda.at(awake_us, event);
            return Ok(());
        }
        match event {
            Event::Fault(fault) => self.fault(fault),
            Event::Measure(index) => self.measure(index),
            Event::Disk(index, life) => self.disk_answers(index, life),
            Event::Flush(index, life) => self.disk_flushes(index, life),
            Event::Move(index, number, broker) => self.edge_moves(index, number, broker),
            Event::Store(site, life) => self.store_steps(site, life),
            Event::Attempt(client, life) => self.attempt(client, life),
            Event::AtBroker(connection, publish) => self.at_broker(connection, &publish),
            Event::Deliver(connection, publish) => self.deliver(connection, &publish),
            Event::KeepAlive(connection) => {
                let dead = self.network.keep_alive(connection, self.now_us, &mut self.agenda);
                if dead { self.lost_connection(connection.client) } else { Ok(()) }
            }
            Event::Boot(Party::Agent(index)) if self.edges[index].is_down() => self.boot_edge(index),
            Event::Boot(Party::Cloud(site)) if self.clouds[site].is_down() => self.boot_cloud(site),
            Event::Boot(_) => Ok(()),
            Event::Left(site, life, down_us) if self.clouds[site].life() == Some(life) => {
                self.crash(Party::Cloud(site), down_us)
            }
            Event::Left(..) => Ok(()),
            Event::Dies(index, life) if self.edges[index].life() == Some(life) => {
                self.coverage.count("configuration that kills");
                self.crash(Party::Agent(index), SECOND_US / 10)
            }
            Event::Dies(..) => Ok(()),
            Event::Operate(index) => self.operate(index),
            Event::Realm(index) => {
                let (_, site, realm) = self.options.division.moves[index].clone();
                self.move_realm(site, realm)
            }
        }
    }

    /// The life of a program that runs.
    pub(super) fn life(&self, party: Party) -> Option<u64> {
        match party {
            Party::Agent(index) => self.edges[index].life(),
            Party::Cloud(site) => self.clouds[site].life(),
        }
    }

    /// The program of `party` is gone, and is started again after `down_us`.
    pub(super) fn crash(&mut self, party: Party, down_us: u64) -> Check {
        self.wakes.remove(&party);
        self.paused.remove(&party);
        self.network.disconnect_all(party, self.now_us, &mut self.agenda);
        self.agenda.at(self.now_us + down_us, Event::Boot(party));
        match party {
            Party::Agent(index) => self.crash_edge(index),
            Party::Cloud(site) => self.crash_cloud(site),
        }
    }

    fn heal(&mut self) -> Check {
        self.now_us = self.options.faulty_us;
        self.trace.note(self.now_us, "all", "healed", b"");
        self.healed = true;
        // What was put off until they wake up comes at its time.
        self.paused.values_mut().for_each(|until_us| *until_us = (*until_us).min(self.now_us + SECOND_US));
        self.network.heal();
        self.store.heal();
        for edge in &mut self.edges {
            edge.port().set_trouble(None);
        }
        Ok(())
    }

    /// What waits in the queues of the agents that run.
    fn queued_bytes(&self) -> u64 {
        self.edges.iter().filter_map(Edge::snapshot).map(|snapshot| snapshot.usage.bytes).sum()
    }

    /// What has not come to rest: nothing when everything has.
    fn unsettled(&self) -> Option<String> {
        let agents = || (0..self.edges.len()).find_map(|index| self.unsettled_agent(index));
        self.ledger.unsettled().or_else(agents)
    }

    fn unsettled_agent(&self, index: usize) -> Option<String> {
        let (edge, region) = (&self.edges[index], self.options.agents[index].id.region.as_str());
        let Some(leader) = self.leader_of(region) else {
            return Some(format!("no ingester leads region {region}, or more than one"));
        };
        let state = self.store.state_of(leader);
        let stalled = || edge.open_streams().find_map(|stream| self.ledger.stalled(index, stream, leader, state));
        let store = || self.store.unsettled(leader, &self.realms[leader]);
        edge.unsettled(index).or_else(store).or_else(stalled).or_else(|| self.disobeys(index))
    }

    /// All agents as they are now, for whoever looks for the cause.
    fn shown(&self) -> String {
        let shown =
            self.edges.iter().enumerate().map(|(index, edge)| format!("agent {index}: {:?}\n", edge.snapshot()));
        let clouds = self.clouds.iter().enumerate().map(|(site, cloud)| {
            let now = self.clock(Party::Cloud(site)).mono;
            format!("ingester {site}: {:?}\n", cloud.snapshot(now))
        });
        shown.chain(clouds).collect()
    }
}
