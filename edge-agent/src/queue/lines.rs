//! Readings as lines of JSON: what `peek` and `export` write, what `replay` reads, and what damage sets aside.

use fogline_protocol::reading::{Readings, parse_reading};
use fogline_runtime::outbox::{SealState, StoredReading};
use std::io::Write;

/// Writes a reading with what the queue knows of it: `{"seq":7,"stream":"…","clock":3,"reading":{…}}`. One that is not as it
/// was written says so under `why`, and one that is no JSON any more is a `text`.
pub(super) fn write(out: &mut impl Write, reading: &StoredReading) -> std::io::Result<()> {
    write!(out, "{{\"seq\":{}", reading.seq)?;
    if let (Some(stream), Some(clock)) = (reading.stream, reading.clock) {
        write!(out, ",\"stream\":\"{stream}\",\"clock\":{clock}")?;
    }
    if reading.seal == SealState::Broken {
        write!(out, ",\"why\":\"checksum\"")?;
    }
    if serde_json::from_slice::<serde::de::IgnoredAny>(&reading.body).is_ok() {
        out.write_all(b",\"reading\":")?;
        out.write_all(&reading.body)?;
    } else {
        let text = serde_json::Value::from(String::from_utf8_lossy(&reading.body).into_owned());
        write!(out, ",\"text\":{text}")?;
    }
    out.write_all(b"}\n")
}

/// Reads a line: a reading, or an object that has one under `reading`. Says what is wrong with it.
pub(super) fn read(line: &[u8], into: &mut Readings) -> Result<(), String> {
    let bare = match parse_reading(line, into) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let value: serde_json::Value = serde_json::from_slice(line).map_err(|error| format!("it is no JSON: {error}"))?;
    match (value.get("reading"), value.get("text")) {
        (Some(reading), _) => parse_reading(reading.to_string().as_bytes(), into).map_err(|error| error.to_string()),
        (None, Some(_)) => Err("damage left no reading of it, only a text".to_owned()),
        (None, None) => Err(bare.to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
mod tests {
    use super::*;
    use fogline_protocol::ids::StreamId;
    use fogline_protocol::time::Wall;

    const READING: &str = r#"{"ts_us":5,"sensor":"lane-1","kind":"road","fields":{"speed_kmh":97.2}}"#;

    fn stored(body: &str, seal: SealState) -> StoredReading {
        let (stream, clock) = (Some(StreamId::from_bits(0xabc)), Some(3));
        StoredReading { seq: 7, ts: Wall::from_us(5), stream, clock, body: body.as_bytes().to_vec(), seal }
    }

    fn written(reading: &StoredReading) -> String {
        let mut out = Vec::new();
        write(&mut out, reading).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_written_reads_back() {
        let line = written(&stored(READING, SealState::Sound));
        assert_eq!(line, format!("{{\"seq\":7,\"stream\":\"0000000000000abc\",\"clock\":3,\"reading\":{READING}}}\n"));
        let (mut from_line, mut bare) = (Readings::new(), Readings::new());
        read(line.as_bytes(), &mut from_line).unwrap();
        read(READING.as_bytes(), &mut bare).unwrap();
        let json = |readings: &Readings| {
            let mut json = Vec::new();
            readings.get(0).unwrap().write_json(&mut json);
            String::from_utf8(json).unwrap()
        };
        assert_eq!(json(&from_line), json(&bare));
    }

    #[test]
    fn what_damage_left_is_told_apart() {
        assert!(written(&stored(READING, SealState::Broken)).contains(r#""why":"checksum","reading":"#));
        let text = written(&stored("{\"ts_us\":5,\u{1}", SealState::Broken));
        assert!(text.contains(r#""text":"{\"ts_us\":5,\u0001""#), "{text}");
        let mut readings = Readings::new();
        assert!(read(text.as_bytes(), &mut readings).unwrap_err().contains("only a text"));
        assert!(read(b"nothing", &mut readings).unwrap_err().contains("no JSON"));
        let named = read(br#"{"reading":{"ts_us":5,"sensor":"UP","kind":"road","fields":{"a":1}}}"#, &mut readings);
        assert!(named.unwrap_err().contains("sensor"));
        assert!(readings.is_empty());
    }
}
