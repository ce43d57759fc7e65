//! Nodes and sensors that can be started and stopped: what the command line and the demo use.

use super::api::{Api, ApiConfig};
use super::node::{self, NodeStart, NodeView};
use super::places::{node_places, sensor_places};
use super::sensors::{self, SensorsStart};
use crate::demo::part::{Part, ready};
use anyhow::Context;
use fogline_agent::settings::{AgentConfig, SourceConfig};
use fogline_protocol::city::Place;
use fogline_protocol::city::sensors::SensorsSnapshot;
use fogline_protocol::ids::{AgentId, Name};
use fogline_runtime::clock::entropy;
use fogline_runtime::link::{BrokerAddress, LinkConfig, LinkSecurity};
use std::path::PathBuf;
use tokio::sync::{oneshot, watch};

/// What all of a city have in common.
#[derive(Debug, Clone)]
pub struct CityConfig {
    /// The API.
    pub api: ApiConfig,
    /// Brokers in order of preference.
    pub brokers: Vec<BrokerAddress>,
    /// The region whose nodes are one city.
    pub region: Name,
    /// Each node has a folder of its name in here.
    pub data_dir: PathBuf,
    /// The host under which nodes are registered.
    pub host: String,
}

/// Nodes and sensors of a city that run in this process.
#[derive(Debug)]
pub struct City {
    config: CityConfig,
    api: Api,
    nodes: Vec<(Name, Part, watch::Receiver<NodeView>)>,
    sensors: Vec<(Part, watch::Receiver<SensorsSnapshot>)>,
}

impl City {
    /// Nobody yet.
    ///
    /// # Errors
    /// The address of the API cannot be one.
    pub fn new(config: CityConfig) -> anyhow::Result<Self> {
        Ok(Self { api: Api::new(config.api.clone())?, config, nodes: Vec::new(), sensors: Vec::new() })
    }

    /// Starts a node, at `place` or where there is one. Waits for the API.
    ///
    /// # Errors
    /// Why it could not start: its id is taken, there is no place, its queue cannot be opened.
    pub async fn start_node(&mut self, name: Name, place: Option<Place>, security: LinkSecurity) -> anyhow::Result<()> {
        let id = AgentId { region: self.config.region.clone(), agent: name.clone() };
        let folder = self.config.data_dir.join(name.as_str());
        let agent = AgentConfig::new(id, self.config.brokers.clone(), folder, SourceConfig::None);
        let agent = AgentConfig { security, ..agent };
        let places = place.map_or_else(node_places, |place| vec![place]);
        let start = NodeStart { api: self.api.clone(), agent, places, host: self.config.host.clone() };
        let (say, said) = oneshot::channel();
        let part = Part::spawn(format!("node {name}"), |stop| node::run(start, stop, say));
        let (part, view) = ready(part, said).await?;
        self.nodes.push((name, part, view));
        Ok(())
    }

    /// Lets a node leave in order. Without effect when it does not run.
    ///
    /// # Errors
    /// What ended it.
    pub async fn stop_node(&mut self, name: &str) -> anyhow::Result<()> {
        let Some(index) = self.nodes.iter().position(|(node, ..)| node.as_str() == name) else { return Ok(()) };
        let (_, part, _) = self.nodes.remove(index);
        part.stop().await
    }

    /// Starts sensors of one client, spread over the city by the seed.
    ///
    /// # Errors
    /// The API does not give its token, or the link cannot be set up.
    pub async fn start_sensors(
        &mut self,
        client: Name,
        count: u32,
        rate: f64,
        seed: u64,
        security: LinkSecurity,
    ) -> anyhow::Result<()> {
        let token = self.api.token().await.context("the city's token")?;
        let mut link = LinkConfig::new(self.config.brokers.clone(), client.as_str(), entropy());
        link.security = security;
        let id = AgentId { region: self.config.region.clone(), agent: client };
        let places = sensor_places(count, seed);
        let start = SensorsStart { api: self.api.clone(), link, id, places, rate, token, seed };
        let (view, watched) = watch::channel(SensorsSnapshot::default());
        self.sensors.push((Part::spawn("sensors", |stop| sensors::run(start, stop, view)), watched));
        Ok(())
    }

    /// How nodes are.
    pub fn nodes(&self) -> impl Iterator<Item = NodeView> {
        self.nodes.iter().map(|(_, _, view)| view.borrow().clone())
    }

    /// How sensors are, by client.
    pub fn sensors(&self) -> impl Iterator<Item = SensorsSnapshot> {
        self.sensors.iter().map(|(_, view)| view.borrow().clone())
    }

    /// Whether one has ended by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let parts = self.nodes.iter().map(|(_, part, _)| part).chain(self.sensors.iter().map(|(part, _)| part));
        parts.into_iter().any(Part::has_ended)
    }

    /// Lets all of them leave in order: sensors first, then node after node, so that each finds a coordinator.
    ///
    /// # Errors
    /// The first of what ended them.
    pub async fn stop(self) -> anyhow::Result<()> {
        let mut result = Ok(());
        for (part, _) in self.sensors {
            result = result.and(part.stop().await);
        }
        for (_, part, _) in self.nodes {
            result = result.and(part.stop().await);
        }
        result
    }
}
