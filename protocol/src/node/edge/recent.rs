//! The rows of the last append, as long as they may go out at once: in a steady flow nothing is read back from the disk.

use crate::clock::Stamps;
use crate::delivery::PAYLOAD_BYTES;
use crate::ids::Seq;
use crate::queue::{Append, Appended, Load, Rows, Run};
use std::sync::Arc;

/// Rows that are committed and still in memory; at most a batch.
#[derive(Debug, Default)]
pub(super) struct Recent(Option<(Seq, Arc<Append>)>);

impl Recent {
    /// `append` is durable. It is kept if it is one run of rows that fits a batch: more than that is a backlog, and its place
    /// is the disk. So it is with what is not sent just as it was appended: `stamps` are those of its segment.
    pub(super) fn appended(&mut self, append: Arc<Append>, done: &Appended, stamps: Stamps) {
        let whole = done.dropped.is_empty() && !done.range.is_empty() && stamps.are_final();
        let fits = append.parts.len() == 1 && append.parts.iter().all(|part| part.rows.bytes() as u64 <= PAYLOAD_BYTES);
        self.0 = (whole && fits).then_some((done.range.first, append));
    }

    /// What a queue would answer, if the first row asked for is here.
    pub(super) fn load(&self, load: &Load) -> Option<Run> {
        let (first, append) = self.0.as_ref()?;
        let rows = &append.parts.first()?.rows;
        let skipped = usize::try_from(load.from.checked_sub(*first)?).ok().filter(|skipped| *skipped < rows.len())?;
        Some(run(load, rows, skipped))
    }
}

fn run(load: &Load, rows: &Rows, skipped: usize) -> Run {
    let mut run = Run { first: load.from, json: Vec::with_capacity(rows.bytes() + rows.len()), times: Vec::new() };
    let wanted = usize::try_from((load.until + 1).saturating_sub(load.from)).unwrap_or(usize::MAX).min(load.max_rows);
    for (time, row) in rows.iter().skip(skipped).take(wanted) {
        if !run.times.is_empty() {
            if run.json.len() + 1 + row.len() > load.max_bytes {
                break;
            }
            run.json.push(b',');
        }
        run.json.extend_from_slice(row);
        run.times.push(time);
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{BootId, UnsetClock};
    use crate::delivery::ranges::Range;
    use crate::queue::{AppendPart, QueueUsage};
    use crate::time::Wall;

    fn recent(rows: &[&str], dropped: Vec<Range>) -> Recent {
        recent_of(rows, dropped, Stamps::Given)
    }

    fn recent_of(rows: &[&str], dropped: Vec<Range>, stamps: Stamps) -> Recent {
        let mut part = AppendPart { segment: None, rows: Rows::default() };
        for (row, us) in rows.iter().zip(100..) {
            part.rows.push(Wall::from_us(us), |out| out.extend_from_slice(row.as_bytes()));
        }
        let append = Arc::new(Append { parts: vec![part], positions: Vec::new() });
        let range = Range::new(11, 10 + rows.len() as u64);
        let mut recent = Recent::default();
        recent.appended(append, &Appended { range, dropped, usage: QueueUsage::default() }, stamps);
        recent
    }

    fn load(recent: &Recent, from: Seq, until: Seq, max_bytes: usize) -> Option<(Seq, String, usize)> {
        let run = recent.load(&Load { from, until, max_bytes, max_rows: 3 })?;
        Some((run.first, String::from_utf8(run.json).unwrap(), run.times.len()))
    }

    #[test]
    fn rows_come_as_the_queue_would_give_them() {
        let recent = recent(&["a", "bb", "ccc", "d", "e"], Vec::new());
        assert_eq!(load(&recent, 11, 99, 99), Some((11, "a,bb,ccc".to_owned(), 3)), "at most so many rows");
        assert_eq!(load(&recent, 12, 13, 99), Some((12, "bb,ccc".to_owned(), 2)), "not above the last");
        assert_eq!(load(&recent, 12, 99, 4), Some((12, "bb".to_owned(), 1)), "with the comma it would be 6 bytes");
        assert_eq!(load(&recent, 13, 99, 1), Some((13, "ccc".to_owned(), 1)), "one row always");
        assert_eq!(load(&recent, 10, 99, 99), None);
        assert_eq!(load(&recent, 16, 99, 99), None);
    }

    #[test]
    fn what_was_dropped_or_is_large_is_left_to_the_disk() {
        assert_eq!(load(&recent(&["a"], vec![Range::new(3, 4)]), 11, 99, 99), None);
        let open = Stamps::Open(UnsetClock { boot: BootId::from_bits(1), began_us: 0 });
        assert_eq!(load(&recent_of(&["a"], Vec::new(), open), 11, 99, 99), None);
        assert!(load(&recent_of(&["a"], Vec::new(), Stamps::Unset), 11, 99, 99).is_some());
        assert_eq!(load(&recent(&["x".repeat(50_000).as_str()], Vec::new()), 11, 99, 99), None);
    }
}
