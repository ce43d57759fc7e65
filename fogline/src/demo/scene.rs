//! Everything that the demo runs: its sites and its agents, started in order, stopped in order.

use super::DemoArgs;
use super::addresses::Addresses;
use super::agents::{Agent, cast};
use super::broker::Broker;
use super::city;
use super::display::Display;
use super::entrance::Entrance;
use super::ingester::Ingester;
use super::pull::{Plug, Pull};
use super::site::Site;
use super::view::View;
use crate::city::City;
use crate::ports;
use anyhow::Context;
use std::net::SocketAddr;
use std::time::Duration;

/// The usual port of the ingester; the next one for a second site.
const HTTP_PORT: u16 = 8080;

/// How long an ingester may take until it leads or follows; then the next one is started all the same.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

/// What runs.
#[derive(Debug)]
pub(crate) struct Scene {
    sites: Vec<Site>,
    agents: Vec<Agent>,
    city: Option<City>,
    elapsed: Duration,
    // Last: its certificates are removed with it.
    entrance: Entrance,
}

impl Scene {
    /// Starts everything, and says where it is before anything happens.
    ///
    /// # Errors
    /// What kept a part from starting.
    pub(crate) async fn start(args: &DemoArgs, display: &mut Display) -> anyhow::Result<Self> {
        let entrance = Entrance::new(args.secure, args.sites)?;
        let http = (0..args.sites).map(|site| ports::preferred(HTTP_PORT + site)).collect::<Result<Vec<_>, _>>();
        let http = http.context("no free port for the ingester")?;
        display.head(&Addresses {
            brokers: entrance.urls(),
            watches: entrance.watches(),
            certificates: entrance.certificates(),
            http: http.clone(),
            data_dir: args.data_dir.display().to_string(),
            plugs: display.is_screen(),
        })?;
        let sites = sites(args, &entrance, &http)?;
        let agents = cast(&args.data_dir, &entrance, args.rate)?;
        let mut scene = Self { sites, agents, city: None, elapsed: Duration::ZERO, entrance };
        for site in &mut scene.sites {
            site.start_broker().await?;
        }
        for site in &mut scene.sites {
            site.ingester.start().await?;
            if args.sites > 1 {
                // Who has somebody to follow follows: so the first site leads, also where all of it is slow.
                site.ingester.settles(SETTLES_WITHIN).await;
            }
        }
        for agent in &mut scene.agents {
            agent.start().await?;
        }
        let api = http.first().copied().context("there is no site")?;
        scene.city = Some(city::start(&args.data_dir, &scene.entrance, api).await?);
        Ok(scene)
    }

    /// Pulls a plug, or puts it back in. One that is not there is ignored.
    ///
    /// # Errors
    /// What kept a part from starting, or ended it.
    pub(crate) async fn pull(&mut self, pull: Pull) -> anyhow::Result<()> {
        match pull.plug {
            Plug::Broker(site) | Plug::Ingester(site) | Plug::Site(site) => match self.sites.get_mut(site) {
                Some(site) => site.pull(pull).await,
                None => Ok(()),
            },
            Plug::Agent(number) => match self.agents.get_mut(number) {
                Some(agent) => agent.toggle().await,
                None => Ok(()),
            },
        }
    }

    /// Everything now.
    ///
    /// # Errors
    /// What ended a part, if one ended by itself.
    pub(crate) async fn view(&mut self, elapsed: Duration) -> anyhow::Result<View> {
        self.elapsed = elapsed;
        let mut sites = Vec::new();
        for site in &mut self.sites {
            sites.push(site.view().await?);
        }
        // The agents first: what they know to be acknowledged is in the store when it is counted.
        let mut agents = Vec::new();
        for agent in &mut self.agents {
            agents.push(agent.view().await?);
        }
        // All sites have one store.
        let first = self.sites.first_mut().context("there is no site")?;
        let stored = first.ingester.stored().await?;
        for agent in &mut agents {
            agent.stored = stored.get(&agent.agent).copied().unwrap_or(0);
            // The agent's own account is a moment older.
            agent.readings = agent.readings.max(agent.stored);
        }
        if self.city.as_ref().is_some_and(City::has_ended) {
            anyhow::bail!("a node of the city ended by itself");
        }
        Ok(View::of(elapsed.as_secs(), sites, agents, self.city.as_ref().map(city::view)))
    }

    /// Stops everything, agents first, so that they can say goodbye. Gives it as it is then.
    ///
    /// # Errors
    /// The first of what went wrong; everything is stopped all the same.
    pub(crate) async fn stop(mut self) -> anyhow::Result<View> {
        let mut first = match self.city.take() {
            Some(city) => city.stop().await,
            None => Ok(()),
        };
        for agent in &mut self.agents {
            first = first.and(agent.stop().await);
        }
        for site in &mut self.sites {
            first = first.and(site.stop().await);
        }
        first?;
        self.view(self.elapsed).await
    }
}

fn sites(args: &DemoArgs, entrance: &Entrance, http: &[SocketAddr]) -> anyhow::Result<Vec<Site>> {
    let places = entrance.brokers().zip(http).zip(0..);
    let site = |(((address, config), http), site): (((SocketAddr, _), &SocketAddr), u16)| {
        let name = if args.sites > 1 { format!("broker {}", site + 1) } else { "broker".to_owned() };
        let ingester = Ingester::new(&args.data_dir, entrance, site, *http)?;
        Ok(Site::new(site + 1, Broker::new(name, address, config), ingester))
    };
    places.map(site).collect()
}
