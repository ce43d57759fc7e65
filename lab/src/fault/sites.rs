//! What takes two sites: one of them dies, or they lose sight of each other.

use super::{Fault, Lesson, choose, names};
use crate::proxy::{Condition, Proxy};
use crate::site::{Part, Role, Site};
use crate::{LabError, Need};

/// A broker and its ingester die together.
#[derive(Debug)]
pub(super) struct KillSite;

/// Each ingester reaches its own broker only; agents reach all.
#[derive(Debug)]
pub(super) struct SplitSites;

/// Broker and ingester of a site. Never all sites: then there would be none to take over.
fn site_of(site: &Site, which: u64) -> Vec<Part> {
    let indices: Vec<usize> = (0..site.brokers.len()).collect();
    let chosen = choose(&indices, which);
    let index = chosen.first().copied().unwrap_or(0);
    [Role::Broker, Role::Ingester].into_iter().map(|role| Part { role, index }).collect()
}

impl Fault for KillSite {
    fn name(&self) -> &'static str {
        "kill-site"
    }

    fn lesson(&self) -> Lesson {
        Lesson {
            happens: "A whole site dies: its broker and its ingester.",
            look: "How long it takes until the agents are heard at the other site, and whose term the next limits have.",
            why: "The other ingester takes the lead when the lease has run out, with a higher term, and knows the progress of all streams. \
                  The agents go to the next broker of their list and send what is not acknowledged.",
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sites]
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let parts = site_of(site, which);
        let names = names(site, &parts);
        parts.into_iter().try_for_each(|part| site.kill(part))?;
        Ok(format!("SIGKILL for {names}"))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        site_of(site, which).into_iter().try_for_each(|part| site.restart(part))
    }
}

/// The connections of ingesters to brokers of other sites.
fn between(site: &Site) -> impl Iterator<Item = &Proxy> {
    let of = |(index, ingester): (usize, &'_ crate::site::Ingester)| (index, ingester.links.len());
    let pairs = site.ingesters.iter().enumerate().map(of);
    let others = pairs.flat_map(|(index, count)| {
        (0..count).filter(move |broker| *broker != index).map(move |broker| (index, broker))
    });
    others.filter_map(|(index, broker)| site.ingesters.get(index)?.links.get(broker))
}

impl Fault for SplitSites {
    fn name(&self) -> &'static str {
        "split-sites"
    }

    fn lesson(&self) -> Lesson {
        Lesson {
            happens: "The sites lose sight of each other: each ingester reaches its own broker only. Both live, and so does the store.",
            look: "Terms: two ingesters may lead for a moment, and an agent never goes back to a limit of the older one.",
            why: "Election gives liveness, and not safety: what keeps the data right are writes that may happen twice, terms in each \
                  transaction, and agents that refuse what is older.",
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sites]
    }

    fn strike(&self, site: &mut Site, _which: u64) -> Result<String, LabError> {
        between(site).for_each(|link| link.set(Condition::Cut));
        let ingesters = site.parts(Role::Ingester);
        Ok(format!("{} and the others' brokers are cut off from each other", names(site, &ingesters)))
    }

    fn heal(&self, site: &mut Site, _which: u64) -> Result<(), LabError> {
        between(site).for_each(|link| link.set(Condition::Open));
        Ok(())
    }
}
