//! Units: which there are, what quantity each is of, and how it becomes the unit that a field's name ends with.
//!
//! A field's unit is the last part of its name: `temperature_c`, `speed_kmh`, `pressure_hpa`. A source's unit is as people write it: `°F`,
//! `mph`, `kPa`. Both are looked up in [`UNITS`]; two units of the same quantity are converted.

use super::linear::Linear;

/// A unit: how field names end with it, how people write it, of what it is, and how it becomes the quantity's own unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// How names of fields end: `kmh` in `speed_kmh`. Empty for units that no field is in.
    pub suffix: &'static str,
    /// Other ways to write it, in lower case.
    pub written: &'static [&'static str],
    /// What it measures.
    pub quantity: &'static str,
    /// To the quantity's first unit.
    to_base: Linear,
}

const fn unit(suffix: &'static str, written: &'static [&'static str], quantity: &'static str, scale: f64) -> Unit {
    Unit { suffix, written, quantity, to_base: Linear { scale, offset: 0.0 } }
}

/// All that are known. Factors are those of the SI brochure (9th edition) and NIST SP 811, appendix B.
pub const UNITS: &[Unit] = &[
    unit("c", &["°c", "celsius", "degc"], "temperature", 1.0),
    Unit {
        suffix: "f",
        written: &["°f", "fahrenheit", "degf"],
        quantity: "temperature",
        to_base: Linear { scale: 5.0 / 9.0, offset: -160.0 / 9.0 },
    },
    Unit {
        suffix: "k",
        written: &["kelvin"],
        quantity: "temperature",
        to_base: Linear { scale: 1.0, offset: -273.15 },
    },
    unit("kmh", &["km/h", "kph"], "speed", 1.0),
    unit("mps", &["m/s"], "speed", 3.6),
    unit("mph", &["mi/h"], "speed", 1.609_344),
    unit("kn", &["kt", "knots"], "speed", 1.852),
    unit("hpa", &["mbar"], "pressure", 1.0),
    unit("pa", &[], "pressure", 0.01),
    unit("kpa", &[], "pressure", 10.0),
    unit("bar", &[], "pressure", 1000.0),
    unit("psi", &[], "pressure", 68.947_572_931_683_6),
    unit("inhg", &[], "pressure", 33.863_89),
    unit("mmhg", &["torr"], "pressure", 1.333_224),
    unit("w", &["watt"], "power", 1.0),
    unit("mw", &[], "power", 0.001),
    unit("kw", &[], "power", 1000.0),
    unit("kwh", &[], "energy", 1.0),
    unit("wh", &[], "energy", 0.001),
    unit("mwh", &[], "energy", 1000.0),
    unit("j", &[], "energy", 1.0 / 3_600_000.0),
    unit("mj", &[], "energy", 1.0 / 3.6),
    unit("va", &[], "apparent power", 1.0),
    unit("kva", &[], "apparent power", 1000.0),
    unit("var", &[], "reactive power", 1.0),
    unit("kvar", &[], "reactive power", 1000.0),
    unit("v", &["volt"], "voltage", 1.0),
    unit("mv", &[], "voltage", 0.001),
    unit("kv", &[], "voltage", 1000.0),
    unit("a", &["ampere", "amp"], "current", 1.0),
    unit("ma", &[], "current", 0.001),
    unit("hz", &[], "frequency", 1.0),
    unit("khz", &[], "frequency", 1000.0),
    unit("rpm", &["1/min"], "frequency", 1.0 / 60.0),
    unit("pct", &["%", "percent"], "share", 1.0),
    unit("permille", &["‰"], "share", 0.1),
    unit("m", &["meter", "metre"], "length", 1.0),
    unit("mm", &[], "length", 0.001),
    unit("cm", &[], "length", 0.01),
    unit("km", &[], "length", 1000.0),
    unit("in", &["inch"], "length", 0.0254),
    unit("ft", &["foot", "feet"], "length", 0.3048),
    unit("mi", &["mile", "miles"], "length", 1609.344),
    unit("s", &["sec", "second", "seconds"], "time", 1.0),
    unit("ms", &[], "time", 0.001),
    unit("us", &["µs", "μs"], "time", 0.000_001),
    unit("min", &["minute", "minutes"], "time", 60.0),
    unit("h", &["hour", "hours"], "time", 3600.0),
    unit("d", &["day", "days"], "time", 86_400.0),
    unit("l", &["liter", "litre"], "volume", 1.0),
    unit("ml", &[], "volume", 0.001),
    unit("m3", &["m³"], "volume", 1000.0),
    unit("gal", &["gallon"], "volume", 3.785_411_784),
    unit("lpm", &["l/min"], "flow", 1.0),
    unit("lph", &["l/h"], "flow", 1.0 / 60.0),
    unit("m3h", &["m³/h", "m3/h"], "flow", 1000.0 / 60.0),
    unit("kg", &[], "mass", 1.0),
    unit("g", &[], "mass", 0.001),
    unit("lb", &["lbs", "pound"], "mass", 0.453_592_37),
    unit("lx", &["lux"], "illuminance", 1.0),
    unit("wm2", &["w/m²", "w/m2"], "irradiance", 1.0),
    unit("ppm", &[], "mixing ratio", 1.0),
    unit("ppb", &[], "mixing ratio", 0.001),
    unit("ugm3", &["µg/m³", "μg/m³", "ug/m3", "µg/m3"], "concentration", 1.0),
    unit("mgm3", &["mg/m³", "mg/m3"], "concentration", 1000.0),
    unit("deg", &["°", "degree", "degrees"], "angle", 1.0),
    unit("rad", &[], "angle", 57.295_779_513_082_32),
    unit("dbm", &[], "signal", 1.0),
    unit("db", &[], "level", 1.0),
    unit("bytes", &["b", "byte"], "data", 1.0),
    unit("kib", &[], "data", 1024.0),
    unit("mib", &[], "data", 1_048_576.0),
    unit("gib", &[], "data", 1_073_741_824.0),
    unit("kb", &[], "data", 1000.0),
    unit("mb", &[], "data", 1_000_000.0),
    unit("gb", &[], "data", 1_000_000_000.0),
    unit("bps", &["bit/s"], "data rate", 1.0),
    unit("kbps", &["kbit/s"], "data rate", 1000.0),
    unit("mbps", &["mbit/s"], "data rate", 1_000_000.0),
];

/// What lower case would confuse with another: a millionth of what is meant, or a million times it.
const AMBIGUOUS: [(&str, Linear, &str); 2] = [
    ("MW", Linear { scale: 1_000_000.0, offset: 0.0 }, "power"),
    ("mWh", Linear { scale: 0.000_001, offset: 0.0 }, "energy"),
];

/// What a unit is of, and how it becomes that quantity's first unit.
fn find(text: &str) -> Option<(&'static str, Linear)> {
    let text = text.trim();
    if let Some((_, line, quantity)) = AMBIGUOUS.iter().find(|(written, _, _)| *written == text) {
        return Some((*quantity, *line));
    }
    let lower = text.to_lowercase();
    let known = UNITS.iter().find(|unit| unit.suffix == lower || unit.written.contains(&lower.as_str()));
    known.map(|unit| (unit.quantity, unit.to_base))
}

/// The unit that a field's name ends with, if it does.
#[must_use]
pub fn unit_of_field(field: &str) -> Option<&'static Unit> {
    let (_, suffix) = field.rsplit_once('_')?;
    UNITS.iter().find(|unit| unit.suffix == suffix)
}

/// How a field's name ends for a unit as people write it: `kmh` for `km/h`. None when the unit is not known.
#[must_use]
pub fn suffix_of(text: &str) -> Option<&'static str> {
    let lower = text.trim().to_lowercase();
    let known = UNITS.iter().find(|unit| unit.suffix == lower || unit.written.contains(&lower.as_str()));
    known.map(|unit| unit.suffix)
}

/// How values in `unit` become values of `field`.
///
/// # Errors
/// Why they cannot, and what to write instead.
pub fn conversion(unit: &str, field: &str) -> Result<Linear, String> {
    let of_field = unit_of_field(field);
    match (find(unit), of_field) {
        (Some((quantity, line)), Some(target)) if quantity == target.quantity => {
            Ok(line.then(target.to_base.inverse()))
        }
        (Some((quantity, _)), Some(target)) => Err(format!(
            "{unit:?} is a unit of {quantity}, and the field {field} is {} by its name ({}): change one of them",
            target.quantity, target.suffix
        )),
        (Some(_), None) => {
            let suffix = suffix_of(unit).unwrap_or("unit");
            Err(format!("the name of the field {field} does not say its unit: name it {field}_{suffix}"))
        }
        // A unit of nobody's list is kept as it is, when the field's name says it.
        (None, _) if field.ends_with(&format!("_{}", unit.to_lowercase())) => Ok(Linear::IDENTITY),
        (None, _) => Err(format!(
            "{unit:?} is not a known unit (docs/sources.md lists them): leave it out and give scale and offset, or end the field's name \
             with it"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn converts(value: f64, unit: &str, field: &str, expected: f64) {
        let found = conversion(unit, field).unwrap().apply(value);
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{value} {unit} is {found} in {field}");
    }

    #[test]
    fn what_people_measure_is_converted() {
        converts(68.0, "°F", "temperature_c", 20.0);
        converts(20.0, "C", "temperature_f", 68.0);
        converts(293.15, "K", "temperature_c", 20.0);
        converts(10.0, "m/s", "speed_kmh", 36.0);
        converts(60.0, "mph", "speed_kmh", 96.56064);
        converts(101.325, "kPa", "pressure_hpa", 1013.25);
        converts(29.92, "inHg", "pressure_hpa", 1013.2076);
        converts(14.5038, "psi", "pressure_bar", 1.000_002);
        converts(1.5, "kW", "power_w", 1500.0);
        converts(1.5, "MW", "power_w", 1_500_000.0);
        converts(1.5, "mW", "power_w", 0.0015);
        converts(1234.0, "Wh", "energy_kwh", 1.234);
        converts(3.0, "MWh", "energy_kwh", 3000.0);
        converts(3.0, "mWh", "energy_kwh", 0.000_003);
        converts(55.0, "%", "humidity_pct", 55.0);
        converts(3000.0, "rpm", "rotor_hz", 50.0);
        converts(5.0, "barrels", "oil_barrels", 5.0);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_a_remedy() {
        assert!(conversion("kPa", "temperature_c").unwrap_err().contains("a unit of pressure"));
        assert!(conversion("km/h", "speed").unwrap_err().contains("name it speed_kmh"));
        assert!(conversion("furlongs", "distance_m").unwrap_err().contains("not a known unit"));
    }

    #[test]
    fn every_unit_is_found_by_its_suffix_and_by_what_people_write() {
        for unit in UNITS {
            let field = format!("x_{}", unit.suffix);
            assert_eq!(unit_of_field(&field), Some(unit), "{field}: two units with one suffix");
            for text in unit.written.iter().chain([&unit.suffix]) {
                let line = conversion(text, &field).unwrap();
                assert!((line.apply(7.0) - 7.0).abs() < 1e-9, "{text} is not {field}");
            }
        }
    }

    #[test]
    fn the_use_cases_name_their_units_as_these_do() {
        for usecase in fogline_protocol::usecase::REGISTRY {
            for field in usecase.fields().iter().filter(|field| unit_of_field(field.name).is_some()) {
                assert!(conversion(field.unit, field.name).is_ok(), "{} is in {}", field.name, field.unit);
            }
        }
    }
}
