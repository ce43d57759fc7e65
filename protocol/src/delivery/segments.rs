//! Which stream and which clock a sequence number belongs to.

use super::STREAMS_MAX;
use super::ranges::Range;
use crate::ids::{Seq, StreamId};
use crate::queue::{Segment, SegmentHead, Settle};

/// The segments of a queue, oldest first. Those of one stream follow each other, so that a stream is one range of numbers.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    list: Vec<Segment>,
    /// The number that the next reading gets.
    next: Seq,
}

/// A stream and its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamRange {
    /// Which stream.
    pub stream: StreamId,
    /// Its numbers so far; empty when nothing was appended yet.
    pub range: Range,
}

impl Segments {
    /// The segments that a queue file holds.
    #[must_use]
    pub const fn new(list: Vec<Segment>, next: Seq) -> Self {
        Self { list, next }
    }

    /// The number that the next reading gets.
    #[must_use]
    pub const fn next(&self) -> Seq {
        self.next
    }

    /// The newest segment.
    #[must_use]
    pub fn newest(&self) -> Option<Segment> {
        self.list.last().copied()
    }

    /// A segment begins with the next number.
    pub fn begin(&mut self, head: SegmentHead) {
        self.list.push(head.at(self.next));
    }

    /// It is known now what becomes of the times of a segment.
    pub fn settle(&mut self, settled: &Settle) {
        for segment in self.list.iter_mut().filter(|segment| settled.is_of(segment)) {
            segment.stamps = settled.stamps;
        }
    }

    /// The segments of which that is open, with their numbers: they are not sent.
    pub fn open(&self) -> impl Iterator<Item = (Segment, Range)> + '_ {
        let ends = self.list.iter().skip(1).map(|segment| segment.first).chain([self.next]);
        let numbered = self.list.iter().zip(ends);
        numbered
            .filter(|(segment, _)| segment.stamps.open().is_some())
            .map(|(segment, end)| (*segment, Range::new(segment.first, end.saturating_sub(1))))
    }

    /// `count` numbers were given.
    pub fn extend(&mut self, count: u64) {
        self.next += count;
    }

    /// Numbers below `seq` are gone: the segments that end there are forgotten, but for the newest.
    pub fn forget_below(&mut self, seq: Seq) {
        let keep = self.list.partition_point(|segment| segment.first <= seq).saturating_sub(1);
        self.list.drain(..keep);
    }

    /// The segment of `seq` and its last number.
    #[must_use]
    pub fn of(&self, seq: Seq) -> Option<(Segment, Seq)> {
        let index = self.list.partition_point(|segment| segment.first <= seq).checked_sub(1)?;
        let end = self.list.get(index + 1).map_or(self.next, |following| following.first);
        self.list.get(index).map(|segment| (*segment, end.saturating_sub(1)))
    }

    /// The streams, oldest first.
    #[must_use]
    pub fn streams(&self) -> Vec<StreamRange> {
        let mut streams: Vec<StreamRange> = Vec::new();
        for (index, segment) in self.list.iter().enumerate() {
            let end = self.list.get(index + 1).map_or(self.next, |following| following.first);
            match streams.last_mut().filter(|last| last.stream == segment.stream) {
                Some(last) => last.range.last = end.saturating_sub(1),
                None => streams.push(StreamRange {
                    stream: segment.stream,
                    range: Range::new(segment.first, end.saturating_sub(1)),
                }),
            }
        }
        streams
    }

    /// The numbers of `stream`.
    #[must_use]
    pub fn range_of(&self, stream: StreamId) -> Option<Range> {
        self.streams().into_iter().find(|known| known.stream == stream).map(|known| known.range)
    }

    /// The streams that are open to the ingester: all, or the oldest ones and the newest when there are more than it
    /// would keep. Those between wait, as one range of numbers.
    #[must_use]
    pub fn active(&self) -> (Vec<StreamRange>, Option<Range>) {
        let mut streams = self.streams();
        if streams.len() <= STREAMS_MAX {
            return (streams, None);
        }
        let waiting: Vec<StreamRange> = streams.drain(STREAMS_MAX - 1..streams.len() - 1).collect();
        let ends = waiting.first().zip(waiting.last());
        (streams, ends.map(|(first, last)| Range::new(first.range.first, last.range.last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{BootId, Stamps, UnsetClock};

    fn head(stream: u64, clock: u16) -> SegmentHead {
        SegmentHead { stream: StreamId::from_bits(stream), clock, stamps: Stamps::Given }
    }

    fn segments(streams: u64) -> Segments {
        let mut segments = Segments::new(Vec::new(), 1);
        for stream in 0..streams {
            segments.begin(head(stream, 0));
            segments.extend(10);
        }
        segments
    }

    #[test]
    fn a_stream_is_one_range_over_its_segments() {
        let mut segments = segments(1);
        segments.begin(head(0, 1));
        segments.extend(5);
        assert_eq!(segments.range_of(StreamId::from_bits(0)), Some(Range::new(1, 15)));
        assert_eq!(segments.of(10).map(|(s, end)| (s.clock, end)), Some((0, 10)));
        assert_eq!(segments.of(11).map(|(s, end)| (s.clock, end)), Some((1, 15)));
        segments.forget_below(11);
        assert_eq!(segments.range_of(StreamId::from_bits(0)), Some(Range::new(11, 15)));
        segments.forget_below(16);
        assert_eq!(segments.streams().len(), 1, "the newest stays");
    }

    #[test]
    fn streams_beyond_the_bound_wait() {
        let (active, waiting) = segments(16).active();
        assert_eq!((active.len(), waiting), (16, None));
        let (active, waiting) = segments(20).active();
        assert_eq!(active.len(), 16);
        assert_eq!(active.last().map(|s| s.stream), Some(StreamId::from_bits(19)));
        assert_eq!(waiting, Some(Range::new(151, 190)));
    }

    #[test]
    fn an_open_segment_is_settled_once() {
        let clock = UnsetClock { boot: BootId::from_bits(1), began_us: 0 };
        let mut segments = segments(2);
        segments.begin(SegmentHead { stamps: Stamps::Open(clock), ..head(1, 1) });
        segments.extend(5);
        segments.begin(head(1, 2));
        segments.extend(5);
        let open = |segments: &Segments| segments.open().map(|(_, range)| range).collect::<Vec<_>>();
        assert_eq!(open(&segments), [Range::new(21, 25)]);
        let of_another = UnsetClock { began_us: 1, ..clock };
        segments.settle(&Settle { first: 21, clock: of_another, stamps: Stamps::Unset });
        assert_eq!(open(&segments), [Range::new(21, 25)]);
        segments.settle(&Settle { first: 21, clock, stamps: Stamps::Unset });
        segments.settle(&Settle { first: 21, clock, stamps: Stamps::Given });
        assert_eq!(segments.of(23).map(|(segment, _)| segment.stamps), Some(Stamps::Unset));
    }
}
