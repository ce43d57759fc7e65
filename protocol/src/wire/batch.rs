//! `up/readings`: a batch of readings with consecutive sequence numbers.
//!
//! The agent joins a header and readings that were encoded when they were appended; the ingester reads them into one piece of
//! memory.

use super::{PAYLOAD_MAX_BYTES, VERSION, WireError, check_known_version, check_ranges, check_seq, malformed};
use crate::clock::TimeFlag;
use crate::delivery::ranges::Range;
use crate::delivery::{BATCH_MAX_READINGS, GAPS_PER_MESSAGE_MAX};
use crate::ids::{SEQ_MAX, Seq, StreamId};
use crate::reading::{ReadingError, Readings, ReadingsSeed};
use serde::Serialize;
use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// The largest value of [`BatchHeader::clock`].
pub const CLOCK_MAX: u16 = 999;

/// What a batch says besides its readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchHeader {
    /// Which stream.
    pub stream: StreamId,
    /// The oldest sequence number of the stream that the agent still holds, as reading or as gap.
    pub floor: Seq,
    /// The sequence number of the first reading; the others follow one by one.
    pub first: Seq,
    /// Ranges of the stream that will never come, in order, at most [`GAPS_PER_MESSAGE_MAX`].
    pub gaps: Vec<Range>,
    /// From 0 to [`CLOCK_MAX`]: counts the openings of the queue and the backward steps of its wall clock. A point's
    /// time in the database is `ts_us * 1000 + clock` nanoseconds.
    pub clock: u16,
    /// What is to be known of the times of its readings; none when they are as a clock that was set gave them.
    pub time: Option<TimeFlag>,
}

/// A batch as the ingester reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What it says of itself.
    pub header: BatchHeader,
    /// Its readings, in the order of their sequence numbers; at least one.
    pub readings: Readings,
}

#[derive(Serialize)]
struct Head<'a> {
    v: u32,
    stream: StreamId,
    floor: Seq,
    first: Seq,
    gaps: &'a [Range],
    clock: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<TimeFlag>,
}

impl BatchHeader {
    /// The batch as JSON: `readings` are readings as JSON, joined by commas.
    #[must_use]
    pub fn encode(&self, readings: &[u8]) -> Vec<u8> {
        let Self { stream, floor, first, gaps, clock, time } = self;
        let head = Head { v: VERSION, stream: *stream, floor: *floor, first: *first, gaps, clock: *clock, time: *time };
        let mut out = Vec::with_capacity(readings.len() + 256);
        // Writing numbers and texts into a Vec cannot fail.
        serde_json::to_writer(&mut out, &head).ok();
        out.pop();
        out.extend_from_slice(b",\"readings\":[");
        out.extend_from_slice(readings);
        out.extend_from_slice(b"]}");
        out
    }
}

impl Batch {
    /// Reads a batch.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong. One bad reading refuses the batch: our own agents never send one.
    pub fn decode(payload: &[u8]) -> Result<Self, WireError> {
        if payload.len() > PAYLOAD_MAX_BYTES {
            return Err(WireError::TooLong(payload.len()));
        }
        let mut draft = Draft::default();
        let mut deserializer = serde_json::Deserializer::from_slice(payload);
        let parsed = deserializer.deserialize_map(&mut draft).and_then(|()| deserializer.end());
        match (parsed, draft.problem.take()) {
            (Ok(()), _) => draft.finish(),
            (Err(_), Some(problem)) => Err(problem),
            (Err(error), None) => Err(malformed(&error)),
        }
    }

    /// The sequence numbers of its readings.
    #[must_use]
    pub fn range(&self) -> Range {
        Range::new(self.header.first, self.header.first + self.readings.len() as u64 - 1)
    }
}

#[derive(Default)]
struct Draft {
    version: Option<u32>,
    stream: Option<StreamId>,
    floor: Option<Seq>,
    first: Option<Seq>,
    gaps: Vec<Range>,
    clock: Option<u16>,
    time: Option<TimeFlag>,
    readings: Readings,
    problem: Option<WireError>,
}

impl Draft {
    fn finish(self) -> Result<Batch, WireError> {
        let missing = |key: &str| WireError::Malformed(format!("{key} is missing"));
        check_known_version(self.version.ok_or_else(|| missing("v"))?)?;
        let header = BatchHeader {
            stream: self.stream.ok_or_else(|| missing("stream"))?,
            floor: self.floor.ok_or_else(|| missing("floor"))?,
            first: self.first.ok_or_else(|| missing("first"))?,
            gaps: self.gaps,
            clock: self.clock.unwrap_or(0),
            time: self.time,
        };
        check_seq("floor", header.floor)?;
        check_seq("first", header.first)?;
        check_ranges("gaps", &header.gaps, GAPS_PER_MESSAGE_MAX)?;
        if header.clock > CLOCK_MAX {
            return Err(WireError::Value { what: "clock" });
        }
        if header.floor > header.first {
            return Err(WireError::Range { what: "floor and first", range: Range::new(header.floor, header.first) });
        }
        let count = self.readings.len() as u64;
        if count == 0 {
            return Err(WireError::Malformed("readings are missing".to_owned()));
        }
        if header.first + (count - 1) > SEQ_MAX {
            return Err(WireError::Sequence { what: "the last reading's number", seq: header.first + (count - 1) });
        }
        Ok(Batch { header, readings: self.readings })
    }

    /// A later version may look different, so that it is refused as soon as it is seen.
    fn set_version<E: serde::de::Error>(&mut self, version: u32) -> Result<(), E> {
        self.version = Some(version);
        check_known_version(version).map_err(|error| {
            let shown = E::custom(&error);
            self.problem = Some(error);
            shown
        })
    }

    fn read_readings<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<(), A::Error> {
        self.readings.clear();
        let mut problem: Option<ReadingError> = None;
        let seed = ReadingsSeed { into: &mut self.readings, problem: &mut problem, most: BATCH_MAX_READINGS };
        let read = map.next_value_seed(seed);
        let count = self.readings.len();
        if let Some(error) = problem {
            self.problem = Some(WireError::Reading { index: count, error });
        } else if count > BATCH_MAX_READINGS {
            self.problem = Some(WireError::TooMany { what: "readings", count, most: BATCH_MAX_READINGS });
        }
        read
    }
}

impl<'de> Visitor<'de> for &mut Draft {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a batch of readings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "v" => {
                    let version = map.next_value()?;
                    self.set_version(version)?;
                }
                "stream" => self.stream = Some(map.next_value()?),
                "floor" => self.floor = Some(map.next_value()?),
                "first" => self.first = Some(map.next_value()?),
                "gaps" => self.gaps = map.next_value()?,
                "clock" => self.clock = Some(map.next_value()?),
                "time" => self.time = map.next_value()?,
                "readings" => self.read_readings(&mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}
