//! A reading, and many of them in one piece of memory.
//!
//! A reading on the wire: `{"ts_us":1577145601420000,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":97.2}}`.
//! [`Readings`] holds any number of them in three growing buffers, so that a hot path allocates per batch and not per
//! reading.

mod json;
mod rules;

pub(crate) use json::ReadingsSeed;
pub use json::{ReadingJsonError, parse_reading};
pub use rules::{FIELDS_MAX, READING_MAX_BYTES, RESERVED_FIELDS, RESERVED_KIND_PREFIX, ReadingError, TEXT_MAX_BYTES};
use rules::{check_field_name, check_kind, check_name};

use crate::time::Wall;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Finite. Integers are kept as floats too, so that a field has one type in every database.
    Number(f64),
    /// True or false.
    Flag(bool),
    /// At most [`TEXT_MAX_BYTES`].
    Text(&'a str),
}

/// A piece of [`Readings::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    Number(f64),
    Flag(bool),
    Text(Span),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Slot {
    name: Span,
    value: Stored,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    ts: Wall,
    sensor: Span,
    kind: Span,
    fields_start: u32,
    fields_end: u32,
}

/// Readings in the order in which they were added, each of them checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    text: String,
    rows: Vec<Row>,
    slots: Vec<Slot>,
}

/// One reading of [`Readings`].
#[derive(Clone, Copy)]
pub struct ReadingRef<'a> {
    owner: &'a Readings,
    row: Row,
}

impl Readings {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Forgets all of them and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.rows.clear();
        self.slots.clear();
    }

    /// Forgets all but the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.rows.truncate(len);
        self.slots.truncate(self.rows.last().map_or(0, |row| row.fields_end as usize));
        if self.rows.is_empty() {
            self.text.clear();
        }
    }

    /// Roughly the bytes of memory in use, to bound what holds them.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.text.len() + self.rows.len() * size_of::<Row>() + self.slots.len() * size_of::<Slot>()
    }

    /// Adds a reading.
    ///
    /// # Errors
    /// [`ReadingError`] says which part is wrong; nothing is added then.
    pub fn push(
        &mut self,
        ts: Wall,
        sensor: &str,
        kind: &str,
        fields: &[(&str, Value<'_>)],
    ) -> Result<(), ReadingError> {
        let mut draft = self.draft();
        let added = draft
            .set_time(ts.us())
            .and_then(|()| draft.set_sensor(sensor))
            .and_then(|()| draft.set_kind(kind))
            .and_then(|()| fields.iter().try_for_each(|(name, value)| draft.add_field(name, *value)));
        added.and_then(|()| draft.finish())
    }

    /// Adds a copy of a reading that another [`Readings`] holds.
    ///
    /// # Errors
    /// None in practice: the reading was checked when it was added there.
    pub fn push_copy(&mut self, reading: ReadingRef<'_>) -> Result<(), ReadingError> {
        let mut draft = self.draft();
        draft.set_time(reading.ts().us())?;
        draft.set_sensor(reading.sensor())?;
        draft.set_kind(reading.kind())?;
        reading.fields().try_for_each(|(name, value)| draft.add_field(name, value))?;
        draft.finish()
    }

    /// The reading at `index`, counted from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<ReadingRef<'_>> {
        self.rows.get(index).map(|row| ReadingRef { owner: self, row: *row })
    }

    /// All of them, oldest addition first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ReadingRef<'_>> {
        self.rows.iter().map(|row| ReadingRef { owner: self, row: *row })
    }

    /// Gives the reading at `index` another time.
    pub fn set_ts(&mut self, index: usize, ts: Wall) {
        if let Some(row) = self.rows.get_mut(index) {
            row.ts = ts;
        }
    }

    fn draft(&mut self) -> Draft<'_> {
        let (text, slots) = (self.text.len(), self.slots.len());
        Draft { into: self, text, slots, ts: None, sensor: None, kind: None }
    }

    fn resolve(&self, span: Span) -> &str {
        let start = span.start as usize;
        self.text.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// Keeps `text`, or points at `like` when that says the same: neighbours mostly share sensor, kind and field names.
    fn keep(&mut self, text: &str, like: Option<Span>) -> Span {
        if let Some(span) = like.filter(|span| self.resolve(*span) == text) {
            return span;
        }
        // A batch is 48 KiB and an appended piece is bounded far below 4 GiB, so that these never saturate.
        let start = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.push_str(text);
        Span { start, len: u32::try_from(text.len()).unwrap_or(u32::MAX) }
    }
}

impl<'a> ReadingRef<'a> {
    /// When it was measured.
    #[must_use]
    pub fn ts(&self) -> Wall {
        self.row.ts
    }

    /// Which sensor of the agent measured it.
    #[must_use]
    pub fn sensor(&self) -> &'a str {
        self.owner.resolve(self.row.sensor)
    }

    /// The use case: the measurement's name in the database.
    #[must_use]
    pub fn kind(&self) -> &'a str {
        self.owner.resolve(self.row.kind)
    }

    /// Its fields, in the order in which they were given.
    pub fn fields(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let owner = self.owner;
        let range = self.row.fields_start as usize..self.row.fields_end as usize;
        owner.slots.get(range).unwrap_or_default().iter().map(move |slot| {
            let value = match slot.value {
                Stored::Number(number) => Value::Number(number),
                Stored::Flag(flag) => Value::Flag(flag),
                Stored::Text(span) => Value::Text(owner.resolve(span)),
            };
            (owner.resolve(slot.name), value)
        })
    }

    /// The number in the field `name`, if there is one.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.fields().find_map(|(field, value)| match value {
            Value::Number(number) if field == name => Some(number),
            Value::Number(_) | Value::Flag(_) | Value::Text(_) => None,
        })
    }

    /// Appends the reading as JSON to `out`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        json::write_reading(self, out);
    }

    /// Appends only its fields as a JSON object to `out`.
    pub fn write_fields_json(&self, out: &mut Vec<u8>) {
        json::write_fields(self, out);
    }
}

/// A reading that is being added. Dropped unfinished, it leaves no trace.
struct Draft<'a> {
    into: &'a mut Readings,
    text: usize,
    slots: usize,
    ts: Option<Wall>,
    sensor: Option<Span>,
    kind: Option<Span>,
}

impl Draft<'_> {
    fn set_time(&mut self, us: i64) -> Result<(), ReadingError> {
        if !(Wall::MIN.us()..=Wall::MAX.us()).contains(&us) {
            return Err(ReadingError::Time(us));
        }
        self.ts = Some(Wall::from_us(us));
        Ok(())
    }

    fn set_sensor(&mut self, text: &str) -> Result<(), ReadingError> {
        check_name("sensor", text)?;
        let like = self.into.rows.last().map(|row| row.sensor);
        self.sensor = Some(self.into.keep(text, like));
        Ok(())
    }

    fn set_kind(&mut self, text: &str) -> Result<(), ReadingError> {
        check_kind(text)?;
        let like = self.into.rows.last().map(|row| row.kind);
        self.kind = Some(self.into.keep(text, like));
        Ok(())
    }

    fn add_field(&mut self, name: &str, value: Value<'_>) -> Result<(), ReadingError> {
        let index = self.into.slots.len() - self.slots;
        if index >= FIELDS_MAX {
            return Err(ReadingError::FieldCount(index + 1));
        }
        check_field_name(name)?;
        let earlier = self.into.slots.get(self.slots..).unwrap_or_default();
        if earlier.iter().any(|slot| self.into.resolve(slot.name) == name) {
            return Err(ReadingError::FieldTwice(name.to_owned()));
        }
        let value = match value {
            Value::Number(number) if number.is_finite() => Stored::Number(number),
            Value::Number(_) => return Err(ReadingError::NotFinite(name.to_owned())),
            Value::Flag(flag) => Stored::Flag(flag),
            Value::Text(text) if text.len() <= TEXT_MAX_BYTES => Stored::Text(self.into.keep(text, None)),
            Value::Text(_) => return Err(ReadingError::TextTooLong(name.to_owned())),
        };
        let like = self.like_field(index);
        let name = self.into.keep(name, like);
        self.into.slots.push(Slot { name, value });
        Ok(())
    }

    /// The name of the field at the same place of the reading before.
    fn like_field(&self, index: usize) -> Option<Span> {
        let row = self.into.rows.last()?;
        let slot = row.fields_start as usize + index;
        (slot < row.fields_end as usize).then(|| self.into.slots.get(slot).map(|slot| slot.name))?
    }

    fn finish(mut self) -> Result<(), ReadingError> {
        let ts = self.ts.ok_or(ReadingError::Missing("ts_us"))?;
        let sensor = self.sensor.ok_or(ReadingError::Missing("sensor"))?;
        let kind = self.kind.ok_or(ReadingError::Missing("kind"))?;
        let count = self.into.slots.len() - self.slots;
        if count == 0 {
            return Err(ReadingError::FieldCount(0));
        }
        let index = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let row = Row { ts, sensor, kind, fields_start: index(self.slots), fields_end: index(self.slots + count) };
        self.into.rows.push(row);
        self.text = self.into.text.len();
        self.slots = self.into.slots.len();
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        self.into.text.truncate(self.text);
        self.into.slots.truncate(self.slots);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(fields: &[(&str, Value<'_>)]) -> Result<(), ReadingError> {
        Readings::new().push(Wall::from_us(1), "lane-1", "road", fields)
    }

    #[test]
    fn a_refused_reading_leaves_no_trace() {
        let mut readings = Readings::new();
        let speed = [("speed_kmh", Value::Number(97.2))];
        readings.push(Wall::from_us(1), "lane-1", "road", &speed).unwrap();
        let before = readings.clone();
        let bad = [("speed_kmh", Value::Number(1.0)), ("note", Value::Text("x")), ("bad", Value::Number(f64::NAN))];
        assert_eq!(
            readings.push(Wall::from_us(2), "lane-2", "road", &bad),
            Err(ReadingError::NotFinite("bad".to_owned()))
        );
        assert_eq!(readings, before);
    }

    #[test]
    fn each_rule_has_its_error() {
        let one = Value::Number(1.0);
        assert_eq!(push(&[]), Err(ReadingError::FieldCount(0)));
        assert_eq!(push(&[("a", one), ("a", one)]), Err(ReadingError::FieldTwice("a".into())));
        for taken in ["seq", "stream", "time", "region", "agent", "sensor", "Speed", "a b", "", "1st", "é"] {
            assert_eq!(push(&[(taken, one)]), Err(ReadingError::FieldName(taken.into())));
        }
        assert_eq!(push(&[("a", Value::Text(&"x".repeat(257)))]), Err(ReadingError::TextTooLong("a".into())));
        assert_eq!(push(&[("a", Value::Number(f64::INFINITY))]), Err(ReadingError::NotFinite("a".into())));
        let of_kind = |kind| Readings::new().push(Wall::from_us(1), "lane-1", kind, &[("a", one)]);
        assert!(matches!(of_kind("fogline_agent"), Err(ReadingError::Name { what: "kind", .. })));
        let names: Vec<String> = (0..33).map(|n| format!("f{n}")).collect();
        let many: Vec<(&str, Value<'_>)> = names.iter().map(|n| (n.as_str(), one)).collect();
        assert_eq!(push(&many), Err(ReadingError::FieldCount(33)));
        for (ts, fits) in [(-1, false), (0, true), (Wall::MAX.us(), true), (Wall::MAX.us() + 1, false)] {
            let pushed = Readings::new().push(Wall::from_us(ts), "s", "k", &[("a", one)]);
            assert_eq!(pushed.is_ok(), fits, "{ts}");
        }
        let bad_sensor = Readings::new().push(Wall::from_us(1), "a/b", "k", &[("a", one)]);
        assert!(matches!(bad_sensor, Err(ReadingError::Name { what: "sensor", .. })));
    }

    #[test]
    fn neighbours_share_their_names() {
        let mut readings = Readings::new();
        for n in 0..100 {
            readings.push(Wall::from_us(n), "lane-1", "road", &[("speed_kmh", Value::Number(97.2))]).unwrap();
        }
        assert_eq!(readings.text, "lane-1roadspeed_kmh");
        assert_eq!(readings.get(99).unwrap().number("speed_kmh"), Some(97.2));
        assert_eq!(readings.get(99).unwrap().sensor(), "lane-1");
    }
}
