//! The site of the demo: its parts, started in order, stopped in order.

use super::DemoArgs;
use super::agents::{Agent, cast};
use super::display::Display;
use super::entrance::Entrance;
use super::ingester::Ingester;
use super::part::{Part, ready};
use super::view::View;
use crate::ports;
use anyhow::Context;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::oneshot;

/// The usual port of the ingester.
const HTTP_PORT: u16 = 8080;

/// Where everything is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// As clients are given it.
    pub(crate) broker: String,
    /// The command that shows the messages.
    pub(crate) watch: String,
    /// The folder of the certificates, if it is secure.
    pub(crate) certificates: Option<String>,
    pub(crate) http: SocketAddr,
    pub(crate) data_dir: String,
    pub(crate) plugs: bool,
}

impl Addresses {
    /// For a person.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("messages   {}", self.watch),
            format!("ingester   http://{}/api/v1/agents, /metrics, /readyz", self.http),
            format!("data       {0}, log in {0}/demo.log", self.data_dir),
        ];
        if let Some(certificates) = &self.certificates {
            let secure = format!(
                "secure     TLS on {}, certificates on both sides, access rules in force; files in {certificates} until the end",
                self.broker
            );
            lines.insert(0, secure);
        }
        if self.plugs {
            lines.push("plugs      b (broker), i (ingester) or 1 to 5 (agents) and Enter stops it, again starts it; Ctrl-C ends".to_owned());
        }
        lines
    }

    /// For a program.
    pub(crate) fn json(&self) -> String {
        let Self { broker, watch, certificates, http, data_dir, .. } = self;
        let http = format!("http://{http}");
        serde_json::json!({
            "event": "started", "broker": broker, "secure": certificates.is_some(), "certificates": certificates,
            "http": http, "watch": watch, "data_dir": data_dir,
        })
        .to_string()
    }
}

/// A running site.
#[derive(Debug)]
pub(crate) struct Site {
    entrance: Entrance,
    broker: Option<Part>,
    ingester: Ingester,
    agents: Vec<Agent>,
    elapsed: Duration,
}

impl Site {
    /// Starts everything, and says where it is before anything happens.
    ///
    /// # Errors
    /// What kept a part from starting.
    pub(crate) async fn start(args: &DemoArgs, display: &mut Display) -> anyhow::Result<Self> {
        let entrance = Entrance::new(args.secure)?;
        let http = ports::preferred(HTTP_PORT).context("no free port for the ingester")?;
        let data_dir = args.data_dir.display().to_string();
        let (broker, watch, certificates) = (entrance.url(), entrance.watch(), entrance.certificates());
        display.head(&Addresses { broker, watch, certificates, http, data_dir, plugs: display.is_screen() })?;
        let mut site = Self {
            broker: None,
            ingester: Ingester::new(&args.data_dir, &entrance, http)?,
            agents: cast(&args.data_dir, &entrance, args.rate)?,
            entrance,
            elapsed: Duration::ZERO,
        };
        site.toggle_broker().await?;
        site.ingester.start().await?;
        for agent in &mut site.agents {
            agent.start().await?;
        }
        Ok(site)
    }

    /// Stops the broker if it runs, and starts it otherwise.
    ///
    /// # Errors
    /// What kept it from starting, or ended it.
    pub(crate) async fn toggle_broker(&mut self) -> anyhow::Result<()> {
        if let Some(broker) = self.broker.take() {
            return broker.stop().await;
        }
        let (say, said) = oneshot::channel();
        let config = self.entrance.broker();
        let run = |stop| async move {
            let ready = |broker: &fogline_broker::Broker| {
                // Whoever waits to hear it may have given up.
                say.send(broker.local_addr()).ok();
            };
            Ok(fogline_broker::run(config, stop, ready).await?)
        };
        let (broker, _) = ready(Part::spawn("broker", run), said).await?;
        self.broker = Some(broker);
        Ok(())
    }

    /// Stops the ingester if it runs, and starts it otherwise.
    ///
    /// # Errors
    /// What kept it from starting, or ended it.
    pub(crate) async fn toggle_ingester(&mut self) -> anyhow::Result<()> {
        self.ingester.toggle().await
    }

    /// Stops an agent if it runs, and starts it otherwise. A number that no agent has is ignored.
    ///
    /// # Errors
    /// What kept it from starting, or ended it.
    pub(crate) async fn toggle_agent(&mut self, number: usize) -> anyhow::Result<()> {
        match self.agents.get_mut(number) {
            Some(agent) => agent.toggle().await,
            None => Ok(()),
        }
    }

    /// The site now.
    ///
    /// # Errors
    /// What ended a part, if one ended by itself.
    pub(crate) async fn view(&mut self, elapsed: Duration) -> anyhow::Result<View> {
        if let Some(broker) = self.broker.take_if(|broker| broker.has_ended()) {
            broker.stop().await?;
            anyhow::bail!("the broker ended by itself");
        }
        self.elapsed = elapsed;
        let ingester = self.ingester.state().await?;
        let broker = if self.broker.is_some() { "up" } else { "stopped" };
        // The agents first: what they know to be acknowledged is in the store when it is counted.
        let mut agents = Vec::new();
        for agent in &mut self.agents {
            agents.push(agent.view().await?);
        }
        let stored = self.ingester.stored().await?;
        for agent in &mut agents {
            agent.stored = stored.get(&agent.agent).copied().unwrap_or(0);
            // The agent's own account is a moment older.
            agent.readings = agent.readings.max(agent.stored);
        }
        Ok(View { elapsed_s: elapsed.as_secs(), broker, ingester, agents, ..View::default() }.with_sums())
    }

    /// Stops everything, agents first, so that they can say goodbye. Gives the site as it is then.
    ///
    /// # Errors
    /// The first of what went wrong; everything is stopped all the same.
    pub(crate) async fn stop(mut self) -> anyhow::Result<View> {
        let mut first = Ok(());
        for agent in &mut self.agents {
            first = first.and(agent.stop().await);
        }
        first = first.and(self.ingester.stop().await);
        if let Some(broker) = self.broker.take() {
            first = first.and(broker.stop().await);
        }
        first?;
        self.view(self.elapsed).await
    }
}
