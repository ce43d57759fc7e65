//! Names of devices as names of sensors and fields.

use fogline_protocol::ids::NAME_MAX_BYTES;

/// A sensor's name from what people call it: `Living Room` becomes `living-room`. None when nothing is left of it.
#[must_use]
pub fn sensor_name(text: &str) -> Option<String> {
    name(text, '-', |c| c.is_ascii_alphanumeric() || c == '_')
}

/// A field's name from a key: `linkQuality` and `Link Quality` become `link_quality`, `2m` becomes `f2m`.
#[must_use]
pub fn field_name(text: &str) -> Option<String> {
    let mut apart = String::new();
    let mut before = ' ';
    for c in text.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            apart.push('_');
        }
        apart.push(c);
        before = c;
    }
    let found = name(&apart, '_', |c| c.is_ascii_alphanumeric())?;
    let mut found = if found.starts_with(|c: char| c.is_ascii_digit()) { format!("f{found}") } else { found };
    found.truncate(NAME_MAX_BYTES);
    Some(found)
}

/// Lower case, what is not `kept` as one `between`, cut to the length of names.
fn name(text: &str, between: char, kept: impl Fn(char) -> bool) -> Option<String> {
    let mut found = String::new();
    for c in text.chars() {
        if kept(c) {
            found.push(c.to_ascii_lowercase());
        } else if !found.ends_with(between) {
            found.push(between);
        }
    }
    let trimmed = found.trim_matches(['-', '_']);
    let cut = trimmed.get(..trimmed.len().min(NAME_MAX_BYTES)).unwrap_or(trimmed);
    Some(cut.trim_end_matches(['-', '_']).to_owned()).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::ids::is_name;
    use fogline_protocol::reading::{Readings, Value};
    use fogline_protocol::time::Wall;
    use proptest::prelude::*;

    #[test]
    fn names_stay_readable() {
        for (text, sensor, field) in [
            ("Living Room", "living-room", "living_room"),
            ("0x00158d0001a2b3c4", "0x00158d0001a2b3c4", "f0x00158d0001a2b3c4"),
            ("linkQuality", "linkquality", "link_quality"),
            ("shellies/shelly1pm-AA:BB", "shellies-shelly1pm-aa-bb", "shellies_shelly1pm_aa_bb"),
            ("DS18B20-1", "ds18b20-1", "ds18b20_1"),
            ("Küche", "k-che", "k_che"),
        ] {
            assert_eq!(sensor_name(text).as_deref(), Some(sensor));
            assert_eq!(field_name(text).as_deref(), Some(field));
        }
        assert_eq!((sensor_name("äöü"), field_name("--")), (None, None));
    }

    proptest! {
        #[test]
        fn what_comes_out_is_a_name(text in ".{0,100}") {
            if let Some(name) = sensor_name(&text) {
                prop_assert!(is_name(&name), "{name}");
            }
            if let Some(name) = field_name(&text).filter(|name| !fogline_protocol::reading::RESERVED_FIELDS.contains(&name.as_str())) {
                prop_assert!(Readings::new().push(Wall::MIN, "s", "k", &[(&name, Value::Flag(true))]).is_ok(), "{name}");
            }
        }
    }
}
