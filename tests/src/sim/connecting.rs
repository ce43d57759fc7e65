//! Clients and brokers: connections made and lost, and what comes over them.

use super::agenda::{Client, Connection, Party};
use super::checks::Check;
use super::world::World;
use fogline_protocol::node::Publish;

impl World {
    pub(super) fn attempt(&mut self, client: Client, life: u64) -> Check {
        let (party, broker) = client;
        let elsewhere = matches!(party, Party::Agent(_)) && self.network.connections(party).next().is_some();
        if self.life(party) != Some(life) || self.network.connection(client).is_some() || elsewhere {
            return Ok(());
        }
        let will = match party {
            Party::Agent(index) => self.edge_will(index),
            Party::Cloud(_) => None,
        };
        if !self.network.connect(client, will, self.now_us, &mut self.agenda) {
            self.network.try_connect(self.next_client(client), life, self.now_us, &mut self.agenda);
            return Ok(());
        }
        self.note(party, "connected", format!("to broker {broker}").as_bytes());
        self.coverage.count("connection");
        match party {
            Party::Agent(index) => self.edge_connected(index, broker),
            Party::Cloud(site) => self.cloud_connected(site, broker),
        }
    }

    /// After a failure agents try the next broker of their list; an ingester's client has one broker.
    fn next_client(&self, (party, broker): Client) -> Client {
        match party {
            Party::Agent(_) => (party, (broker + 1) % self.options.sites),
            Party::Cloud(_) => (party, broker),
        }
    }

    pub(super) fn at_broker(&mut self, connection: Connection, publish: &Publish) -> Check {
        let taken = self.network.route(connection, publish, self.now_us, &mut self.agenda);
        match connection.client.0 {
            Party::Agent(index) if taken => self.puback(index, connection, publish),
            Party::Agent(_) | Party::Cloud(_) => Ok(()),
        }
    }

    pub(super) fn deliver(&mut self, connection: Connection, publish: &Publish) -> Check {
        if !self.network.delivers(connection) {
            return Ok(());
        }
        let (party, broker) = connection.client;
        self.note(party, &publish.topic, &publish.payload);
        match party {
            Party::Agent(index) => self.edge_receives(index, publish),
            Party::Cloud(site) => self.cloud_receives(site, broker, publish),
        }
    }

    /// A client finds its connection gone.
    pub(super) fn lost_connection(&mut self, client: Client) -> Check {
        let (party, broker) = client;
        self.note(party, "disconnected", format!("from broker {broker}").as_bytes());
        match party {
            Party::Agent(index) => self.edge_disconnected(index)?,
            Party::Cloud(site) => self.cloud_disconnected(site, broker)?,
        }
        if let Some(life) = self.life(party) {
            self.network.try_connect(self.next_client(client), life, self.now_us, &mut self.agenda);
        }
        Ok(())
    }
}
