//! The lines of a commit, cut into the bodies of requests, each line with the reading it came from.

use super::super::aggregates::Merged;
use super::lines;
use bytes::Bytes;
use fogline_protocol::ids::Seq;
use fogline_protocol::store::{AgentStatus, Commit, DecisionRecord, Point, Points};
use std::ops::Range;
use std::sync::Arc;

/// The reading that a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The index of its batch in [`Commit::points`].
    pub(super) points: usize,
    /// Its sequence number.
    pub(super) seq: Seq,
}

struct Line {
    /// Where it ends in the body.
    end: usize,
    /// None for a point that only dashboards need.
    origin: Option<Origin>,
}

/// The body of a request, and what its lines are.
struct Chunk {
    body: Bytes,
    lines: Vec<Line>,
}

/// Some of the lines of a chunk.
#[derive(Clone)]
pub(super) struct Piece {
    chunk: Arc<Chunk>,
    range: Range<usize>,
}

impl Piece {
    /// How many lines.
    pub(super) fn lines(&self) -> usize {
        self.range.len()
    }

    /// The body of a request with these lines.
    pub(super) fn body(&self) -> Bytes {
        let end_of = |line: usize| self.chunk.lines.get(line).map_or(0, |line| line.end);
        let start = self.range.start.checked_sub(1).map_or(0, end_of);
        let end = self.range.end.checked_sub(1).map_or(0, end_of);
        self.chunk.body.slice(start..end)
    }

    /// The readings of these lines.
    pub(super) fn origins(&self) -> impl Iterator<Item = Origin> + '_ {
        self.chunk.lines.get(self.range.clone()).unwrap_or_default().iter().filter_map(|line| line.origin)
    }

    /// The first half and the second; the first is empty of a single line.
    pub(super) fn halves(&self) -> [Self; 2] {
        let middle = self.range.start + self.range.len() / 2;
        let part = |range| Self { chunk: Arc::clone(&self.chunk), range };
        [part(self.range.start..middle), part(middle..self.range.end)]
    }
}

/// Something that may become a line.
enum Source<'c> {
    Reading(usize, &'c Points, Point<'c>),
    Status(&'c AgentStatus),
    Decision(&'c DecisionRecord),
    /// And what the ingester takes, where that is not all.
    Average(&'c Merged<'c>, Option<&'c str>),
}

/// Cuts a commit into chunks, one after the other: a commit may be of many megabytes.
pub(super) struct Chunks<'c> {
    sources: std::iter::Peekable<Box<dyn Iterator<Item = Source<'c>> + 'c>>,
    lines_max: usize,
    /// The stream of the last reading as text.
    stream: (usize, String),
}

impl<'c> Chunks<'c> {
    /// All of the commit's lines, by an ingester that takes this; chunks have at most `lines_max` of them.
    pub(super) fn new(commit: &'c Commit, merged: &'c [Merged<'c>], takes: Option<&'c str>, lines_max: usize) -> Self {
        let readings = commit.points.iter().enumerate();
        let readings =
            readings.flat_map(|(index, points)| points.iter().map(move |point| Source::Reading(index, points, point)));
        let rest = commit.statuses.iter().map(Source::Status).chain(commit.decisions.iter().map(Source::Decision));
        let averages = merged.iter().map(move |merged| Source::Average(merged, takes));
        let sources: Box<dyn Iterator<Item = Source<'c>> + 'c> = Box::new(readings.chain(rest).chain(averages));
        Self { sources: sources.peekable(), lines_max, stream: (usize::MAX, String::new()) }
    }

    /// The next lines: until the body has `bytes_max` bytes, and one line at least.
    pub(super) fn next(&mut self, bytes_max: usize) -> Option<Piece> {
        let (mut body, mut lines) = (Vec::new(), Vec::new());
        while lines.len() < self.lines_max {
            let begun = body.len();
            let Some(source) = self.sources.peek() else { break };
            let Some(origin) = encode(source, &mut self.stream, &mut body) else {
                self.sources.next();
                continue;
            };
            if body.len() > bytes_max && begun > 0 {
                body.truncate(begun);
                break;
            }
            self.sources.next();
            lines.push(Line { end: body.len(), origin });
        }
        let range = 0..lines.len();
        (!lines.is_empty()).then(|| Piece { chunk: Arc::new(Chunk { body: Bytes::from(body), lines }), range })
    }
}

/// Appends the line of a source; none when it has none.
#[allow(clippy::option_option, reason = "a line without a reading, and no line, are different things")]
fn encode(source: &Source<'_>, stream: &mut (usize, String), body: &mut Vec<u8>) -> Option<Option<Origin>> {
    match source {
        Source::Reading(index, points, point) => {
            if stream.0 != *index {
                *stream = (*index, points.stream.to_string());
            }
            lines::reading(body, &points.agent, &stream.1, point, point.flags(points));
            Some(Some(Origin { points: *index, seq: point.seq }))
        }
        Source::Status(heard) => {
            lines::status(body, heard);
            Some(None)
        }
        Source::Decision(record) => lines::limit(body, record).then_some(None),
        Source::Average(merged, takes) => lines::average(body, merged, *takes).then_some(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{agent, decision, points};
    use super::*;

    fn commit() -> Commit {
        let batches = vec![points(&agent("north", "r1"), 7, 1, 3), points(&agent("north", "r2"), 8, 10, 4)];
        let mut other = decision("r1", 1);
        other.decision.key = "notice/rain".into();
        Commit { points: batches, decisions: vec![other, decision("r1", 2)], ..Commit::default() }
    }

    fn cut(lines_max: usize, bytes_max: usize) -> Vec<Piece> {
        let commit = commit();
        let mut chunks = Chunks::new(&commit, &[], None, lines_max);
        std::iter::from_fn(|| chunks.next(bytes_max)).collect()
    }

    fn text(piece: &Piece) -> String {
        String::from_utf8(piece.body().to_vec()).unwrap()
    }

    #[test]
    fn every_line_is_in_one_chunk() {
        let whole = cut(100, 1 << 20);
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].lines(), 8);
        for (lines_max, bytes_max) in [(1, 1 << 20), (3, 1 << 20), (100, 300), (100, 1)] {
            let pieces = cut(lines_max, bytes_max);
            assert_eq!(pieces.iter().map(text).collect::<String>(), text(&whole[0]));
            assert!(pieces.iter().all(|piece| piece.lines() <= lines_max));
            assert!(pieces.iter().all(|piece| piece.lines() == 1 || piece.body().len() <= bytes_max));
        }
    }

    #[test]
    fn halves_are_whole_lines_with_their_readings() {
        let whole = cut(100, 1 << 20).remove(0);
        let [first, second] = whole.halves();
        assert_eq!(text(&first) + &text(&second), text(&whole));
        let seqs = |piece: &Piece| piece.origins().map(|origin| (origin.points, origin.seq)).collect::<Vec<_>>();
        assert_eq!(seqs(&first), [(0, 1), (0, 2), (0, 3), (1, 10)]);
        assert_eq!(seqs(&second), [(1, 11), (1, 12), (1, 13)]);
        let [_, last] = second.halves()[1].halves();
        assert!(text(&last).starts_with("fogline_limit"));
        assert_eq!(last.origins().count(), 0);
    }
}
