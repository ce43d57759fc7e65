//! The power goes: everything dies at the same moment. What the system had not written yet is not lost with it, as it would be on a
//! real machine: for that there is the simulator.

use super::{Fault, Lesson};
use crate::LabError;
use crate::site::{Role, Site};

/// Kills agents, brokers and ingesters together.
#[derive(Debug)]
pub(super) struct PowerCut;

impl Fault for PowerCut {
    fn name(&self) -> &'static str {
        "power-cut"
    }

    fn lesson(&self) -> Lesson {
        Lesson {
            happens: "All agents, brokers and ingesters die at the same moment, and come back together.",
            look: "Everybody connects at once, says which streams it has, and is told what of them is stored.",
            why: "Every step waits for the one before: appended before sent, stored before acknowledged, acknowledged before forgotten. \
                  Wherever the power goes, the step after it is done again.",
        }
    }

    fn strike(&self, site: &mut Site, _which: u64) -> Result<String, LabError> {
        for role in [Role::Agent, Role::Ingester, Role::Broker] {
            site.parts(role).into_iter().try_for_each(|part| site.kill(part))?;
        }
        Ok("SIGKILL for all agents, brokers and ingesters".to_owned())
    }

    fn heal(&self, site: &mut Site, _which: u64) -> Result<(), LabError> {
        site.all().into_iter().try_for_each(|part| site.restart(part))
    }
}
