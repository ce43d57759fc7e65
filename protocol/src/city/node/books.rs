//! What a coordinator has taken of each node, so that nothing is uploaded twice; and what waits for its queue.

use crate::city::message::{Average, BOOKS_MAX, TakenThrough};
use crate::ids::{Name, StreamId};
use crate::time::Monotonic;
use std::collections::BTreeMap;

/// The most uploads that wait for the queue. Beyond, averages are not taken: their nodes keep them.
const UPLOADS_MAX: usize = 256;

#[derive(Debug)]
struct Entry {
    /// Handed to a queue.
    through: u64,
    /// On the queue's disk.
    committed: u64,
    heard: Monotonic,
}

/// By node and its start.
#[derive(Debug, Default)]
pub(super) struct Books {
    entries: BTreeMap<(Name, StreamId), Entry>,
    uploads: BTreeMap<u64, Option<(Name, TakenThrough)>>,
    next_ticket: u64,
}

impl Books {
    /// True when one more upload may be handed over.
    pub(super) fn has_room(&self) -> bool {
        self.uploads.len() < UPLOADS_MAX
    }

    /// Which of the averages of a node, numbered from `first`, are new.
    pub(super) fn new_of<'a>(
        &self,
        node: &Name,
        stream: StreamId,
        first: u64,
        averages: &'a [Average],
    ) -> impl Iterator<Item = (u64, &'a Average)> {
        let through = self.entries.get(&(node.clone(), stream)).map_or(0, |entry| entry.through);
        (first..).zip(averages).filter(move |(number, _)| *number > through)
    }

    /// All up to this number are handed to the queue; gives the ticket of the upload.
    pub(super) fn take(&mut self, node: &Name, taken: TakenThrough, now: Monotonic) -> u64 {
        self.entry(node, taken.stream, now).through = taken.through;
        self.upload(Some((node.clone(), taken)))
    }

    /// An upload that answers nobody.
    pub(super) fn upload_global(&mut self) -> u64 {
        self.upload(None)
    }

    fn upload(&mut self, of: Option<(Name, TakenThrough)>) -> u64 {
        self.next_ticket += 1;
        self.uploads.insert(self.next_ticket, of);
        self.next_ticket
    }

    /// The upload of this ticket is on disk: who is to hear of it.
    pub(super) fn committed(&mut self, ticket: u64, now: Monotonic) -> Option<(Name, TakenThrough)> {
        let (node, taken) = self.uploads.remove(&ticket)??;
        let entry = self.entry(&node, taken.stream, now);
        entry.committed = entry.committed.max(taken.through);
        Some((node, taken))
    }

    /// What is on disk of a node's averages.
    pub(super) fn committed_of(&self, node: &Name, stream: StreamId) -> Option<TakenThrough> {
        let entry = self.entries.get(&(node.clone(), stream))?;
        (entry.committed > 0).then_some(TakenThrough { stream, through: entry.committed })
    }

    /// Another coordinator has them on its disk.
    pub(super) fn heard(&mut self, node: &Name, taken: TakenThrough, now: Monotonic) {
        let entry = self.entry(node, taken.stream, now);
        entry.through = entry.through.max(taken.through);
        entry.committed = entry.committed.max(taken.through);
    }

    /// What a successor is to know: all that is on disk.
    pub(super) fn committed_all(&self) -> Vec<(Name, TakenThrough)> {
        let said = |((node, stream), entry): (&(Name, StreamId), &Entry)| {
            (node.clone(), TakenThrough { stream: *stream, through: entry.committed })
        };
        self.entries.iter().filter(|(_, entry)| entry.committed > 0).map(said).collect()
    }

    /// How many uploads are not on disk.
    pub(super) fn waiting(&self) -> usize {
        self.uploads.len()
    }

    /// The one that was heard of longest ago gives way.
    fn entry(&mut self, node: &Name, stream: StreamId, now: Monotonic) -> &mut Entry {
        let key = (node.clone(), stream);
        if self.entries.len() >= BOOKS_MAX && !self.entries.contains_key(&key) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.heard).map(|(key, _)| key.clone());
            oldest.and_then(|oldest| self.entries.remove(&oldest));
        }
        let entry = self.entries.entry(key).or_insert(Entry { through: 0, committed: 0, heard: now });
        entry.heard = now;
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_is_not_taken_again_and_told_when_it_is_on_disk() {
        let (mut books, node) = (Books::default(), Name::new("a").unwrap());
        let (stream, now) = (StreamId::from_bits(1), Monotonic::ZERO);
        let averages = [Average { from_us: 0, ts_us: 1, mean: 1.0, n: 1 }; 3];
        let numbers =
            |books: &Books, stream| books.new_of(&node, stream, 1, &averages).map(|(n, _)| n).collect::<Vec<_>>();
        assert_eq!(numbers(&books, stream), [1, 2, 3]);
        let ticket = books.take(&node, TakenThrough { stream, through: 2 }, now);
        assert_eq!(numbers(&books, stream), [3]);
        assert_eq!(numbers(&books, StreamId::from_bits(2)), [1, 2, 3], "another start");
        assert_eq!((books.committed_of(&node, stream), books.committed_all()), (None, Vec::new()));
        assert_eq!(books.committed(ticket, now), Some((node.clone(), TakenThrough { stream, through: 2 })));
        assert_eq!(books.committed(ticket, now), None);
        assert_eq!(books.committed_of(&node, stream), Some(TakenThrough { stream, through: 2 }));
        books.heard(&node, TakenThrough { stream, through: 3 }, now);
        assert!(numbers(&books, stream).is_empty());
    }

    #[test]
    fn books_are_not_without_end() {
        let mut books = Books::default();
        for number in 0..1000 {
            let now = Monotonic::from_us(number);
            books.heard(
                &Name::new("a").unwrap(),
                TakenThrough { stream: StreamId::from_bits(number), through: 1 },
                now,
            );
        }
        assert_eq!(books.entries.len(), BOOKS_MAX);
        assert!(books.entries.keys().all(|(_, stream)| stream.bits() >= 1000 - BOOKS_MAX as u64));
    }
}
