//! A site: a broker and an ingester.

use super::broker::Broker;
use super::ingester::Ingester;
use super::pull::{Plug, Pull};
use super::view::SiteView;

/// A site.
#[derive(Debug)]
pub(crate) struct Site {
    number: u16,
    broker: Broker,
    pub(crate) ingester: Ingester,
}

impl Site {
    /// Not started yet. Sites are counted from 1.
    pub(crate) const fn new(number: u16, broker: Broker, ingester: Ingester) -> Self {
        Self { number, broker, ingester }
    }

    /// Starts the broker.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(crate) async fn start_broker(&mut self) -> anyhow::Result<()> {
        self.broker.start().await
    }

    /// Pulls its plugs, or puts them back in. Of a whole site all is started that does not run, if nothing of it runs.
    ///
    /// # Errors
    /// What kept a part from starting, or ended it.
    pub(crate) async fn pull(&mut self, pull: Pull) -> anyhow::Result<()> {
        let (broker, ingester) = match pull.plug {
            Plug::Broker(_) => (true, false),
            Plug::Ingester(_) => (false, true),
            Plug::Site(_) => (true, true),
            Plug::Agent(_) => (false, false),
        };
        let runs = (broker && self.broker.runs()) || (ingester && self.ingester.runs());
        match (runs, pull.kills) {
            (false, _) => {
                if broker {
                    self.broker.start().await?;
                }
                if ingester {
                    self.ingester.start().await?;
                }
            }
            (true, true) => {
                if broker {
                    self.broker.kill().await;
                }
                if ingester {
                    self.ingester.kill().await;
                }
            }
            (true, false) => {
                // Its last words go through the broker.
                if ingester {
                    self.ingester.stop().await?;
                }
                if broker {
                    self.broker.stop().await?;
                }
            }
        }
        Ok(())
    }

    /// The site now.
    ///
    /// # Errors
    /// What ended a part, if one ended by itself.
    pub(crate) async fn view(&mut self) -> anyhow::Result<SiteView> {
        let (broker, ingester) = (self.broker.state().await?, self.ingester.state().await?);
        let name = self.ingester.name().to_owned();
        Ok(SiteView { site: self.number, broker, name, ingester, leads: self.ingester.leads() })
    }

    /// Stops both.
    ///
    /// # Errors
    /// The first of what went wrong; both are stopped all the same.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        let first = self.ingester.stop().await;
        first.and(self.broker.stop().await)
    }
}
