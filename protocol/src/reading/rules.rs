//! What a reading may be, and what is wrong with one that may not.

use crate::ids::{NAME_MAX_BYTES, is_name};

/// The most fields of one reading: enough for any meter, small enough that a reading stays a reading.
pub const FIELDS_MAX: usize = 32;
/// What a point in the database has beside its reading's fields: its tags, its time, and where it came from.
pub const RESERVED_FIELDS: [&str; 7] = ["agent", "region", "sensor", "seq", "stream", "time", "fogline_flags"];
/// How the names of Fogline's own measurements begin: no kind does.
pub const RESERVED_KIND_PREFIX: &str = "fogline_";
/// The longest text value, in bytes. Longer texts are documents, not readings.
pub const TEXT_MAX_BYTES: usize = 256;
/// The most bytes of one reading as JSON: a sixth of a batch, so that every reading fits one.
pub const READING_MAX_BYTES: usize = 8 * 1024;

/// Why a reading was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadingError {
    /// Before 1970 or after 2255.
    #[error("ts_us {0} is out of range: give microseconds since 1970, from 0 to 9007199254740991")]
    Time(i64),
    /// A sensor or kind that is not a name.
    #[error(
        "{what} {text:?} is not a name: use 1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter or a digit; \
         kinds that begin with fogline_ are taken"
    )]
    Name {
        /// `sensor` or `kind`.
        what: &'static str,
        /// What was given, cut to 64 characters.
        text: String,
    },
    /// A field name of another form, or one that the store needs for itself.
    #[error(
        "field {0:?} has no usable name: use 1 to 63 of a-z, 0-9 and '_', beginning with a letter; agent, region, \
         sensor, seq, stream, time and fogline_flags are taken"
    )]
    FieldName(String),
    /// The same field twice.
    #[error("field {0:?} is given twice")]
    FieldTwice(String),
    /// No field, or more than [`FIELDS_MAX`].
    #[error("a reading has 1 to 32 fields, this one has {0}")]
    FieldCount(usize),
    /// NaN or infinite.
    #[error("field {0:?} is not a finite number")]
    NotFinite(String),
    /// Longer than [`TEXT_MAX_BYTES`].
    #[error("the text of field {0:?} is longer than 256 bytes")]
    TextTooLong(String),
    /// Longer than [`READING_MAX_BYTES`] as JSON.
    #[error("the reading is {0} bytes long, at most 8192 are allowed")]
    TooLong(usize),
    /// A part that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
}

pub(super) fn check_name(what: &'static str, text: &str) -> Result<(), ReadingError> {
    if is_name(text) {
        return Ok(());
    }
    Err(ReadingError::Name { what, text: text.chars().take(64).collect() })
}

/// A kind is the name of a measurement, and not of one of Fogline's own.
pub(super) fn check_kind(text: &str) -> Result<(), ReadingError> {
    check_name("kind", text)?;
    if text.starts_with(RESERVED_KIND_PREFIX) {
        return Err(ReadingError::Name { what: "kind", text: text.chars().take(64).collect() });
    }
    Ok(())
}

pub(super) fn check_field_name(text: &str) -> Result<(), ReadingError> {
    let bytes = text.as_bytes();
    let good = bytes.len() <= NAME_MAX_BYTES
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_')
        && !RESERVED_FIELDS.contains(&text);
    if good { Ok(()) } else { Err(ReadingError::FieldName(text.chars().take(64).collect())) }
}
