//! The wall clock is set, forth or back, and set right again: see [`crate::clock`].

use super::{Fault, Lesson, choose};
use crate::clock::FakeClock;
use crate::site::{Role, Site};
use crate::{LabError, Need};

/// How far it is set, in seconds: an hour, as when summer time is taken for a time of its own.
const HOUR_S: i64 = 3600;

/// The clock of a program of this kind.
#[derive(Debug)]
pub(super) struct SetClock(pub(super) Role);

impl SetClock {
    fn clocks<'a>(&self, site: &'a Site, which: u64) -> Vec<(Option<&'a FakeClock>, String)> {
        // The lowest bit says in which direction.
        let which = which / 2;
        if self.0 == Role::Agent {
            let chosen = choose(&site.agents.iter().collect::<Vec<_>>(), which);
            chosen.into_iter().map(|agent| (agent.clock.as_ref(), agent.name.clone())).collect()
        } else {
            let chosen = choose(&site.ingesters.iter().collect::<Vec<_>>(), which);
            chosen.into_iter().map(|one| (one.clock.as_ref(), one.program.name().to_owned())).collect()
        }
    }

    fn set(&self, site: &Site, which: u64, seconds: i64) -> Result<(), LabError> {
        let clocks = self.clocks(site, which);
        clocks.into_iter().try_for_each(|(clock, _)| clock.map_or(Ok(()), |clock| clock.set(seconds)))
    }
}

impl Fault for SetClock {
    fn name(&self) -> &'static str {
        if self.0 == Role::Agent { "clock-agent" } else { "clock-ingester" }
    }

    fn lesson(&self) -> Lesson {
        if self.0 == Role::Agent {
            Lesson {
                happens: "The agent's clock is wrong by an hour, and then right again.",
                look: "The times of its readings, and the limits: readings from the future must not close windows for all others.",
                why: "Stream and number tell readings apart, not their times; a clock that went back is a new `clock` of the stream, so that \
                      two readings are never one point.",
            }
        } else {
            Lesson {
                happens: "The ingester's clock is wrong by an hour, and then right again.",
                look: "Limits: windows close by this clock, so that they may pause. Readings are stored all the same.",
                why: "Storing asks no clock. Decisions expire by the agent's own monotonic clock, counted from their receipt.",
            }
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::FakeTime]
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let seconds = if which.is_multiple_of(2) { HOUR_S } else { -HOUR_S };
        self.set(site, which, seconds)?;
        let clocks = self.clocks(site, which);
        let names: Vec<&str> = clocks.iter().map(|(_, name)| name.as_str()).collect();
        Ok(format!("{} clock is set by {:+} h", names.join("'s and ") + "'s", seconds / HOUR_S))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        self.set(site, which, 0)
    }
}
