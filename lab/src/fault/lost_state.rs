//! The ingester's own files are gone, and the database is not: its disk was replaced, or it was set up anew elsewhere.

use super::{Fault, Lesson};
use crate::site::{Role, Site};
use crate::{LabError, Need, books};

/// An ingester loses its state.
#[derive(Debug)]
pub(super) struct LostState;

impl Fault for LostState {
    fn name(&self) -> &'static str {
        "lost-state"
    }

    fn lesson(&self) -> Lesson {
        Lesson {
            happens: "The ingester dies, and its files are gone when it comes back: it knows no stream, no progress and no decision.",
            look: "How it goes on at once, and that limits have a higher term than before.",
            why: "Each agent says the oldest number that it still has (its floor), and the ingester begins there. What was stored and is sent \
                  again is the same point. Terms begin above the highest that the agents have seen, so that no limit is refused as old.",
        }
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Database]
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let parts = super::parts(site, Role::Ingester, which);
        for part in &parts {
            site.kill(*part)?;
            let Some(folder) = site.ingesters.get(part.index).map(|ingester| ingester.folder.clone()) else { continue };
            // What is known of decisions, gaps and dead letters would be gone with it.
            let known = books::read(&site.database.books(&folder))?;
            site.past.merge(known);
            let path = site.database.books(&folder);
            for end in ["", "-wal", "-shm"] {
                let mut name = path.clone().into_os_string();
                name.push(end);
                // Not all of them are always there.
                std::fs::remove_file(name).ok();
            }
        }
        Ok(format!("SIGKILL for {}, and its files are gone", super::names(site, &parts)))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        super::parts(site, Role::Ingester, which).into_iter().try_for_each(|part| site.restart(part))
    }
}
