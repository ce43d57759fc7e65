//! Who is in the city, as a table each second.

use crate::table::Table;
use fogline_protocol::city::NODES_MAX;
use fogline_protocol::city::message::{Average, Global, NodeWord};
use fogline_protocol::ids::Name;
use fogline_protocol::topic::{Neighbour, Topic};
use fogline_protocol::wire::{Message, Role};
use fogline_runtime::clock::entropy;
use fogline_runtime::link::{BrokerAddress, Link, LinkConfig, LinkEvent, LinkSecurity};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;
use tokio::time::Instant;

/// A node that is silent for this long is gone.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// How often the picture is renewed.
const EVERY: Duration = Duration::from_secs(1);

/// What is watched, and how it is shown.
pub(super) struct WatchStart {
    pub(super) brokers: Vec<BrokerAddress>,
    pub(super) region: Name,
    pub(super) security: LinkSecurity,
    pub(super) json: bool,
}

#[derive(Default)]
struct Picture {
    connected: bool,
    nodes: BTreeMap<Name, (NodeWord, Instant)>,
    global: Option<(Name, Average, usize)>,
}

/// Watches until `end` completes.
///
/// # Errors
/// The link cannot be set up, or nobody reads what is shown.
pub(super) async fn run(start: WatchStart, end: impl Future<Output = ()>) -> anyhow::Result<()> {
    // A name of its own each time: two that watch must not throw each other out. Where clients have users, it needs the right name.
    let name = start.security.user.clone().unwrap_or_else(|| format!("watch-{:08x}", entropy() & 0xFFFF_FFFF));
    let mut link = LinkConfig::new(start.brokers, name, entropy());
    let of = |channel: Neighbour| format!("fogline/v1/{}/peers/+/{}", start.region, channel.as_str());
    link.subscriptions = vec![of(Neighbour::Node), of(Neighbour::Global)];
    link.security = start.security;
    let (_link, mut events) = Link::start(link, |_| None)?;
    let mut picture = Picture::default();
    let (mut ticks, terminal) =
        (tokio::time::interval_at(Instant::now() + EVERY, EVERY), std::io::stdout().is_terminal());
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return Ok(()),
            Some(event) = events.recv() => picture.heard(event),
            _ = ticks.tick() => picture.show(start.json, terminal)?,
        }
    }
}

impl Picture {
    fn heard(&mut self, event: LinkEvent) {
        let (topic, payload) = match event {
            LinkEvent::Connected { .. } => return self.connected = true,
            LinkEvent::Disconnected { .. } => return self.connected = false,
            LinkEvent::Message { topic, payload } => (topic, payload),
        };
        match Topic::parse(&topic) {
            Ok(Topic::Peers(from, Neighbour::Node, _)) => {
                let Ok(word) = NodeWord::decode(&payload) else { return };
                if word.role == Role::Leaving {
                    self.nodes.remove(&from.agent);
                } else if self.nodes.len() < NODES_MAX || self.nodes.contains_key(&from.agent) {
                    self.nodes.insert(from.agent, (word, Instant::now()));
                }
            }
            Ok(Topic::Peers(from, Neighbour::Global, _)) => {
                let Ok(Global { average: Some(average), nodes, .. }) = Global::decode(&payload) else { return };
                self.global = Some((from.agent, average, nodes.len()));
            }
            _ => {}
        }
    }

    fn show(&mut self, json: bool, terminal: bool) -> std::io::Result<()> {
        self.nodes.retain(|_, (_, heard)| heard.elapsed() < GONE_AFTER);
        let text = if json { format!("{}\n", self.json()) } else { self.text() };
        let mut stdout = std::io::stdout().lock();
        if terminal && !json {
            // Home, and nothing left of what was longer before.
            stdout.write_all(b"\x1b[H\x1b[2J")?;
        }
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    fn json(&self) -> serde_json::Value {
        let nodes: Vec<_> = self
            .nodes
            .iter()
            .map(|(name, (word, _))| {
                json!({
                    "id": name, "state": state(word), "coordinator": word.coordinator, "u": word.place.u, "v": word.place.v,
                    "sensors": word.sensors, "local": word.local,
                })
            })
            .collect();
        let global = self.global.as_ref();
        let global = global.map(|(by, average, nodes)| json!({ "by": by, "nodes": nodes, "average": average }));
        json!({ "connected": self.connected, "nodes": nodes, "global": global })
    }

    fn text(&self) -> String {
        let mut table = Table::new(&["node", "state", "u", "v", "sensors", "PM-10 µg/m³", "samples"]);
        for (name, (word, _)) in &self.nodes {
            let average = |show: fn(&Average) -> String| word.local.as_ref().map_or_else(|| "-".to_owned(), show);
            let local = [average(|average| format!("{:.1}", average.mean)), average(|average| average.n.to_string())];
            let place = [word.place.u.to_string(), word.place.v.to_string(), word.sensors.to_string()];
            table.row([name.to_string(), state(word).to_owned()].into_iter().chain(place).chain(local));
        }
        let broker = if self.connected { "" } else { "not connected to the broker\n" };
        let global = match &self.global {
            None => "no average over all nodes yet".to_owned(),
            Some((by, average, nodes)) => {
                format!("all: {:.1} µg/m³ of {} samples, {nodes} nodes, by {by}", average.mean, average.n)
            }
        };
        format!("{broker}{table}{global}\n\n")
    }
}

fn state(word: &NodeWord) -> &'static str {
    match (word.role, &word.coordinator) {
        (Role::Leading, _) => "coordinator",
        (_, Some(_)) => "active",
        (_, None) => "joining",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use fogline_protocol::city::Place;

    #[test]
    fn nodes_come_and_go_and_are_shown_with_their_averages() {
        let mut picture = Picture::default();
        let average = Average { from_us: 0, ts_us: 10_000_000, mean: 21.46, n: 40 };
        let word = |role| NodeWord {
            token: "t".to_owned(),
            hello: false,
            role,
            term: None,
            coordinator: None,
            place: Place { u: 10, v: 20 },
            sensors: 4,
            local: Some(average),
        };
        let say = |picture: &mut Picture, node: &str, role| {
            let topic = format!("fogline/v1/city/peers/{node}/node");
            picture.heard(LinkEvent::Message { topic, payload: Bytes::from(word(role).encode()) });
        };
        picture.heard(LinkEvent::Connected { broker: 0, connection: 1 });
        say(&mut picture, "node-1", Role::Leading);
        say(&mut picture, "node-2", Role::StandingBy);
        let expected = "\
node          state   u   v  sensors  PM-10 µg/m³  samples
node-1  coordinator  10  20        4         21.5       40
node-2      joining  10  20        4         21.5       40
no average over all nodes yet

";
        assert_eq!(picture.text(), expected);
        say(&mut picture, "node-2", Role::Leaving);
        assert_eq!(picture.json()["nodes"].as_array().unwrap().len(), 1);
    }
}
