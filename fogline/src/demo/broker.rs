//! The broker of a site.

use super::part::{Part, ready};
use fogline_broker::BrokerConfig;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// How long the threads of a killed broker may hold its port.
const LET_GO_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A broker that can be stopped and started.
#[derive(Debug)]
pub(crate) struct Broker {
    name: String,
    address: SocketAddr,
    config: BrokerConfig,
    running: Option<Part>,
}

impl Broker {
    /// Not started yet.
    pub(crate) const fn new(name: String, address: SocketAddr, config: BrokerConfig) -> Self {
        Self { name, address, config, running: None }
    }

    /// Starts it.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let (say, said) = oneshot::channel();
        let config = self.config.clone();
        let run = |stop| async move {
            let ready = |broker: &fogline_broker::Broker| {
                // Whoever waits to hear it may have given up.
                say.send(broker.local_addr()).ok();
            };
            Ok(fogline_broker::run(config, stop, ready).await?)
        };
        let (part, _) = ready(Part::spawn(self.name.as_str(), run), said).await?;
        self.running = Some(part);
        Ok(())
    }

    /// Stops it, if it runs.
    ///
    /// # Errors
    /// What ended it.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        match self.running.take() {
            Some(part) => part.stop().await,
            None => Ok(()),
        }
    }

    /// Ends it without a word to its clients, if it runs, and waits until others may have its port.
    pub(crate) async fn kill(&mut self) {
        let Some(part) = self.running.take() else { return };
        part.kill().await;
        let deadline = Instant::now() + LET_GO_WITHIN;
        while TcpListener::bind(self.address).is_err() && Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// True until it is stopped.
    pub(crate) const fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// What it does.
    ///
    /// # Errors
    /// What ended it, if it ended by itself.
    pub(crate) async fn state(&mut self) -> anyhow::Result<&'static str> {
        if let Some(part) = self.running.take_if(|part| part.has_ended()) {
            part.stop().await?;
            anyhow::bail!("{} ended by itself", self.name);
        }
        Ok(if self.runs() { "up" } else { "stopped" })
    }
}
