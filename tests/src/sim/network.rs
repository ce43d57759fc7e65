//! MQTT as it is: QoS 1 to brokers that keep everything in memory.
//!
//! Messages are lost, doubled, delayed and overtake each other; a message under way survives neither the broker's nor
//! its subscriber's connection; a client that is cut off learns of it from its keep-alive; the broker publishes last
//! wills, sometimes after the client is back.

use super::agenda::{Agenda, Client, Connection, Event, Party};
use super::options::NetworkOptions;
use fogline_protocol::ids::AgentId;
use fogline_protocol::node::Publish;
use fogline_protocol::realm::Realm;
use fogline_protocol::rng::Rng;
use fogline_protocol::topic::{Topic, peer_filters};
use std::collections::BTreeMap;

/// How long a silent connection lives: the keep-alive's patience.
const KEEP_ALIVE_US: u64 = 3_000_000;
/// The longest time that connecting takes, the back-off included.
const CONNECT_US_MAX: u64 = 1_500_000;
/// The longest time after which the broker publishes a last will. rumqttd was seen to be late with them.
const WILL_US_MAX: u64 = 2_500_000;

#[derive(Debug, Default)]
struct Way {
    connection: Option<Connection>,
    will: Option<Publish>,
    cut_off: bool,
    /// The ingester wants to hear agents.
    listens: bool,
}

/// What an ingester subscribes to.
#[derive(Debug)]
struct Wanted {
    realm: Realm,
    /// Of what other ingesters say.
    filters: Vec<String>,
}

impl Wanted {
    fn of(realm: Realm) -> Self {
        Self { filters: peer_filters(&realm), realm }
    }

    /// Whether the filters of what agents say contain a region. Those of shares contain all.
    fn hears(&self, region: &str) -> bool {
        matches!(self.realm, Realm::Share(_)) || self.realm.takes(region)
    }
}

fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Ways between programs and brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// All of one program.
    Of(Party),
    /// One way.
    One(Client),
    /// Those of each ingester to the broker of the other site.
    BetweenSites,
}

impl Ways {
    const fn contain(self, client: Client) -> bool {
        match (self, client) {
            (Self::Of(Party::Agent(this)), (Party::Agent(party), _)) => this == party,
            (Self::Of(Party::Cloud(this)), (Party::Cloud(party), _)) => this == party,
            (Self::One((Party::Agent(this), at)), (Party::Agent(party), broker)) => this == party && at == broker,
            (Self::One((Party::Cloud(this), at)), (Party::Cloud(party), broker)) => this == party && at == broker,
            (Self::Of(_) | Self::One(_), _) => false,
            (Self::BetweenSites, (Party::Agent(_), _)) => false,
            (Self::BetweenSites, (Party::Cloud(index), broker)) => index != broker,
        }
    }
}

/// A broker: how often it was started, and what it remembers.
#[derive(Debug)]
struct Broker {
    life: u64,
    up: bool,
    retained: BTreeMap<String, Publish>,
}

/// The brokers, and the ways to them.
#[derive(Debug)]
pub struct Network {
    options: NetworkOptions,
    rng: Rng,
    /// Who reads what is said to which agent.
    agents: BTreeMap<AgentId, usize>,
    ways: BTreeMap<Client, Way>,
    connects: u64,
    brokers: Vec<Broker>,
    ingesters: BTreeMap<Party, Wanted>,
}

impl Network {
    /// A network of these agents, and a site for each of these ingesters, nobody connected.
    #[must_use]
    pub fn new(options: NetworkOptions, agents: &[AgentId], realms: &[Realm], rng: Rng) -> Self {
        let sites = realms.len();
        let wanted = |(site, realm): (usize, &Realm)| (Party::Cloud(site), Wanted::of(realm.clone()));
        let numbered = agents.iter().cloned().enumerate().map(|(index, id)| (id, index));
        let parties = (0..agents.len()).map(Party::Agent).chain((0..sites).map(Party::Cloud));
        let clients = parties.flat_map(|party| (0..sites).map(move |broker| (party, broker)));
        let broker = || Broker { life: 1, up: true, retained: BTreeMap::new() };
        Self {
            options,
            rng,
            agents: numbered.collect(),
            ways: clients.map(|client| (client, Way::default())).collect(),
            connects: 0,
            brokers: (0..sites).map(|_| broker()).collect(),
            ingesters: realms.iter().enumerate().map(wanted).collect(),
        }
    }

    /// An ingester that starts subscribes to what concerns this realm.
    pub fn takes(&mut self, party: Party, realm: Realm) {
        self.ingesters.insert(party, Wanted::of(realm));
    }

    /// The connection of `client`, as it sees it.
    #[must_use]
    pub fn connection(&self, client: Client) -> Option<Connection> {
        self.ways.get(&client).and_then(|way| way.connection)
    }

    /// The connections of `party`.
    pub fn connections(&self, party: Party) -> impl Iterator<Item = Connection> + '_ {
        self.ways_of(party).filter_map(|(_, way)| way.connection)
    }

    fn ways_of(&self, party: Party) -> impl Iterator<Item = (&Client, &Way)> {
        self.ways.range((party, 0)..=(party, usize::MAX))
    }

    /// `client` begins to connect.
    pub fn try_connect(&mut self, client: Client, life: u64, now_us: u64, agenda: &mut Agenda) {
        let delay_us = 10_000 + self.rng.below(CONNECT_US_MAX);
        agenda.at(now_us + delay_us, Event::Attempt(client, life));
    }

    /// The attempt comes to its end: true when the client is connected and subscribed.
    pub fn connect(&mut self, client: Client, will: Option<Publish>, now_us: u64, agenda: &mut Agenda) -> bool {
        let broker = &self.brokers[client.1];
        let Some(way) = self.ways.get_mut(&client).filter(|way| broker.up && !way.cut_off) else { return false };
        self.connects += 1;
        let connection = Connection { client, number: self.connects, broker_life: broker.life };
        way.connection = Some(connection);
        way.will = will;
        let retained: Vec<Publish> = broker.retained.values().cloned().collect();
        self.deliver_retained(connection, retained, now_us, agenda);
        true
    }

    fn deliver_retained(&mut self, to: Connection, retained: Vec<Publish>, now_us: u64, agenda: &mut Agenda) {
        for publish in retained {
            if self.reads(to.client, &publish) {
                self.carry(now_us, |delivered| Event::Deliver(to, delivered), &publish, agenda);
            }
        }
    }

    /// An ingester wants to hear agents from now on, or not any more.
    pub fn listen(&mut self, party: Party, listens: bool, now_us: u64, agenda: &mut Agenda) {
        let clients: Vec<Client> = self.ways_of(party).map(|(client, _)| *client).collect();
        for client in clients {
            let Some(way) = self.ways.get_mut(&client) else { continue };
            way.listens = listens;
            if let Some(connection) = way.connection.filter(|_| listens) {
                let retained: Vec<Publish> = self.brokers[client.1].retained.values().cloned().collect();
                self.deliver_retained(connection, retained, now_us, agenda);
            }
        }
    }

    /// `client` publishes: false when it is not connected and the message is thrown away.
    pub fn publish(&mut self, client: Client, publish: &Publish, now_us: u64, agenda: &mut Agenda) -> bool {
        let Some(connection) = self.connection(client) else { return false };
        if !self.is_cut_off(client) {
            self.carry(now_us, |arriving| Event::AtBroker(connection, arriving), publish, agenda);
        }
        true
    }

    /// A message reaches the broker, which passes it on: true unless the broker was restarted meanwhile.
    pub fn route(&mut self, from: Connection, publish: &Publish, now_us: u64, agenda: &mut Agenda) -> bool {
        let at = from.client.1;
        let broker = &mut self.brokers[at];
        if !broker.up || from.broker_life != broker.life {
            return false;
        }
        if publish.retain {
            broker.retained.insert(publish.topic.clone(), publish.clone());
        }
        let life = broker.life;
        let connections: Vec<Connection> = self.ways.values().filter_map(|way| way.connection).collect();
        for to in connections.into_iter().filter(|to| to.client.1 == at && to.broker_life == life) {
            if self.reads(to.client, publish) && !self.is_cut_off(to.client) {
                self.carry(now_us, |delivered| Event::Deliver(to, delivered), publish, agenda);
            }
        }
        true
    }

    /// True when a message that was sent over `connection` still gets through.
    #[must_use]
    pub fn delivers(&self, connection: Connection) -> bool {
        let broker = &self.brokers[connection.client.1];
        let current = self.connection(connection.client) == Some(connection);
        current && connection.broker_life == broker.life && broker.up && !self.is_cut_off(connection.client)
    }

    /// A client looks after its connection: true when it finds it dead, and drops it.
    pub fn keep_alive(&mut self, connection: Connection, now_us: u64, agenda: &mut Agenda) -> bool {
        let current = self.connection(connection.client) == Some(connection);
        let dead = current && !self.delivers(connection);
        if dead {
            self.disconnect(connection.client, now_us, agenda);
        }
        dead
    }

    /// The connection of `client` ends without a word; the broker publishes the last will. False when there was none.
    pub fn disconnect(&mut self, client: Client, now_us: u64, agenda: &mut Agenda) -> bool {
        let Some(way) = self.ways.get_mut(&client) else { return false };
        let Some(connection) = way.connection.take() else { return false };
        if let Some(will) = way.will.take() {
            let delay_us = self.rng.below(WILL_US_MAX);
            agenda.at(now_us + delay_us, Event::AtBroker(connection, will));
        }
        true
    }

    /// All connections of `party` end without a word: those that did.
    pub fn disconnect_all(&mut self, party: Party, now_us: u64, agenda: &mut Agenda) -> Vec<Client> {
        let clients: Vec<Client> = self.connections(party).map(|connection| connection.client).collect();
        for client in &clients {
            self.disconnect(*client, now_us, agenda);
        }
        clients
    }

    /// Nothing gets to or from these ways until [`Network::rejoin`].
    pub fn cut_off(&mut self, ways: Ways, now_us: u64, agenda: &mut Agenda) {
        for (_, way) in self.ways.iter_mut().filter(|(client, _)| ways.contain(**client)) {
            way.cut_off = true;
            if let Some(connection) = way.connection {
                agenda.at(now_us + KEEP_ALIVE_US, Event::KeepAlive(connection));
            }
        }
    }

    /// The end of [`Network::cut_off`].
    pub fn rejoin(&mut self, ways: Ways) {
        let ways = self.ways.iter_mut().filter(|(client, _)| ways.contain(**client));
        ways.for_each(|(_, way)| way.cut_off = false);
    }

    /// A broker stops and forgets everything. Its clients notice soon.
    pub fn stop_broker(&mut self, at: usize, now_us: u64, agenda: &mut Agenda) {
        let broker = &mut self.brokers[at];
        broker.life += 1;
        broker.up = false;
        broker.retained.clear();
        for connection in self.ways.values().filter_map(|way| way.connection).filter(|to| to.client.1 == at) {
            agenda.at(now_us + self.rng.below(KEEP_ALIVE_US), Event::KeepAlive(connection));
        }
    }

    /// The broker is back.
    pub fn start_broker(&mut self, at: usize) {
        self.brokers[at].up = true;
    }

    /// From now on nothing is lost or doubled, and nobody is cut off.
    pub fn heal(&mut self) {
        self.options.loss = 0;
        self.options.duplication = 0;
        self.options.delay_us = self.options.delay_us.min(50_000);
        self.brokers.iter_mut().for_each(|broker| broker.up = true);
        self.ways.values_mut().for_each(|way| way.cut_off = false);
    }

    fn is_cut_off(&self, client: Client) -> bool {
        self.ways.get(&client).is_none_or(|way| way.cut_off)
    }

    /// True when `client` has subscribed to the topic of `publish`.
    fn reads(&self, client: Client, publish: &Publish) -> bool {
        match (client.0, Topic::parse(&publish.topic)) {
            (party @ Party::Cloud(_), Ok(Topic::Up(id, _))) => {
                let hears = self.ingesters.get(&party).is_some_and(|wanted| wanted.hears(id.region.as_str()));
                hears && self.ways.get(&client).is_some_and(|way| way.listens)
            }
            (party @ Party::Cloud(_), Ok(Topic::Ingest(..))) => self
                .ingesters
                .get(&party)
                .is_some_and(|wanted| wanted.filters.iter().any(|filter| matches(filter, &publish.topic))),
            (Party::Agent(index), Ok(Topic::Down(id, _))) => self.agents.get(&id) == Some(&index),
            _ => false,
        }
    }

    /// One hop: no copy arrives, or one, or two, each after a delay of its own.
    fn carry(&mut self, now_us: u64, event: impl Fn(Publish) -> Event, publish: &Publish, agenda: &mut Agenda) {
        let lost = self.rng.percent(self.options.loss);
        let copies = if lost { 0 } else { 1 + u64::from(self.rng.percent(self.options.duplication)) };
        for _ in 0..copies {
            let delay_us = 100 + self.rng.below(self.options.delay_us);
            agenda.at(now_us + delay_us, event(publish.clone()));
        }
    }
}
