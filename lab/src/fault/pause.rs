//! A process is held for a while and knows nothing of it: SIGSTOP and SIGCONT. As on a machine that swaps, or a virtual one that is
//! moved.

use super::{Fault, Lesson, names, parts};
use crate::site::{Role, Site};
use crate::{LabError, Need};

/// Holds processes of a kind, and lets them go on.
#[derive(Debug)]
pub(super) struct Pause(pub(super) Role);

impl Fault for Pause {
    fn name(&self) -> &'static str {
        match self.0 {
            Role::Agent => "pause-agent",
            Role::Broker => "pause-broker",
            Role::Ingester => "pause-ingester",
            Role::Database => "pause-database",
        }
    }

    fn lesson(&self) -> Lesson {
        match self.0 {
            Role::Agent => Lesson {
                happens: "The agent stands still. Its sensor's readings wait in the pipe; the broker sees a client that says nothing.",
                look: "What the agent stores when it goes on: all that waited, in its order.",
                why: "Its timers are of a monotonic clock, and what is late is sent again. What it was told meanwhile it takes as what it is: old.",
            },
            Role::Broker => Lesson {
                happens: "The broker stands still. Its connections stay open, and nothing comes through.",
                look: "Resends: agents send again after the bound of the measured round trip, and back off to one small batch every 5 seconds.",
                why: "When it goes on everything arrives, some of it twice. A duplicate is acknowledged and not stored.",
            },
            Role::Ingester => Lesson {
                happens: "The ingester stands still, and thinks afterwards that no time has passed.",
                look: "Decisions: an old one that was on its way must not replace a newer one.",
                why: "Every decision has a term and a number, and an agent never goes back. Readings wait in the queues.",
            },
            Role::Database => Lesson {
                happens: "The database stands still: connections are accepted, and no answer comes.",
                look: "The ingester stays reachable, and says `store_down` to the agents after its time-out.",
                why: "A write that has not been answered has not happened, as far as anybody knows: it is written again, as the same points.",
            },
        }
    }

    fn needs(&self) -> &'static [Need] {
        if self.0 == Role::Database { &[Need::Database] } else { &[] }
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let parts = parts(site, self.0, which);
        for part in &parts {
            if let Some(program) = site.program(*part) {
                program.hold();
            }
        }
        Ok(format!("SIGSTOP for {}", names(site, &parts)))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        for part in parts(site, self.0, which) {
            if let Some(program) = site.program(part) {
                program.let_go();
            }
        }
        Ok(())
    }
}
