//! What happens to packets on a real network: see [`crate::namespace`].

use super::{Fault, Lesson};
use crate::namespace::Cable;
use crate::site::Site;
use crate::{LabError, Need};

/// The cable between edge and cloud loses packets.
#[derive(Debug)]
pub(super) struct Packets(pub(super) Cable);

impl Fault for Packets {
    fn name(&self) -> &'static str {
        if self.0 == Cable::Lossy { "lossy-network" } else { "dead-network" }
    }

    fn lesson(&self) -> Lesson {
        if self.0 == Cable::Lossy {
            Lesson {
                happens: "One packet of ten is lost, in each direction: a bad radio link. TCP sends it again, later and later.",
                look: "The time until readings are stored, which grows; resends, which hardly do.",
                why: "TCP repairs the loss, and the agents' patience is measured by what they see. What is sent again all the same is \
                      recognised.",
            }
        } else {
            Lesson {
                happens: "Every packet vanishes, and nobody says so: the cable is pulled, or a firewall drops.",
                look: "How long it takes until both sides notice: nothing is refused, there is only silence.",
                why: "A connection that is still open proves nothing, and neither does a write that succeeded. Readings stay until they \
                      are acknowledged.",
            }
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Namespaces]
    }

    fn strike(&self, site: &mut Site, _which: u64) -> Result<String, LabError> {
        site.namespaces.as_ref().map_or(Ok(()), |spaces| spaces.set(self.0))?;
        let what = if self.0 == Cable::Lossy { "one packet of ten is lost" } else { "all packets are lost" };
        Ok(format!("{what} between edge and cloud"))
    }

    fn heal(&self, site: &mut Site, _which: u64) -> Result<(), LabError> {
        site.namespaces.as_ref().map_or(Ok(()), |spaces| spaces.set(Cable::Whole))
    }
}
