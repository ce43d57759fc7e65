//! Bills that wait until a follower keeps them too.

use super::leading::Lead;
use super::logging::LogWriter;
use crate::time::Monotonic;
use crate::wire::{Beat, LogPlace};

impl LogWriter {
    /// The newest commit all of whose bills are kept by a follower that keeps this much.
    fn kept(&mut self, keeps: LogPlace) -> Option<u64> {
        if keeps.lead != self.place.lead {
            return None;
        }
        let kept = self.billed.iter().take_while(|(_, entry)| *entry <= keeps.number).count();
        self.billed.drain(..kept).next_back().map(|(commit, _)| commit)
    }
}

impl Lead {
    /// A follower said how much it keeps.
    pub(super) fn follower_keeps(&mut self, beat: &Beat) {
        let keeps = beat.keeps.filter(|_| beat.in_step);
        let kept = self.log.as_mut().zip(keeps).and_then(|(log, keeps)| log.kept(keeps));
        if let Some(commit) = kept {
            self.node.kept_elsewhere(commit);
        }
    }

    /// Bills wait for followers only while there is one that keeps a ledger of its own.
    pub(super) fn mind_standby(&mut self, now: Monotonic) {
        let standby = self.standbys(now) > 0;
        self.node.stands_by(standby);
        if !standby && let Some(log) = &mut self.log {
            log.billed.clear();
        }
    }
}
