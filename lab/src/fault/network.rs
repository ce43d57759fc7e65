//! What a network can do to a connection, without losing bytes in the middle of it: see [`crate::proxy`].

use super::{Fault, Lesson, choose};
use crate::proxy::{Condition, Proxy};
use crate::site::Site;
use crate::{LabError, Need};

/// Which network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// Between agents and brokers.
    Edge,
    /// Between ingesters and brokers.
    Cloud,
    /// Between ingesters and their database.
    Store,
}

/// From this bit on a number chooses among brokers.
const BROKER_BITS: u32 = 16;

/// A network that does something for a while.
#[derive(Debug)]
pub(super) struct Network(pub(super) Wire, pub(super) Condition);

impl Network {
    /// The connections of those that a number chooses, and how they are called together. Of several brokers one is chosen, or all.
    fn wires<'a>(&self, site: &'a Site, which: u64) -> (Vec<&'a Proxy>, String) {
        let (links, names): (Vec<Vec<&Proxy>>, Vec<String>) = match self.0 {
            Wire::Edge => {
                let chosen = choose(&site.agents.iter().collect::<Vec<_>>(), which);
                chosen.into_iter().map(|agent| (some(&agent.links, which), agent.name.clone())).unzip()
            }
            Wire::Cloud => {
                let chosen = choose(&site.ingesters.iter().collect::<Vec<_>>(), which);
                chosen.into_iter().map(|one| (some(&one.links, which), one.program.name().to_owned())).unzip()
            }
            Wire::Store => {
                let chosen = choose(&site.ingesters.iter().collect::<Vec<_>>(), which);
                let link = |ingester: &'a crate::site::Ingester| ingester.store_link.iter().collect();
                chosen.into_iter().map(|one| (link(one), one.program.name().to_owned())).unzip()
            }
        };
        let far = match (self.0, links.first().map(Vec::len)) {
            (Wire::Store, _) => "the database".to_owned(),
            (_, Some(1)) => chosen_broker(site, which),
            _ => "the brokers".to_owned(),
        };
        (links.into_iter().flatten().collect(), format!("between {} and {far}", names.join(", ")))
    }
}

fn chosen_broker(site: &Site, which: u64) -> String {
    super::names(site, &super::parts(site, crate::site::Role::Broker, which >> BROKER_BITS))
}

/// The connections to one broker, or to all: other bits choose them than those that choose the clients.
fn some(links: &[Proxy], which: u64) -> Vec<&Proxy> {
    choose(&links.iter().collect::<Vec<_>>(), which >> BROKER_BITS)
}

impl Fault for Network {
    fn name(&self) -> &'static str {
        match (self.0, self.1) {
            (Wire::Edge, Condition::Cut) => "cut-network",
            (Wire::Edge, Condition::Slow) => "slow-network",
            (Wire::Edge, Condition::Stalled) => "stall-network",
            (Wire::Edge, _) => "half-open-network",
            (Wire::Cloud, Condition::Cut) => "cut-ingester",
            (Wire::Cloud, Condition::Slow) => "slow-ingester",
            (Wire::Cloud, Condition::Stalled) => "stall-ingester",
            (Wire::Cloud, _) => "half-open-ingester",
            (Wire::Store, Condition::Cut) => "cut-database",
            (Wire::Store, Condition::Slow) => "slow-database",
            (Wire::Store, Condition::Stalled) => "stall-database",
            (Wire::Store, _) => "half-open-database",
        }
    }

    fn lesson(&self) -> Lesson {
        match self.1 {
            Condition::Cut => Lesson {
                happens: "The network is cut: connections are reset, and new ones are refused.",
                look: "The queues on the near side fill; both sides try again, with growing pauses and jitter.",
                why: "Whatever was on its way is still in a queue: only an acknowledgement of the ingester frees a reading, and only an answer \
                      of the database lets the ingester acknowledge.",
            },
            Condition::Slow => Lesson {
                happens: "Everything arrives 200 ms later, in both directions.",
                look: "Resends, which should be few: the time to wait for an acknowledgement is measured, not guessed.",
                why: "A reading that is sent again too soon is recognised as a duplicate. It costs a little of the network, and nothing else.",
            },
            Condition::Stalled => Lesson {
                happens: "Nothing passes, and no connection ends: a dead radio link, a firewall that forgets.",
                look: "Nobody hears anything: the agents send again, one small batch every 5 seconds, and wait.",
                why: "What is late is not lost. When the network goes on, what was sent twice arrives twice and is stored once.",
            },
            Condition::HalfOpen | Condition::Open => Lesson {
                happens: "Each side believes in its connection, and all it says is swallowed: the other machine has forgotten it.",
                look: "The agent goes on sending into nothing, and keeps every reading: TCP alone would have told it that all is sent.",
                why: "Sent is not stored. Acknowledgements come from the ingester, end to end, and here none comes.",
            },
        }
    }

    fn needs(&self) -> &'static [Need] {
        if self.0 == Wire::Store { &[Need::Database] } else { &[] }
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let (wires, names) = self.wires(site, which);
        wires.into_iter().for_each(|wire| wire.set(self.1));
        let condition = match self.1 {
            Condition::Cut => "the network is cut",
            Condition::Slow => "200 ms each way",
            Condition::Stalled => "the network stalls",
            Condition::HalfOpen | Condition::Open => "half-open connections",
        };
        Ok(format!("{condition} {names}"))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        self.wires(site, which).0.into_iter().for_each(|wire| wire.set(Condition::Open));
        Ok(())
    }
}
