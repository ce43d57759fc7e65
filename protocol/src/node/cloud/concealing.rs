//! Personal data ends here: beyond the ledger there is a keyed hash in its place.

use crate::reading::{ReadingError, ReadingRef, Readings, Value};
use crate::usecase::parking::PlateKey;
use crate::usecase::{self, Personal};

/// The readings with hashes in the place of what names persons; none when nothing does.
pub(super) fn conceal(readings: &Readings, key: PlateKey) -> Option<Readings> {
    if !readings.iter().any(|reading| personal(&reading).is_some()) {
        return None;
    }
    let mut concealed = Readings::new();
    for reading in readings.iter() {
        let copied = match personal(&reading) {
            Some(personal) => copy(reading, personal, key, &mut concealed),
            None => concealed.push_copy(reading),
        };
        if copied.is_err() {
            // A reading that has no room for the hash is kept without its fields: its number must not move.
            let rest =
                concealed.push(reading.ts(), reading.sensor(), reading.kind(), &[("concealed", Value::Flag(true))]);
            debug_assert!(rest.is_ok(), "{rest:?}");
        }
    }
    Some(concealed)
}

/// The personal field of a reading's use case, if the reading has it.
fn personal(reading: &ReadingRef<'_>) -> Option<Personal> {
    let personal = usecase::find(reading.kind())?.personal()?;
    reading.fields().any(|(name, _)| name == personal.field).then_some(personal)
}

fn copy(reading: ReadingRef<'_>, personal: Personal, key: PlateKey, into: &mut Readings) -> Result<(), ReadingError> {
    let hash = |value: Value<'_>| match value {
        Value::Text(text) => key.hash(text),
        Value::Number(number) => key.hash(&number.to_string()),
        Value::Flag(flag) => key.hash(&flag.to_string()),
    };
    let hashed = reading.fields().find(|(name, _)| *name == personal.field).map(|(_, value)| hash(value));
    let hashed = hashed.unwrap_or_default();
    let fields: Vec<(&str, Value<'_>)> = reading
        .fields()
        // What an agent calls by the name of the hash would be taken for one.
        .filter(|(name, _)| *name != personal.stored_as)
        .map(
            |(name, value)| {
                if name == personal.field { (personal.stored_as, Value::Text(&hashed)) } else { (name, value) }
            },
        )
        .collect();
    into.push(reading.ts(), reading.sensor(), reading.kind(), &fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Wall;

    #[test]
    fn no_plate_passes_and_everything_else_does() {
        let mut readings = Readings::new();
        let fields =
            [("event", Value::Text("entry")), ("plate", Value::Text("B-FG 1234")), ("plate_hash", Value::Text("x"))];
        readings.push(Wall::from_us(1), "lane-1", "road", &[("speed_kmh", Value::Number(80.0))]).unwrap();
        readings.push(Wall::from_us(2), "east", "parking", &fields).unwrap();
        readings.push(Wall::from_us(3), "east", "parking", &[("plate", Value::Number(1234.0))]).unwrap();
        let key = PlateKey::new([7; 32]);
        let concealed = conceal(&readings, key).unwrap();
        let mut json = Vec::new();
        concealed.iter().for_each(|reading| reading.write_json(&mut json));
        let json = String::from_utf8(json).unwrap();
        assert!(!json.contains("1234"), "{json}");
        assert!(json.contains(&format!(r#""plate_hash":"{}""#, key.hash("B-FG 1234"))), "{json}");
        assert_eq!(concealed.len(), 3);
        assert_eq!(concealed.get(0).unwrap().number("speed_kmh"), Some(80.0));
        readings.truncate(1);
        assert_eq!(conceal(&readings, key), None, "nothing is copied where nothing is personal");
    }
}
