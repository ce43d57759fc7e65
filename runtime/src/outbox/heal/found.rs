//! What is found on the pages of a damaged queue, besides its readings.

use super::super::books::parse_stamps;
use super::super::seal::Sealed;
use super::cells::{Row, Value};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::SegmentHead;
use fogline_protocol::wire::Decision;
use std::collections::BTreeMap;

/// The counters of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) opening: u64,
    pub(super) next: Seq,
    pub(super) gone: Seq,
    pub(super) readings: u64,
    pub(super) dropped: u64,
    pub(super) damaged: u64,
}

/// A decision as it was saved.
#[derive(Debug, Clone)]
pub(super) struct Saved {
    pub(super) received_us: i64,
    pub(super) json: String,
    decision: Decision,
}

/// All that is not a reading. Pages that are free again may show older versions of a row; the newest is kept.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) counters: Option<Counters>,
    pub(super) segments: BTreeMap<Seq, SegmentHead>,
    pub(super) gaps: RangeSet,
    pub(super) told: RangeSet,
    pub(super) owner: Option<String>,
    /// By source: the position, and the reading after which it was saved.
    pub(super) positions: BTreeMap<String, (String, Seq)>,
    pub(super) decisions: BTreeMap<String, Saved>,
}

impl Found {
    /// Takes a row, if it is one of these and as it was written. Rows without a seal are of layout 1.
    pub(super) fn take(&mut self, row: &Row) {
        // Whatever does not read as a row of one of the tables is none.
        self.numbered(row).or_else(|| self.named(row)).unwrap_or(());
    }

    /// Rows that are known by a number, which SQLite keeps apart from the values.
    fn numbered(&mut self, row: &Row) -> Option<()> {
        let (Value::Null, values) = row.values.split_first()? else { return None };
        let id = seq(row.id)?;
        match values {
            [Value::Text(stream), Value::Int(clock), rest @ ..] => {
                let (stream, clock) = (text(stream)?, u16::try_from(*clock).ok()?);
                let (seal, stamps) = match rest {
                    [seal @ .., Value::Text(stamps)] => (seal, Some(text(stamps)?)),
                    [seal, Value::Null] => (std::slice::from_ref(seal), None),
                    seal => (seal, None),
                };
                (Sealed::Segment { first: id, stream, clock, stamps }).fits(checksum(seal)?).then_some(())?;
                let head = SegmentHead { stream: stream.parse().ok()?, clock, stamps: parse_stamps(stamps)? };
                // Pages that are free again show what it said before: what was settled is the newer.
                let newer = self.segments.get(&id).is_none_or(|known| known.stamps.open().is_some());
                newer.then(|| self.segments.insert(id, head));
            }
            [Value::Int(last), seal @ ..] if seal.len() < 2 => {
                let (range, seal) = (Range::new(id, seq(*last).filter(|last| *last >= id)?), checksum(seal)?);
                let Range { first, last } = range;
                if seal.is_some() && (Sealed::Told { first, last }).fits(seal) {
                    self.told.insert(range);
                } else if (Sealed::Gap { first, last }).fits(seal) {
                    self.gaps.insert(range);
                }
            }
            _ => self.counters = Some(newer(self.counters, counters(values)?)),
        }
        Some(())
    }

    /// Rows that are known by a name.
    fn named(&mut self, row: &Row) -> Option<()> {
        match row.values.as_slice() {
            [Value::Text(agent), seal @ ..] if seal.len() < 2 && !matches!(seal, [Value::Text(_)]) => {
                let agent = text(agent)?;
                (Sealed::Owner { agent }).fits(checksum(seal)?).then(|| self.owner = Some(agent.to_owned()))
            }
            [Value::Text(source), Value::Text(position), rest @ ..] if rest.len() <= 2 => {
                let (source, position) = (text(source)?, text(position)?);
                let (at, seal) = match rest {
                    [] => (0, None),
                    [Value::Int(at), seal @ ..] => (u64::try_from(*at).ok()?, checksum(seal)?),
                    _ => return None,
                };
                (Sealed::Position { source, position, seq: at }).fits(seal).then_some(())?;
                let newest = self.positions.get(source).is_none_or(|(_, known)| *known <= at);
                newest.then(|| self.positions.insert(source.to_owned(), (position.to_owned(), at))).map(|_| ())
            }
            [Value::Text(key), Value::Int(received_us), Value::Text(json), seal @ ..] => {
                let (key, json, received_us) = (text(key)?, text(json)?, *received_us);
                (Sealed::Decision { key, received_us, decision: json }).fits(checksum(seal)?).then_some(())?;
                let decision: Decision = serde_json::from_str(json).ok()?;
                let saved = Saved { received_us, json: json.to_owned(), decision };
                let known = self.decisions.get(key);
                let newest = known.is_none_or(|known| known.rank() <= saved.rank());
                newest.then(|| self.decisions.insert(key.to_owned(), saved)).map(|_| ())
            }
            _ => None,
        }
    }
}

impl Saved {
    fn rank(&self) -> (&fogline_protocol::ids::Term, u64) {
        (&self.decision.term, self.decision.seq)
    }
}

fn newer(known: Option<Counters>, found: Counters) -> Counters {
    known.filter(|known| known.next > found.next).unwrap_or(found)
}

fn counters(values: &[Value]) -> Option<Counters> {
    let number = |value: &Value| match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Null | Value::Text(_) | Value::Blob(_) => None,
    };
    let first: Vec<u64> = values.get(..6)?.iter().map(number).collect::<Option<_>>()?;
    let rest = values.get(6..)?;
    let (damaged, damaged_us, seal) = match rest {
        [] => (0, 0, None),
        [damaged, Value::Int(us), seal @ ..] => (number(damaged)?, us.cast_unsigned(), checksum(seal)?),
        _ => return None,
    };
    let [opening, next, gone, readings, bytes, dropped] = first.try_into().ok()?;
    let sealed = Sealed::Counters([opening, next, gone, readings, bytes, dropped, damaged, damaged_us]);
    let sound = sealed.fits(seal) && next > gone && next <= SEQ_MAX + 1;
    sound.then_some(Counters { opening, next, gone, readings, dropped, damaged })
}

/// The seal at the end of a row, if it has one; none of both when something else is there.
fn checksum(rest: &[Value]) -> Option<Option<u32>> {
    match rest {
        [] | [Value::Null] => Some(None),
        [Value::Int(seal)] => u32::try_from(*seal).ok().map(Some),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

pub(super) fn seq(number: i64) -> Option<Seq> {
    u64::try_from(number).ok().filter(|seq| (1..=SEQ_MAX).contains(seq))
}
