//! What can happen to a queue's file on its disk: an older copy of it comes back, or a part of it is gone.

use super::{Fault, Lesson};
use crate::proxy::Condition;
use crate::site::{Agent, Site};
use crate::{LabError, queue};
use fogline_protocol::rng::Rng;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Where the older copy waits, in the folder of the run.
const COPIES: &str = "copies";

/// A copy of the queue is taken, and put back when the agent has gone on for a while.
#[derive(Debug)]
pub(super) struct OldQueue;

/// The queue's file ends too early.
#[derive(Debug)]
pub(super) struct CutQueue;

/// One agent: more at once would teach nothing more.
fn chosen(site: &mut Site, which: u64) -> Option<&mut Agent> {
    let count = u64::try_from(site.agents.len()).unwrap_or(u64::MAX);
    let index = usize::try_from(which.checked_rem(count)?).ok()?;
    site.agents.get_mut(index)
}

fn copy_of(place: &Path, agent: &Agent) -> PathBuf {
    place.join(COPIES).join(&agent.name)
}

/// Removes a queue's files: also what SQLite keeps beside them, which belongs to the queue that was there.
fn remove(folder: &Path) -> Result<(), LabError> {
    for name in queue::FILES.iter().copied().chain(["queue.db-shm"]) {
        let path = folder.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(LabError::file(&path, &error)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Notes the readings of a queue that are not in `kept` too: nobody but the store may have them now.
fn destroy_all_but(agent: &mut Agent, kept: &[u64]) -> Result<(), LabError> {
    let kept: BTreeSet<u64> = kept.iter().copied().collect();
    let waiting = queue::read(&agent.folder)?.waiting;
    waiting.into_iter().filter(|number| !kept.contains(number)).for_each(|number| agent.ledger.destroy(number));
    Ok(())
}

/// Cuts the database or its log at a random byte: one loses pages, the other the last commits.
fn cut(folder: &Path, rng: &mut Rng) -> Result<(), LabError> {
    let files: Vec<PathBuf> = queue::FILES.iter().map(|name| folder.join(name)).filter(|path| path.exists()).collect();
    let chosen = usize::from(rng.percent(50)).min(files.len().saturating_sub(1));
    let Some(path) = files.get(chosen) else { return Ok(()) };
    let failed = |error: std::io::Error| LabError::file(path, &error);
    let length = std::fs::metadata(path).map_err(failed)?.len();
    File::options().write(true).open(path).and_then(|file| file.set_len(rng.below(length))).map_err(failed)
}

impl Fault for OldQueue {
    fn name(&self) -> &'static str {
        "old-queue"
    }

    fn lesson(&self) -> Lesson {
        Lesson {
            happens: "A copy of the agent's queue is taken, and put in the queue's place some seconds later, as a backup or a snapshot would be. \
                      What was queued in between is gone with the disk that held it.",
            look: "The column `destroyed`, and duplicates: readings in the copy that were stored long ago are sent once more.",
            why: "Numbers that the old copy gives again are in a new stream: each opening of a queue begins one. So the progress of the old \
                  stream swallows nothing, and what is sent again is recognised.",
        }
    }

    fn changes_disk(&self) -> bool {
        true
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let place = site.folder().to_owned();
        let Some(agent) = chosen(site, which) else { return Ok(String::new()) };
        let copy = copy_of(&place, agent);
        agent.kill()?;
        std::fs::create_dir_all(&copy).map_err(|error| LabError::file(&copy, &error))?;
        remove(&copy)?;
        queue::copy_into(&agent.folder, &copy).map_err(|error| LabError::file(&copy, &error))?;
        agent.start()?;
        Ok(format!("{} is killed, its queue is copied, and it goes on", agent.name))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        let place = site.folder().to_owned();
        let Some(agent) = chosen(site, which) else { return Ok(()) };
        let copy = copy_of(&place, agent);
        agent.kill()?;
        let kept = queue::read(&copy)?.waiting;
        destroy_all_but(agent, &kept)?;
        remove(&agent.folder)?;
        queue::copy_into(&copy, &agent.folder).map_err(|error| LabError::file(&agent.folder, &error))?;
        agent.start()?;
        let name = agent.name.clone();
        site.forgetful.push(name);
        Ok(())
    }
}

impl Fault for CutQueue {
    fn name(&self) -> &'static str {
        "cut-queue"
    }

    fn lesson(&self) -> Lesson {
        Lesson {
            happens: "The agent's queue fills; then the agent dies, and the file ends at a random byte: a file system that had a bad day.",
            look: "The file that the agent puts aside, its log, and the columns `dropped` and `destroyed`.",
            why: "Damage costs the readings that were on the damaged pages and not stored yet, no more: they are counted and reported as gaps, \
                  and the agent goes on.",
        }
    }

    fn changes_disk(&self) -> bool {
        true
    }

    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError> {
        let Some(agent) = chosen(site, which) else { return Ok(String::new()) };
        // An empty queue has nothing to lose.
        agent.links.iter().for_each(|link| link.set(Condition::Stalled));
        Ok(format!("{}'s network stalls, so that its queue fills; then it is killed, and the file cut", agent.name))
    }

    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError> {
        let Some(agent) = chosen(site, which) else { return Ok(()) };
        agent.kill()?;
        destroy_all_but(agent, &[])?;
        cut(&agent.folder, &mut Rng::new(which))?;
        agent.links.iter().for_each(|link| link.set(Condition::Open));
        agent.start()?;
        let name = agent.name.clone();
        site.forgetful.push(name);
        Ok(())
    }
}
