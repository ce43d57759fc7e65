//! What the states of two ingesters tell each other.

use super::checks::Check;
use super::store::{Books, FoldKey, SimStore, State};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{AverageRow, DecisionRow, Export, Fold, Page, Progress, ProgressRow, Rows, StatusRow};

/// Rows of one page: few, so that there are many pages.
const PAGE_ROWS: usize = 7;

impl State {
    /// The rows that are asked for, as they are now.
    pub(super) fn export(&self, export: &Export) -> Page {
        match export {
            Export::Named { streams, windows } => {
                let progress = streams.iter().filter_map(|at| self.progress_row(at)).collect();
                let averages = windows.iter().filter_map(|fold| self.average_row(&key(fold))).collect();
                Page { rows: Rows { term: self.term, progress, averages, ..Rows::default() }, next: None }
            }
            Export::Page { after } => self.page(after.as_deref().and_then(|after| after.parse().ok()).unwrap_or(0)),
        }
    }

    /// Rows by their place among all. New ones may move the others: those are said again as entries.
    fn page(&self, from: usize) -> Page {
        let progress = self.progress.keys().filter_map(|at| self.progress_row(at));
        let averages = self.folds.keys().filter_map(|at| self.average_row(at));
        let mut rows = Rows {
            term: self.term,
            progress: progress.collect(),
            averages: averages.collect(),
            decisions: self.decisions.values().map(DecisionRow::new).collect(),
            statuses: self.statuses.values().map(StatusRow::new).collect(),
            directives: self.directives.values().cloned().collect(),
            ..Rows::default()
        };
        let count = rows.len();
        let mut index = 0;
        let until = from + PAGE_ROWS;
        let mut within = || {
            index += 1;
            (from..until).contains(&(index - 1))
        };
        rows.progress.retain(|_| within());
        rows.averages.retain(|_| within());
        rows.decisions.retain(|_| within());
        rows.statuses.retain(|_| within());
        rows.directives.retain(|_| within());
        Page { rows, next: (until < count).then(|| until.to_string()) }
    }

    fn progress_row(&self, at: &(AgentId, StreamId)) -> Option<ProgressRow> {
        let progress = self.progress.get(at)?;
        Some(ProgressRow::new(&at.0, at.1, progress.clone(), Vec::new()))
    }

    fn average_row(&self, at: &FoldKey) -> Option<AverageRow> {
        let aggregate = *self.folds.get(at)?;
        let (scope, kind, field, width_s, start) = at.clone();
        Some(AverageRow::new(&Fold { scope, kind, field, width_s, start, aggregate }))
    }
}

fn key(fold: &Fold) -> FoldKey {
    (fold.scope.clone(), fold.kind, fold.field, fold.width_s, fold.start)
}

impl SimStore {
    /// Rows of the leader take the place of a follower's.
    pub(super) fn adopt(&mut self, at: usize, rows: &Rows, books: &mut Books<'_>) -> Check {
        books.coverage.count("rows adopted");
        let state = &mut self.states[at];
        state.term = state.term.max(rows.term);
        for row in &rows.progress {
            books.ledger.adopted(row, at)?;
            let progress = Progress { through: row.through, ranges: row.ranges.clone() };
            state.progress.insert((row.owner.clone().into(), row.stream), progress);
        }
        for fold in rows.averages.iter().cloned().filter_map(AverageRow::fold) {
            state.folds.insert(key(&fold), fold.aggregate);
        }
        for record in rows.decisions.iter().cloned().map(DecisionRow::record) {
            books.limits.adopted(&record, at);
            state.decisions.insert((record.agent.clone(), record.decision.key.clone()), record);
        }
        rows.directives.iter().for_each(|directive| state.keep(directive));
        for status in rows.statuses.iter().cloned().map(StatusRow::status) {
            state.statuses.insert(status.agent.clone(), status);
        }
        Ok(())
    }
}
