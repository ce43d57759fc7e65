//! Readings as JSON, without an allocation per reading.

use super::{Draft, READING_MAX_BYTES, ReadingError, ReadingRef, Readings, Value};
use crate::ids::NAME_MAX_BYTES;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;
use std::io::Write as _;

/// Why a JSON text is not a reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadingJsonError {
    /// No JSON, or of other types than a reading has.
    #[error("not a reading as JSON: {0}")]
    Malformed(String),
    /// A reading that breaks a rule.
    #[error(transparent)]
    Reading(#[from] ReadingError),
}

/// Adds the one reading that `text` holds to `into`. Unknown keys are ignored.
///
/// # Errors
/// [`ReadingJsonError`] says what is wrong; nothing is added then.
pub fn parse_reading(text: &[u8], into: &mut Readings) -> Result<(), ReadingJsonError> {
    if text.len() > READING_MAX_BYTES {
        return Err(ReadingError::TooLong(text.len()).into());
    }
    let mut problem = None;
    let before = into.len();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let seed = ReadingSeed { into, problem: &mut problem };
    let parsed = seed.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    if parsed.is_err() {
        into.truncate(before);
    }
    parsed.map_err(|error| problem.map_or_else(|| ReadingJsonError::Malformed(error.to_string()), Into::into))
}

pub(super) fn write_reading(reading: &ReadingRef<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"ts_us\":");
    // Writing into a Vec cannot fail.
    write!(out, "{}", reading.ts().us()).ok();
    out.extend_from_slice(b",\"sensor\":\"");
    out.extend_from_slice(reading.sensor().as_bytes());
    out.extend_from_slice(b"\",\"kind\":\"");
    out.extend_from_slice(reading.kind().as_bytes());
    out.extend_from_slice(b"\",\"fields\":");
    write_fields(reading, out);
    out.push(b'}');
}

pub(super) fn write_fields(reading: &ReadingRef<'_>, out: &mut Vec<u8>) {
    let mut before = b'{';
    for (name, value) in reading.fields() {
        out.push(before);
        before = b',';
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        // Writing into a Vec cannot fail, and numbers were checked to be finite.
        match value {
            Value::Number(number) => serde_json::to_writer(&mut *out, &number).ok(),
            Value::Flag(flag) => serde_json::to_writer(&mut *out, &flag).ok(),
            Value::Text(text) => serde_json::to_writer(&mut *out, text).ok(),
        };
    }
    out.push(b'}');
}

/// Reads a JSON array of at most `most` readings into `into`. A reading that breaks a rule ends it, with the rule in
/// `problem` and the reading's place in `into.len()`.
pub(crate) struct ReadingsSeed<'a> {
    pub(crate) into: &'a mut Readings,
    pub(crate) problem: &'a mut Option<ReadingError>,
    pub(crate) most: usize,
}

impl<'de> DeserializeSeed<'de> for ReadingsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ReadingsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of readings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(ReadingSeed { into: self.into, problem: self.problem })?.is_some() {
            if self.into.len() > self.most {
                return Err(A::Error::custom(format_args!("more than {} readings", self.most)));
            }
        }
        Ok(())
    }
}

struct ReadingSeed<'a> {
    into: &'a mut Readings,
    problem: &'a mut Option<ReadingError>,
}

/// Keeps the rule that was broken and ends the parse.
fn refuse<E: serde::de::Error>(problem: &mut Option<ReadingError>, error: ReadingError) -> E {
    let shown = E::custom(&error);
    *problem = Some(error);
    shown
}

impl<'de> DeserializeSeed<'de> for ReadingSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ReadingSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a reading: an object with ts_us, sensor, kind and fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { into, problem } = self;
        let mut draft = into.draft();
        while let Some(key) = map.next_key_seed(KeySeed)? {
            let done = match key {
                Key::Time => map.next_value::<i64>().map(|us| draft.set_time(us))?,
                Key::Sensor => map.next_value_seed(TextSeed(|text: &str| draft.set_sensor(text)))?,
                Key::Kind => map.next_value_seed(TextSeed(|text: &str| draft.set_kind(text)))?,
                Key::Fields => {
                    map.next_value_seed(FieldsSeed { draft: &mut draft, problem })?;
                    Ok(())
                }
                Key::Unknown => map.next_value::<IgnoredAny>().map(|_| Ok(()))?,
            };
            done.map_err(|error| refuse(problem, error))?;
        }
        draft.finish().map_err(|error| refuse(problem, error))
    }
}

enum Key {
    Time,
    Sensor,
    Kind,
    Fields,
    Unknown,
}

struct KeySeed;

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "ts_us" => Key::Time,
            "sensor" => Key::Sensor,
            "kind" => Key::Kind,
            "fields" => Key::Fields,
            _ => Key::Unknown,
        })
    }
}

/// Hands a text to a function without keeping it.
struct TextSeed<F>(F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for TextSeed<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for TextSeed<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_str<E>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

struct FieldsSeed<'a, 'b> {
    draft: &'a mut Draft<'b>,
    problem: &'a mut Option<ReadingError>,
}

impl<'de> DeserializeSeed<'de> for FieldsSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // A field's name is short and bounded, so that it waits on the stack for its value.
        while let Some(name) = map.next_key_seed(TextSeed(FieldName::new))? {
            let added = map.next_value_seed(FieldSeed { name: name.as_str(), draft: self.draft })?;
            added.map_err(|error| refuse(self.problem, error))?;
        }
        Ok(())
    }
}

/// A field name, cut past the longest that is allowed: a longer one is refused by the rule for names. Three bytes more than
/// one, so that a character is never cut off to leave a good name.
struct FieldName {
    bytes: [u8; Self::BYTES],
    len: usize,
}

impl FieldName {
    const BYTES: usize = NAME_MAX_BYTES + 4;

    fn new(text: &str) -> Self {
        let mut name = Self { bytes: [0; Self::BYTES], len: 0 };
        let mut end = text.len().min(Self::BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if let (Some(to), Some(from)) = (name.bytes.get_mut(..end), text.as_bytes().get(..end)) {
            to.copy_from_slice(from);
            name.len = end;
        }
        name
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

struct FieldSeed<'a, 'b> {
    name: &'a str,
    draft: &'a mut Draft<'b>,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_, '_> {
    type Value = Result<(), ReadingError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for FieldSeed<'_, '_> {
    type Value = Result<(), ReadingError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, true, false or a short text")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(self.draft.add_field(self.name, Value::Flag(flag)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(self.draft.add_field(self.name, Value::Number(number)))
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "numbers are floats in every store: the nearest one is what is meant"
    )]
    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.draft.add_field(self.name, Value::Number(number as f64)))
    }

    #[allow(
        clippy::cast_precision_loss,
        reason = "numbers are floats in every store: the nearest one is what is meant"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.draft.add_field(self.name, Value::Number(number as f64)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.draft.add_field(self.name, Value::Text(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;

    fn parse(text: &str) -> Result<Readings, ReadingJsonError> {
        let mut readings = Readings::new();
        let parsed = parse_reading(text.as_bytes(), &mut readings);
        if parsed.is_err() {
            assert_eq!(readings, Readings::new(), "a refused reading left a trace");
        }
        parsed.map(|()| readings)
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut readings = Readings::new();
        let fields =
            [("speed_kmh", Value::Number(97.2)), ("wet", Value::Flag(true)), ("note", Value::Text("a \"b\" \n ü"))];
        readings.push(Wall::from_us(1_577_145_601_420_000), "lane-1", "road", &fields).unwrap();
        let mut text = Vec::new();
        readings.get(0).unwrap().write_json(&mut text);
        let text = String::from_utf8(text).unwrap();
        assert_eq!(
            text,
            r#"{"ts_us":1577145601420000,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":97.2,"wet":true,"note":"a \"b\" \n ü"}}"#
        );
        let back = parse(&text).unwrap();
        assert_eq!(back.get(0).unwrap().fields().collect::<Vec<_>>(), fields);
    }

    #[test]
    fn keys_come_in_any_order_and_unknown_ones_are_ignored() {
        let text = r#"{"x":{"y":[1]},"fields":{"sp\u0065ed":1},"kind":"road","ts_us":5,"sensor":"a"}"#;
        assert_eq!(parse(text).unwrap().get(0).unwrap().number("speed"), Some(1.0));
    }

    #[test]
    fn bad_texts_are_refused_with_the_reason() {
        let malformed = |text: &str| matches!(parse(text), Err(ReadingJsonError::Malformed(_)));
        assert!(malformed(""));
        assert!(malformed(r#"{"ts_us":1,"sensor":"a""#));
        assert!(malformed(r#"{"ts_us":"1","sensor":"a","kind":"b","fields":{"c":1}}"#));
        assert!(malformed(r#"{"ts_us":1.5,"sensor":"a","kind":"b","fields":{"c":1}}"#));
        assert!(malformed(r#"{"ts_us":1,"sensor":"a","kind":"b","fields":{"c":[1]}}"#));
        assert!(malformed(r#"{"ts_us":1,"sensor":"a","kind":"b","fields":{"c":NaN}}"#));
        assert!(malformed(r#"{"ts_us":1,"sensor":"a","kind":"b","fields":{"c":1e999}}"#));
        assert!(malformed(r#"{"ts_us":99999999999999999999,"sensor":"a","kind":"b","fields":{"c":1}}"#));
        assert!(malformed(r#"{"ts_us":1,"sensor":"a","kind":"b","fields":{"c":1}} x"#));
        let missing = parse(r#"{"ts_us":1,"sensor":"a","fields":{"c":1}}"#);
        assert_eq!(missing, Err(ReadingError::Missing("kind").into()));
        let nul = parse("{\"ts_us\":1,\"sensor\":\"a\\u0000\",\"kind\":\"b\",\"fields\":{\"c\":1}}");
        assert!(matches!(nul, Err(ReadingJsonError::Reading(ReadingError::Name { what: "sensor", .. }))));
        for name in ["x".repeat(100), format!("{}é", "x".repeat(63)), format!("{}🚗", "x".repeat(63))] {
            let long = format!(r#"{{"ts_us":1,"sensor":"a","kind":"b","fields":{{"{name}":1}}}}"#);
            assert!(matches!(parse(&long), Err(ReadingJsonError::Reading(ReadingError::FieldName(_)))), "{name}");
        }
    }
}
