//! Units as Grafana names them.

use fogline_protocol::usecase::{self, Field};

/// A count without a unit.
pub(super) const COUNT: &str = "short";
/// Seconds.
pub(super) const SECONDS: &str = "s";
/// Bytes, in powers of 1024.
pub(super) const BYTES: &str = "bytes";
/// Readings a second.
pub(super) const READINGS_PER_S: &str = "suffix: readings/s";
/// Readings.
pub(super) const READINGS: &str = "suffix: readings";
/// Texts and rows have none.
pub(super) const NONE: &str = "none";

/// Grafana's name of a unit of the use cases' registry. Those that it does not know are written behind the number.
pub(super) fn of(unit: &str) -> String {
    match unit {
        "km/h" => "velocitykmh".to_owned(),
        "hPa" => "pressurehpa".to_owned(),
        "°C" => "celsius".to_owned(),
        "W" => "watt".to_owned(),
        "kWh" => "kwatth".to_owned(),
        "1" => COUNT.to_owned(),
        other => format!("suffix: {other}"),
    }
}

/// A field of the registry.
///
/// # Panics
/// When there is none of that name: boards name fields that are there, and a test asks for all boards.
pub(super) fn field(kind: &str, name: &str) -> Field {
    let known = usecase::find(kind).and_then(|usecase| usecase.fields().iter().find(|field| field.name == name));
    *known.unwrap_or_else(|| panic!("no field {name} of {kind} in the registry"))
}
