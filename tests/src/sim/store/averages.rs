//! Whether the stored averages hold each reading once.

use super::SimStore;
use crate::sim::checks::{Check, require};
use crate::sim::ledger::Ledger;
use crate::sim::options::StoreKind;
use fogline_protocol::clock::SET_FROM;
use fogline_protocol::time::Wall;
use fogline_protocol::window::{DECISION_WIDTH_S, Scope, window_start};
use std::collections::BTreeMap;

impl SimStore {
    /// Each reading counts once in the stored averages of its agent, whenever it came. Where points are written before the
    /// state, one may lie there that left its disk before it was sent again, dropped or with the disk: the state may count it
    /// or not.
    ///
    /// # Errors
    /// A window holds another number of readings.
    pub fn averages_are_complete(&self, site: usize, ledger: &Ledger) -> Check {
        // A follower may lack the averages of what its leader did last.
        let shared = self.states.len() == 1 || self.options.kind == StoreKind::Transactional;
        if self.state_was_lost || self.taken_out_of_step {
            return Ok(());
        }
        let mut counts: BTreeMap<(usize, Wall), (u64, u64)> = BTreeMap::new();
        for ((agent, _), book) in &ledger.streams {
            let written = book.rows.iter().filter(|(seq, _)| book.stored.contains(**seq) || book.dead.contains(**seq));
            for (seq, row) in written.filter(|(_, row)| row.speed_kmh.is_some()) {
                let ts = book.times.get(seq).copied().unwrap_or(row.ts);
                // Readings of a clock that was not set are in no average.
                if ts < SET_FROM {
                    continue;
                }
                let (least, most) = counts.entry((*agent, window_start(ts, DECISION_WIDTH_S))).or_default();
                *least += u64::from(shared && !book.gaps.contains(*seq) && !book.perished.contains(*seq));
                *most += 1;
            }
        }
        let speeds =
            self.states[self.state_of(site)].folds.iter().filter_map(|((scope, _, field, width_s, start), values)| {
                match scope {
                    Scope::Agent(id) if *field == "speed_kmh" && *width_s == DECISION_WIDTH_S => {
                        Some(((ledger.agent(id), *start), values.n))
                    }
                    Scope::Agent(_) | Scope::Region(_) | Scope::Group(_) => None,
                }
            });
        let averaged: BTreeMap<(usize, Wall), u64> = speeds.collect();
        let unwritten = averaged.keys().find(|window| !counts.contains_key(window));
        require(unwritten.is_none(), || format!("MISCOUNTED: nothing was stored for {unwritten:?}"))?;
        for (window, (least, most)) in counts {
            let n = averaged.get(&window).copied().unwrap_or(0);
            require((least..=most).contains(&n), || {
                format!("MISCOUNTED: for {window:?} {n} readings are averaged, {least} to {most} are stored")
            })?;
        }
        Ok(())
    }
}
