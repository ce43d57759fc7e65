//! A process dies at once, as at a crash or when the power goes: SIGKILL.

use super::{Fault, Lesson, names, parts};
use crate::site::{Role, Site};
use crate::{LabError, Need};

/// Kills processes of a kind, and starts them again.
#[derive(Debug)]
pub(super) struct Kill(pub(super) Role);

impl Fault for Kill {
    fn name(&self) -> &'static str {
        match self.0 {
            Role::Agent => "kill-agent",
            Role::Broker => "kill-broker",
            Role::Ingester => "kill-ingester",
            Role::Database => "kill-database",
        }
    }

    fn lesson(&self) -> Lesson {
        match self.0 {
            Role::Agent => Lesson {
                happens: "The agent dies without a word. The sensor has nobody to tell for a while; the agent's queue lies on the disk.",
                look: "The queue after the restart: it holds what was not acknowledged, and drains within moments.",
                why: "A reading is accepted when it is in the queue, and sent only after that. Nothing that was accepted was only in memory. \
                      What the ingester had stored and not yet acknowledged is sent again, and recognised by stream and number.",
            },
            Role::Broker => Lesson {
                happens: "The broker dies, and with it every message that it had taken: it keeps them in memory only.",
                look: "The queues fill while it is gone. Readings that the broker had acknowledged to the agents are still in them.",
                why: "A PUBACK says that the broker has a message, not that the database has. Here it frees nothing: an agent forgets a \
                      reading when the ingester says that it is stored.",
            },
            Role::Ingester => Lesson {
                happens: "The ingester dies, perhaps between writing readings and acknowledging them.",
                look: "Stored, and duplicates: agents send again what was not acknowledged, and no reading is stored twice.",
                why: "Readings and the progress of their streams are one transaction, or the same point written once more. A restarted \
                      ingester knows what it has, and acknowledges it again.",
            },
            Role::Database => Lesson {
                happens: "The database dies. The ingester has readings that nobody takes.",
                look: "The agents hear `store_down`, and wait: silence would mean that the ingester is dead, and this is not silence.",
                why: "Nothing is acknowledged that the database has not taken. The ingester tries again; the agents keep what they have.",
            },
        }
    }

    fn needs(&self) -> &'static [Need] {
        if self.0 == Role::Database { &[Need::DurableDatabase] } else { &[] }
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let parts = parts(site, self.0, which);
        let names = names(site, &parts);
        parts.into_iter().try_for_each(|part| site.kill(part))?;
        Ok(format!("SIGKILL for {names}"))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        parts(site, self.0, which).into_iter().try_for_each(|part| site.restart(part))
    }
}
