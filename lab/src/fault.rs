//! What can be done to a site: one entry here, one small type in a file below, for each.

mod clock;
mod disk;
mod kill;
mod lost_state;
mod network;
mod packets;
mod pause;
mod power;
mod queue_file;
mod sites;

use crate::namespace::Cable;
use crate::proxy::Condition;
use crate::site::{Part, Role, Site};
use crate::{LabError, Need};
use network::Wire;

/// A fault: what it does, how it is undone, and what there is to learn from it.
pub(crate) trait Fault: Sync + std::fmt::Debug {
    /// What it is called, also as a lesson: `kill-broker`.
    fn name(&self) -> &'static str;

    /// What is learnt from it.
    fn lesson(&self) -> Lesson;

    /// What it needs beyond processes and proxies.
    fn needs(&self) -> &'static [Need] {
        &[]
    }

    /// Whether it changes what is on a disk behind the back of its owner.
    fn changes_disk(&self) -> bool {
        false
    }

    /// Whether a process may end by itself while it lasts, and be started again by whoever looks after it.
    fn may_end(&self, _role: Role) -> bool {
        false
    }

    /// Strikes one of its targets; `which` is a number without a bound. Gives what was struck, for a person.
    ///
    /// # Errors
    /// What kept it from it.
    fn strike(&self, site: &mut Site, which: u64) -> Result<String, LabError>;

    /// Undoes it, with the same `which`. What is started is not waited for.
    ///
    /// # Errors
    /// What kept it from it.
    fn heal(&self, site: &mut Site, which: u64) -> Result<(), LabError>;
}

/// What there is to learn from a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lesson {
    /// What is done, and what happens.
    pub(crate) happens: &'static str,
    /// What to look at meanwhile.
    pub(crate) look: &'static str,
    /// Why nothing is lost.
    pub(crate) why: &'static str,
}

/// All faults, in the order that schedules mean: what is added comes last, or recorded seeds mean something else.
pub(crate) static ALL: &[&dyn Fault] = &[
    &kill::Kill(Role::Agent),
    &kill::Kill(Role::Broker),
    &kill::Kill(Role::Ingester),
    &pause::Pause(Role::Agent),
    &pause::Pause(Role::Broker),
    &pause::Pause(Role::Ingester),
    &power::PowerCut,
    &network::Network(Wire::Edge, Condition::Cut),
    &network::Network(Wire::Edge, Condition::Slow),
    &network::Network(Wire::Edge, Condition::Stalled),
    &network::Network(Wire::Edge, Condition::HalfOpen),
    &network::Network(Wire::Cloud, Condition::Cut),
    &network::Network(Wire::Cloud, Condition::Slow),
    &network::Network(Wire::Cloud, Condition::Stalled),
    &network::Network(Wire::Cloud, Condition::HalfOpen),
    &disk::DiskFull(Role::Agent),
    &disk::DiskFull(Role::Ingester),
    &clock::SetClock(Role::Agent),
    &clock::SetClock(Role::Ingester),
    &kill::Kill(Role::Database),
    &pause::Pause(Role::Database),
    &network::Network(Wire::Store, Condition::Cut),
    &network::Network(Wire::Store, Condition::Slow),
    &network::Network(Wire::Store, Condition::Stalled),
    &network::Network(Wire::Store, Condition::HalfOpen),
    &disk::DiskFull(Role::Database),
    &lost_state::LostState,
    &packets::Packets(Cable::Lossy),
    &packets::Packets(Cable::Dead),
    &queue_file::OldQueue,
    &queue_file::CutQueue,
    &sites::KillSite,
    &sites::SplitSites,
];

/// The fault called `name`.
///
/// # Errors
/// [`LabError::Options`] when there is none.
pub(crate) fn find(name: &str) -> Result<&'static dyn Fault, LabError> {
    ALL.iter().copied().find(|fault| fault.name() == name).ok_or_else(|| {
        LabError::Options(format!("there is no fault {name:?}: `fogline lab list` shows those that there are"))
    })
}

/// One of some, or all of them when there are several: a number without a bound chooses.
fn choose<T: Clone>(from: &[T], which: u64) -> Vec<T> {
    let count = u64::try_from(from.len()).unwrap_or(u64::MAX);
    let choices = if count > 1 { count + 1 } else { count };
    let chosen = which.checked_rem(choices).and_then(|index| from.get(usize::try_from(index).ok()?));
    chosen.map_or_else(|| from.to_vec(), |one| vec![one.clone()])
}

/// The processes of a kind that a number chooses.
fn parts(site: &Site, role: Role, which: u64) -> Vec<Part> {
    choose(&site.parts(role), which)
}

/// Their names.
fn names(site: &Site, parts: &[Part]) -> String {
    parts.iter().map(|part| site.name(*part)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_given_once_and_found() {
        let names: BTreeSet<&str> = ALL.iter().map(|fault| fault.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for name in names {
            assert_eq!(find(name).unwrap().name(), name);
        }
        assert!(find("no-such-fault").is_err());
    }

    #[test]
    fn each_target_is_chosen_and_all_together_too() {
        let chosen: BTreeSet<Vec<u8>> = (0..4).map(|which| choose(&[1, 2, 3], which)).collect();
        assert_eq!(chosen, BTreeSet::from([vec![1], vec![2], vec![3], vec![1, 2, 3]]));
        assert_eq!(choose(&[1], 17), [1]);
        assert!(choose::<u8>(&[], 3).is_empty());
    }
}
