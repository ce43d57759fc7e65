//! MQTT as it is: QoS 1 to a broker that keeps everything in memory.
//!
//! Messages are lost, doubled, delayed and overtake each other; a message under way survives neither the broker's nor
//! its subscriber's connection; a client that is cut off learns of it from its keep-alive; the broker publishes last
//! wills, sometimes after the client is back.

use super::agenda::{Agenda, Connection, Event, Party};
use super::options::NetworkOptions;
use fogline_protocol::ids::AgentId;
use fogline_protocol::node::Publish;
use fogline_protocol::rng::Rng;
use fogline_protocol::topic::Topic;
use std::collections::BTreeMap;

/// How long a silent connection lives: the keep-alive's patience.
const KEEP_ALIVE_US: u64 = 3_000_000;
/// The longest time that connecting takes, the back-off included.
const CONNECT_US_MAX: u64 = 1_500_000;
/// The longest time after which the broker publishes a last will. rumqttd was seen to be late with them.
const WILL_US_MAX: u64 = 2_500_000;

#[derive(Debug, Default)]
struct Client {
    connection: Option<Connection>,
    will: Option<Publish>,
    cut_off: bool,
}

/// The broker, and the ways to it.
#[derive(Debug)]
pub struct Network {
    options: NetworkOptions,
    rng: Rng,
    /// Who reads what is said to which agent.
    agents: BTreeMap<AgentId, usize>,
    clients: BTreeMap<Party, Client>,
    retained: BTreeMap<String, Publish>,
    connects: u64,
    broker: u64,
    broker_up: bool,
}

impl Network {
    /// A network of these agents and one ingester, nobody connected.
    #[must_use]
    pub fn new(options: NetworkOptions, agents: &[AgentId], rng: Rng) -> Self {
        let numbered = agents.iter().cloned().enumerate().map(|(index, id)| (id, index));
        let parties = (0..agents.len()).map(Party::Agent).chain([Party::Cloud]);
        Self {
            options,
            rng,
            agents: numbered.collect(),
            clients: parties.map(|party| (party, Client::default())).collect(),
            retained: BTreeMap::new(),
            connects: 0,
            broker: 1,
            broker_up: true,
        }
    }

    /// The connection of `party`, as the client sees it.
    #[must_use]
    pub fn connection(&self, party: Party) -> Option<Connection> {
        self.clients.get(&party).and_then(|client| client.connection)
    }

    /// The client of `party` begins to connect.
    pub fn try_connect(&mut self, party: Party, life: u64, now_us: u64, agenda: &mut Agenda) {
        let delay_us = 10_000 + self.rng.below(CONNECT_US_MAX);
        agenda.at(now_us + delay_us, Event::Attempt(party, life));
    }

    /// The attempt comes to its end: true when the client is connected and subscribed.
    pub fn connect(&mut self, party: Party, will: Option<Publish>, now_us: u64, agenda: &mut Agenda) -> bool {
        let broker = self.broker;
        let Some(client) = self.clients.get_mut(&party).filter(|client| self.broker_up && !client.cut_off) else {
            return false;
        };
        self.connects += 1;
        let connection = Connection { client: party, number: self.connects, broker };
        client.connection = Some(connection);
        client.will = will;
        let retained: Vec<Publish> = self.retained.values().cloned().collect();
        for publish in retained {
            if self.reads(party, &publish) {
                self.carry(now_us, |delivered| Event::Deliver(connection, delivered), &publish, agenda);
            }
        }
        true
    }

    /// `party` publishes: false when it is not connected and the message is thrown away.
    pub fn publish(&mut self, party: Party, publish: &Publish, now_us: u64, agenda: &mut Agenda) -> bool {
        let Some(connection) = self.connection(party) else { return false };
        if !self.is_cut_off(party) {
            self.carry(now_us, |arriving| Event::AtBroker(connection, arriving), publish, agenda);
        }
        true
    }

    /// A message reaches the broker, which passes it on: true unless the broker was restarted meanwhile.
    pub fn route(&mut self, from: Connection, publish: &Publish, now_us: u64, agenda: &mut Agenda) -> bool {
        if !self.broker_up || from.broker != self.broker {
            return false;
        }
        if publish.retain {
            self.retained.insert(publish.topic.clone(), publish.clone());
        }
        let connections: Vec<Connection> = self.clients.values().filter_map(|client| client.connection).collect();
        for to in connections {
            if to.broker == self.broker && self.reads(to.client, publish) && !self.is_cut_off(to.client) {
                self.carry(now_us, |delivered| Event::Deliver(to, delivered), publish, agenda);
            }
        }
        true
    }

    /// True when a message that was sent over `connection` still gets through.
    #[must_use]
    pub fn delivers(&self, connection: Connection) -> bool {
        let current = self.connection(connection.client) == Some(connection);
        current && connection.broker == self.broker && self.broker_up && !self.is_cut_off(connection.client)
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

    /// The connection of `party` ends without a word; the broker publishes the last will. False when there was none.
    pub fn disconnect(&mut self, party: Party, now_us: u64, agenda: &mut Agenda) -> bool {
        let Some(client) = self.clients.get_mut(&party) else { return false };
        let Some(connection) = client.connection.take() else { return false };
        if let Some(will) = client.will.take() {
            let delay_us = self.rng.below(WILL_US_MAX);
            agenda.at(now_us + delay_us, Event::AtBroker(connection, will));
        }
        true
    }

    /// Nothing gets to or from `party` until [`Network::rejoin`].
    pub fn cut_off(&mut self, party: Party, now_us: u64, agenda: &mut Agenda) {
        if let Some(client) = self.clients.get_mut(&party) {
            client.cut_off = true;
            if let Some(connection) = client.connection {
                agenda.at(now_us + KEEP_ALIVE_US, Event::KeepAlive(connection));
            }
        }
    }

    /// The end of [`Network::cut_off`].
    pub fn rejoin(&mut self, party: Party) {
        if let Some(client) = self.clients.get_mut(&party) {
            client.cut_off = false;
        }
    }

    /// The broker stops and forgets everything. Its clients notice soon.
    pub fn stop_broker(&mut self, now_us: u64, agenda: &mut Agenda) {
        self.broker += 1;
        self.broker_up = false;
        self.retained.clear();
        for connection in self.clients.values().filter_map(|client| client.connection) {
            agenda.at(now_us + self.rng.below(KEEP_ALIVE_US), Event::KeepAlive(connection));
        }
    }

    /// The broker is back.
    pub const fn start_broker(&mut self) {
        self.broker_up = true;
    }

    /// From now on nothing is lost or doubled, and nobody is cut off.
    pub fn heal(&mut self) {
        self.options.loss = 0;
        self.options.duplication = 0;
        self.options.delay_us = self.options.delay_us.min(50_000);
        self.broker_up = true;
        self.clients.values_mut().for_each(|client| client.cut_off = false);
    }

    fn is_cut_off(&self, party: Party) -> bool {
        self.clients.get(&party).is_none_or(|client| client.cut_off)
    }

    /// True when `party` has subscribed to the topic of `publish`.
    fn reads(&self, party: Party, publish: &Publish) -> bool {
        match (party, Topic::parse(&publish.topic)) {
            (Party::Cloud, Ok(Topic::Up(..))) => true,
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
