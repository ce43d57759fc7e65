//! The five agents of the demo: three sensors at a road, and the meters of two households.

use super::entrance::Entrance;
use super::part::{Part, ready};
use super::view::AgentView;
use anyhow::Context;
use fogline_agent::program::{self, AgentSnapshot};
use fogline_agent::settings::{AgentConfig, SourceConfig};
use fogline_agent::source::simulate::{Rate, SimulateConfig};
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::usecase;
use std::path::Path;
use tokio::sync::{oneshot, watch};

/// A meter tells its power once a second; the agent queues its averages over 5 seconds.
const METER_RATE: f64 = 1.0;

/// Region, name, use case and the beginning of the sensors' names. A folder of the agent's name is in the data directory,
/// so that `fogline agent status --name lane-1` finds it.
const CAST: [(&str, &str, &str, &str); 5] = [
    ("north", "lane-1", "road", "lane"),
    ("north", "lane-2", "road", "lane"),
    ("north", "lane-3", "road", "lane"),
    ("village", "house-1", "power", "meter"),
    ("village", "house-2", "power", "meter"),
];

/// The names of the five.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    CAST.into_iter().map(|(_, name, _, _)| name)
}

/// The regions and names of the five.
pub(crate) fn regions_and_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    CAST.into_iter().map(|(region, name, ..)| (region, name))
}

/// An agent that can be stopped and started.
#[derive(Debug)]
pub(crate) struct Agent {
    config: AgentConfig,
    view: AgentView,
    running: Option<(Part, watch::Receiver<AgentSnapshot>)>,
}

/// The five, not started yet. `rate` is that of each road sensor.
///
/// # Errors
/// None in practice: the names are constants.
pub(crate) fn cast(data_dir: &Path, entrance: &Entrance, rate: f64) -> anyhow::Result<Vec<Agent>> {
    let agents = CAST.into_iter().zip(1..);
    agents
        .map(|((region, name, kind, sensor), seed)| {
            Agent::new(data_dir, entrance, (region, name), (kind, sensor), rate, seed)
        })
        .collect()
}

impl Agent {
    fn new(
        data_dir: &Path,
        entrance: &Entrance,
        (region, name): (&str, &str),
        (kind, sensor): (&str, &str),
        rate: f64,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let id = AgentId { region: Name::new(region)?, agent: Name::new(name)? };
        let usecase = usecase::find(kind).with_context(|| format!("no use case {kind}"))?;
        let rate = Rate::PerSecond(if kind == "road" { rate } else { METER_RATE });
        let source = SimulateConfig {
            usecase,
            sensors: 1,
            sensor: sensor.to_owned(),
            rate,
            seed,
            count: None,
            reading_bytes: None,
            raw: false,
        };
        let view = AgentView { agent: id.to_string(), kind: usecase.kind(), state: "stopped", ..AgentView::default() };
        let brokers = entrance.urls().iter().map(|url| url.parse()).collect::<Result<_, _>>()?;
        let config = AgentConfig::new(id, brokers, data_dir.join(name), SourceConfig::Simulate(source));
        let config = AgentConfig { security: entrance.security(name), ..config };
        Ok(Self { config, view, running: None })
    }

    /// `region/name`.
    pub(crate) fn name(&self) -> &str {
        &self.view.agent
    }

    /// Starts it.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let (say, said) = oneshot::channel();
        let config = self.config.clone();
        let part = Part::spawn(format!("agent {}", self.name()), |stop| program::run(config, stop, say));
        let (part, running) = ready(part, said).await?;
        self.running = Some((part, running.snapshots));
        Ok(())
    }

    /// Stops it, if it runs. It is shown as it was when it stopped.
    ///
    /// # Errors
    /// What ended it.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let Some((part, snapshots)) = self.running.take() else { return Ok(()) };
        let stopped = part.stop().await;
        self.view.update(&snapshots.borrow());
        self.view.state = "stopped";
        stopped
    }

    /// Stops it if it runs, and starts it otherwise.
    ///
    /// # Errors
    /// What kept it from starting, or ended it.
    pub(crate) async fn toggle(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() { self.stop().await } else { self.start().await }
    }

    /// How it is, but for what the store has of it.
    ///
    /// # Errors
    /// What ended it, if it ended by itself.
    pub(crate) async fn view(&mut self) -> anyhow::Result<AgentView> {
        if self.running.as_ref().is_some_and(|(part, _)| part.has_ended()) {
            self.stop().await?;
            anyhow::bail!("agent {} ended by itself", self.name());
        }
        if let Some((_, snapshots)) = &self.running {
            self.view.update(&snapshots.borrow());
        }
        Ok(self.view.clone())
    }
}
