//! A disk without room: see [`crate::small_disk`].

use super::{Fault, Lesson, choose};
use crate::site::{Role, Site};
use crate::small_disk::SmallDisk;
use crate::{LabError, Need};

/// What is left of a database's disk. VictoriaMetrics takes nothing more when 10 MB are left, so that it can write down what it has
/// taken; a disk that is full at once makes it end, and lose that.
const DATABASE_LEFT_BYTES: u64 = 6 << 20;

/// The disk of a program of this kind is full for a while.
#[derive(Debug)]
pub(super) struct DiskFull(pub(super) Role);

impl DiskFull {
    /// The disks that a number chooses, and whose they are.
    fn disks<'a>(&self, site: &'a Site, which: u64) -> Vec<(Option<&'a SmallDisk>, String)> {
        match self.0 {
            Role::Agent => {
                let chosen = choose(&site.agents.iter().collect::<Vec<_>>(), which);
                chosen.into_iter().map(|agent| (agent.disk.as_ref(), agent.name.clone())).collect()
            }
            Role::Broker | Role::Ingester => {
                let with_disk = site.ingesters.iter().filter(|one| one.disk.is_some());
                let chosen = choose(&with_disk.collect::<Vec<_>>(), which);
                chosen.into_iter().map(|one| (one.disk.as_ref(), one.program.name().to_owned())).collect()
            }
            Role::Database => vec![(site.database.disk(), "the database".to_owned())],
        }
    }
}

impl Fault for DiskFull {
    fn name(&self) -> &'static str {
        match self.0 {
            Role::Agent => "disk-full",
            Role::Broker | Role::Ingester => "disk-full-ingester",
            Role::Database => "disk-full-database",
        }
    }

    fn lesson(&self) -> Lesson {
        match self.0 {
            Role::Agent => Lesson {
                happens: "The disk under the agent's queue is full: nothing more can be appended.",
                look: "The agent's status names the fault. Its source waits, and nothing that is not in the queue is sent.",
                why: "A reading is accepted when it is in the queue, and these are not: they are the sensor's still. When there is room the \
                      agent goes on where it stood.",
            },
            Role::Broker | Role::Ingester => Lesson {
                happens: "The disk under the ingester's files is full: no transaction can be committed.",
                look: "The ingester says `store_down` to the agents and answers 503 on /readyz; it does not die.",
                why: "What is not committed is not acknowledged. The agents keep it and send it again.",
            },
            Role::Database => Lesson {
                happens: "The disk under the database is full: it refuses writes.",
                look: "The ingester tries again and again; nothing becomes a dead letter for want of room.",
                why: "No answer, or an error that can pass, acknowledges nothing.",
            },
        }
    }

    fn needs(&self) -> &'static [Need] {
        if self.0 == Role::Database { &[Need::SmallDisk, Need::ToughDatabase] } else { &[Need::SmallDisk] }
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let disks = self.disks(site, which);
        let left = if self.0 == Role::Database { DATABASE_LEFT_BYTES } else { 0 };
        disks.iter().try_for_each(|(disk, _)| disk.map_or(Ok(()), |disk| disk.fill(left)))?;
        let names: Vec<&str> = disks.iter().map(|(_, name)| name.as_str()).collect();
        Ok(format!("no room left on the disk of {}", names.join(", ")))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        for (disk, _) in self.disks(site, which) {
            if let Some(disk) = disk {
                disk.free();
            }
        }
        Ok(())
    }
}
