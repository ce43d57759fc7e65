//! The agents of the demo: three sensors at a road, two weather stations, households one by one and many at once, and two car parks. The
//! nodes of its city are in `city`.

use super::entrance::Entrance;
use super::part::{Part, ready};
use super::view::AgentView;
use anyhow::Context;
use fogline_agent::program::{self, AgentSnapshot};
use fogline_agent::settings::{AgentConfig, SourceConfig};
use fogline_agent::source::csv::{Pace, Times};
use fogline_agent::source::garage::GarageConfig;
use fogline_agent::source::households::HouseholdsConfig;
use fogline_agent::source::simulate::{Rate, SimulateConfig};
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::time::Wall;
use fogline_protocol::usecase;
use std::path::Path;
use tokio::sync::{oneshot, watch};

/// A meter tells its power once a second; the agent queues its averages over 5 seconds.
const METER_RATE: f64 = 1.0;
/// A weather station measures ten times a second.
const WEATHER_RATE: f64 = 10.0;
/// Households behind one agent: enough that most federal states have some.
const HOUSEHOLDS: u32 = 32;
/// An hour of the garages' clock passes in a minute, so that there are invoices to look at.
const GARAGE_PACE: f64 = 60.0;
/// Where that clock begins: 2026-01-01, before any demo, so that its times are never in the future.
const GARAGE_FROM: Wall = Wall::from_us(1_767_225_600_000_000);

/// Where an agent's readings come from.
#[derive(Debug, Clone, Copy)]
enum Play {
    /// One simulated sensor of this use case, called like this.
    Sensor(&'static str, &'static str),
    /// Many households.
    Households,
    /// Two garages of so many spaces, and the price of an hour in cents.
    Garages(u32, u32),
}

/// Region, name, and source. A folder of the agent's name is in the data directory, so that
/// `fogline agent status --name lane-1` finds it.
const CAST: [(&str, &str, Play); 10] = [
    ("north", "lane-1", Play::Sensor("road", "lane")),
    ("north", "lane-2", Play::Sensor("road", "lane")),
    ("north", "lane-3", Play::Sensor("road", "lane")),
    ("hill", "station-1", Play::Sensor("weather", "station")),
    ("coast", "station-2", Play::Sensor("weather", "station")),
    ("village", "house-1", Play::Sensor("power", "meter")),
    ("village", "house-2", Play::Sensor("power", "meter")),
    ("town", "homes", Play::Households),
    ("town", "parking-1", Play::Garages(40, 250)),
    ("town", "parking-2", Play::Garages(25, 180)),
];

/// How many there are.
pub(crate) const COUNT: usize = CAST.len();

/// Their names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    CAST.into_iter().map(|(_, name, _)| name)
}

/// Their regions and names.
pub(crate) fn regions_and_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    CAST.into_iter().map(|(region, name, _)| (region, name))
}

impl Play {
    const fn kind(self) -> &'static str {
        match self {
            Self::Sensor(kind, _) => kind,
            Self::Households => "power",
            Self::Garages(..) => "parking",
        }
    }

    /// `road_rate` is that of a road sensor.
    fn source(self, road_rate: f64, seed: u64) -> anyhow::Result<SourceConfig> {
        Ok(match self {
            Self::Sensor(kind, sensor) => {
                let usecase = usecase::find(kind).with_context(|| format!("no use case {kind}"))?;
                let rate = match kind {
                    "road" => road_rate,
                    "weather" => WEATHER_RATE,
                    _ => METER_RATE,
                };
                SourceConfig::Simulate(SimulateConfig {
                    usecase,
                    sensors: 1,
                    sensor: sensor.to_owned(),
                    rate: Rate::PerSecond(rate),
                    seed,
                    count: None,
                    reading_bytes: None,
                    raw: false,
                })
            }
            Self::Households => SourceConfig::Households(HouseholdsConfig {
                files: Vec::new(),
                households: HOUSEHOLDS,
                sensor: "home".to_owned(),
                pace: Pace::Times(1.0),
                times: Times::Original,
                from: None,
                to: None,
                seed,
                raw: false,
                from_start: true,
            }),
            Self::Garages(capacity, tariff_cents) => SourceConfig::Garage(GarageConfig {
                garages: 2,
                sensor: "garage".to_owned(),
                capacity,
                tariff_cents,
                pace: GARAGE_PACE,
                from: Some(GARAGE_FROM),
                seed,
                from_start: false,
            }),
        })
    }
}

/// An agent that can be stopped and started.
#[derive(Debug)]
pub(crate) struct Agent {
    config: AgentConfig,
    view: AgentView,
    running: Option<(Part, watch::Receiver<AgentSnapshot>)>,
}

/// All of them, not started yet. `rate` is that of each road sensor.
///
/// # Errors
/// None in practice: the names are constants.
pub(crate) fn cast(data_dir: &Path, entrance: &Entrance, rate: f64) -> anyhow::Result<Vec<Agent>> {
    let agents = CAST.into_iter().zip(1..);
    agents
        .map(|((region, name, play), seed)| Agent::new(data_dir, entrance, (region, name), play, rate, seed))
        .collect()
}

impl Agent {
    fn new(
        data_dir: &Path,
        entrance: &Entrance,
        (region, name): (&str, &str),
        play: Play,
        rate: f64,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let id = AgentId { region: Name::new(region)?, agent: Name::new(name)? };
        let view = AgentView { agent: id.to_string(), kind: play.kind(), state: "stopped", ..AgentView::default() };
        let brokers = entrance.urls().iter().map(|url| url.parse()).collect::<Result<_, _>>()?;
        let config = AgentConfig::new(id, brokers, data_dir.join(name), play.source(rate, seed)?);
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
