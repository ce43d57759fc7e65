//! The part of Home Assistant's value templates that names a place: `{{ value_json.temperature | float }}`.

use crate::source::mapping::JsonPath;

/// What a template takes of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// All of it.
    Whole,
    /// One place.
    Path(JsonPath),
}

/// Filters that change nothing that a number would notice.
const FILTERS: [&str; 6] = ["float", "int", "round", "default", "is_defined", "lower"];

/// Reads a template. None when it does more than name a place.
pub(super) fn read(text: &str) -> Option<Taken> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let mut parts = inside.split('|').map(str::trim);
    let place = parts.next()?;
    let harmless = |filter: &str| {
        let name = filter.split('(').next().unwrap_or_default().trim();
        FILTERS.contains(&name)
    };
    if !parts.all(harmless) {
        return None;
    }
    match place.strip_prefix("value_json") {
        Some(path) => format!("${path}").parse().ok().map(Taken::Path),
        None => (place == "value").then_some(Taken::Whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_calculations_refused() {
        let path = |text: &str| Some(Taken::Path(text.parse().unwrap()));
        assert_eq!(read("{{ value_json.temperature }}"), path("$.temperature"));
        assert_eq!(read("{{value_json['ENERGY']['Power'] | float(0) | round(1)}}"), path("$['ENERGY']['Power']"));
        assert_eq!(read("{{ value_json.ENERGY.Power }}"), path("$.ENERGY.Power"));
        assert_eq!(read("{{ value | float }}"), Some(Taken::Whole));
        for other in [
            "",
            "21",
            "{{ value_json.t * 2 }}",
            "{{ value_json.t | timestamp_custom('%H') }}",
            "{% if value %}1{% endif %}",
            "{{ states('x') }}",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
