//! What the store does of a command, step by step, and what it answers.

use super::{Books, SimStore, Step};
use crate::sim::agenda::{Agenda, Event};
use crate::sim::bugs::Bug;
use crate::sim::options::StoreKind;
use fogline_protocol::store::{StoreAnswer, StoreCommand, StoreFault};
use fogline_protocol::time::Wall;

impl SimStore {
    pub(super) fn plan(&mut self, site: usize, now_us: u64, life: u64, agenda: &mut Agenda) {
        let Some(command) = self.desks[site].queue.front() else { return };
        let works = self.trouble.is_none() && !self.rng.percent(self.options.failure);
        let heard = !self.rng.percent(self.options.lost_reply);
        let halfway = self.rng.percent(50);
        let writes = matches!(command, StoreCommand::TakeOver(_) | StoreCommand::Adopt(_));
        let commits = matches!(command, StoreCommand::Commit(_));
        let steps: &[Step] = match (self.options.kind, self.bug) {
            _ if writes && works => &[Step::Transaction, Step::Answer(heard)],
            _ if !commits => &[Step::Answer(works)],
            (_, Some(Bug::AcknowledgeBeforeWrite)) if works => &[Step::Answer(true), Step::Points, Step::State],
            (_, Some(Bug::AcknowledgeBeforeWrite)) => &[Step::Answer(true)],
            (_, Some(Bug::ProgressApart)) if works => &[Step::State, Step::Points, Step::Answer(heard)],
            (_, Some(Bug::ProgressApart)) if halfway => &[Step::State, Step::Answer(false)],
            (StoreKind::Transactional, _) if works => &[Step::Transaction, Step::Answer(heard)],
            (StoreKind::Identity, _) if works => &[Step::Points, Step::State, Step::Answer(heard)],
            (StoreKind::Identity, _) if halfway => &[Step::Points, Step::Answer(false)],
            _ => &[Step::Answer(false)],
        };
        self.desks[site].steps.extend(steps);
        self.schedule(site, now_us, life, agenda);
    }

    pub(super) fn schedule(&mut self, site: usize, now_us: u64, life: u64, agenda: &mut Agenda) {
        let delay_us = 50 + self.rng.below(self.options.delay_us);
        agenda.at(now_us + delay_us, Event::Store(site, life));
    }

    pub(super) fn answer(
        &self,
        site: usize,
        command: &StoreCommand,
        wall: Wall,
        success: bool,
        books: &mut Books<'_>,
    ) -> StoreAnswer {
        let state = &self.states[self.state_of(site)];
        let fault = || self.trouble.clone().unwrap_or_else(|| StoreFault::Transient("no answer".to_owned()));
        if !success {
            books.coverage.count("store failed");
        }
        match command {
            StoreCommand::Commit(commit) => {
                let counts = self.report(commit, books.ledger);
                let deposed = state.last_commit.0 != commit.run && self.bug != Some(Bug::NoFence);
                if deposed && success {
                    books.coverage.count("leader deposed by the store");
                }
                let done = if deposed { Err(StoreFault::Deposed) } else { Ok(counts) };
                StoreAnswer::Committed(commit.id, if success { done } else { Err(fault()) })
            }
            StoreCommand::TakeOver(take) => {
                // Perhaps another one has taken over since.
                let ours = state.last_commit.0 == take.run;
                let recovered = if ours { Ok(self.recover(site, wall)) } else { Err(StoreFault::Deposed) };
                StoreAnswer::TakenOver(take.run, if success { recovered } else { Err(fault()) })
            }
            StoreCommand::Export(export) => {
                StoreAnswer::Exported(if success { Ok(state.export(export)) } else { Err(fault()) })
            }
            StoreCommand::Adopt(_) => StoreAnswer::Adopted(if success { Ok(()) } else { Err(fault()) }),
            StoreCommand::Recall(agent, stream) => {
                let progress = state.progress.get(&(agent.clone(), *stream)).cloned();
                let answer = if success { Ok(progress) } else { Err(fault()) };
                StoreAnswer::Recalled(agent.clone(), *stream, answer)
            }
        }
    }
}
