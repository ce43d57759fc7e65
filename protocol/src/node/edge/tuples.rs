//! The newest readings as a person looks at them: what each says, and how far it has come.

use super::EdgeNode;
use crate::delivery::ranges::Range;
use crate::delivery::sender::Progress;
use crate::ids::Seq;
use crate::queue::{Append, Appended};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many are kept: more than fit on a screen, and with the longest readings less than a megabyte.
pub const TUPLES_MAX: usize = 100;

/// A reading that was queued since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuple {
    /// Its number.
    pub seq: Seq,
    /// It, as it was queued.
    pub json: String,
    /// How far it has come.
    pub state: TupleState,
}

/// How far a reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TupleState {
    /// In the queue: it waits to be sent, or to be sent again.
    New,
    /// On its way.
    Sent,
    /// In the store.
    Acknowledged,
    /// It had to give way in a full queue, or a person dropped it.
    Dropped,
}

/// The rows of the last appends. Their memory is used again and again.
#[derive(Debug, Default)]
pub(super) struct Tuples(VecDeque<Row>);

#[derive(Debug, Default)]
struct Row {
    seq: Seq,
    json: Vec<u8>,
    dropped: bool,
}

impl Tuples {
    /// `append` is durable.
    pub(super) fn appended(&mut self, append: &Append, done: &Appended) {
        let total: usize = append.parts.iter().map(|part| part.rows.len()).sum();
        let rows = append.parts.iter().flat_map(|part| part.rows.iter());
        for (seq, (_, json)) in (done.range.first..).zip(rows).skip(total.saturating_sub(TUPLES_MAX)) {
            let full = self.0.len() >= TUPLES_MAX;
            let mut row = if full { self.0.pop_front() } else { None }.unwrap_or_default();
            (row.seq, row.dropped) = (seq, false);
            row.json.clear();
            row.json.extend_from_slice(json);
            self.0.push_back(row);
        }
    }

    /// The queue dropped these.
    pub(super) fn dropped(&mut self, ranges: &[Range]) {
        for row in self.0.iter_mut().filter(|row| ranges.iter().any(|range| range.contains(row.seq))) {
            row.dropped = true;
        }
    }
}

impl EdgeNode {
    /// The newest readings that were queued since the start, the newest first: at most `most`, and at most [`TUPLES_MAX`].
    #[must_use]
    pub fn tuples(&self, most: usize) -> Vec<Tuple> {
        let tuple = |row: &Row| Tuple {
            seq: row.seq,
            json: String::from_utf8_lossy(&row.json).into_owned(),
            state: match self.sender.progress(row.seq) {
                _ if row.dropped => TupleState::Dropped,
                Progress::Gap => TupleState::Dropped,
                Progress::Unsent => TupleState::New,
                Progress::InFlight => TupleState::Sent,
                Progress::Done => TupleState::Acknowledged,
            },
        };
        self.tuples.0.iter().rev().take(most).map(tuple).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{AppendPart, QueueUsage, Rows};
    use crate::time::Wall;

    fn append(tuples: &mut Tuples, first: Seq, count: u64) {
        let mut rows = [Rows::default(), Rows::default()];
        for seq in first..first + count {
            let part = usize::from(seq - first >= count / 2);
            rows[part].push(Wall::MIN, |out| out.extend_from_slice(seq.to_string().as_bytes()));
        }
        let parts = rows.map(|rows| AppendPart { segment: None, rows }).to_vec();
        let range = Range::new(first, first + count - 1);
        let done = Appended { range, dropped: Vec::new(), usage: QueueUsage::default() };
        tuples.appended(&Append { parts, positions: Vec::new() }, &done);
    }

    #[test]
    fn the_newest_rows_are_kept_with_their_numbers() {
        let mut tuples = Tuples::default();
        for (first, count) in [(1, 3), (4, 250), (254, 1), (255, 40)] {
            append(&mut tuples, first, count);
        }
        let kept: Vec<Seq> = tuples.0.iter().map(|row| row.seq).collect();
        assert_eq!(kept, (195..=294).collect::<Vec<_>>());
        assert!(tuples.0.iter().all(|row| row.json == row.seq.to_string().as_bytes()));
    }

    #[test]
    fn what_is_dropped_stays_dropped_until_its_place_is_used_again() {
        let mut tuples = Tuples::default();
        append(&mut tuples, 1, 100);
        tuples.dropped(&[Range::new(2, 3), Range::new(90, 200)]);
        assert_eq!(tuples.0.iter().filter(|row| row.dropped).count(), 2 + 11);
        append(&mut tuples, 101, 100);
        assert!(tuples.0.iter().all(|row| !row.dropped));
    }
}
