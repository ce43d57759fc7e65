//! Names made of parts of a topic or a payload: `{2}`, `meter-{$.id}`, `{3..}`.

use super::path::JsonPath;
use serde::Deserialize;
use serde_json::Value;
use std::str::FromStr;

/// A text with places in it that are filled in for each message: `{2}` is the second level of the topic, `{3..}` all from the third on,
/// `{last}` the last one, `{$.id}` what the payload has there.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Level(usize),
    LevelsFrom(usize),
    LastLevel,
    Path(JsonPath),
}

impl Template {
    /// True when it is the same for every message.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text for a message on the topic of these levels, with this payload. None when it has no such part.
    #[must_use]
    pub fn fill(&self, levels: &[&str], payload: &Value) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Level(number) => text.push_str(levels.get(number - 1)?),
                Part::LevelsFrom(number) => text.push_str(&levels.get(number - 1..)?.join("/")),
                Part::LastLevel => text.push_str(levels.last()?),
                Part::Path(path) => match path.find(payload)? {
                    Value::String(part) => text.push_str(part),
                    part @ (Value::Number(_) | Value::Bool(_)) => text.push_str(&part.to_string()),
                    Value::Null | Value::Array(_) | Value::Object(_) => return None,
                },
            }
        }
        Some(text).filter(|text| !text.is_empty())
    }
}

impl TryFrom<String> for Template {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let problem = || {
            format!(
                "{text:?}: in braces write the number of a level of the topic as in {{2}} or {{3..}}, {{last}}, or a path as in {{$.id}}"
            )
        };
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (place, after) = after.split_once('}').ok_or_else(problem)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(part(place).ok_or_else(problem)?);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| !matches!(part, Part::Text(text) if text.is_empty()));
        if parts.is_empty() { Err("there is nothing in it".to_owned()) } else { Ok(Self { parts }) }
    }
}

fn part(place: &str) -> Option<Part> {
    let number = |text: &str| text.parse().ok().filter(|number: &usize| *number > 0);
    match place {
        "last" => Some(Part::LastLevel),
        _ if place.starts_with(['$', '/']) => place.parse().ok().map(Part::Path),
        _ => match place.strip_suffix("..") {
            Some(from) => number(from).map(Part::LevelsFrom),
            None => number(place).map(Part::Level),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_filled_in() {
        let (levels, payload) =
            (["shellies", "plug-1", "relay", "0", "power"], json!({"id": 7, "who": {"name": "Bad"}, "none": null}));
        for (text, expected) in [
            ("boiler", Some("boiler")),
            ("{2}", Some("plug-1")),
            ("{2}-{4}", Some("plug-1-0")),
            ("{3..}", Some("relay/0/power")),
            ("{last}", Some("power")),
            ("meter-{$.id}", Some("meter-7")),
            ("{$.who.name}", Some("Bad")),
            ("{6}", None),
            ("{$.none}", None),
            ("{$.who}", None),
        ] {
            let template: Template = text.parse().unwrap();
            assert_eq!(template.fill(&levels, &payload).as_deref(), expected, "{text}");
        }
        for bad in ["", "{", "{0}", "{x}", "{$..a}", "a{1"] {
            assert!(bad.parse::<Template>().is_err(), "{bad:?}");
        }
    }
}
