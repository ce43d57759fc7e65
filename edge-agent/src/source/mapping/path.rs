//! Where a value is in a JSON text: JSONPath, as far as it names one place (the singular queries of RFC 9535, section 2.3.5.1), or a JSON
//! Pointer (RFC 6901).
//!
//! A whole JSONPath crate brings a regular expression engine with it, a quarter of the room that the agent's package has left, and what it
//! adds (filters, slices, descent) gives lists, where a field takes one value.

use serde::Deserialize;
use serde_json::Value;
use std::str::FromStr;

/// Deeper than any device's message.
const STEPS_MAX: usize = 16;

/// A place in a JSON text: `$.ENERGY.Power`, `$['a b'][0]`, `/ENERGY/Power`, or the name of a member of the outermost object.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct JsonPath {
    steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Member(String),
    /// Negative ones count from the end.
    Element(i64),
    /// A pointer's number, which may be either.
    Token(String),
}

impl JsonPath {
    /// The name of the last member that it names.
    #[must_use]
    pub fn last_member(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Member(name) | Step::Token(name) => Some(name.as_str()),
            Step::Element(_) => None,
        })
    }

    /// The value there.
    #[must_use]
    pub fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.steps.iter().try_fold(value, |value, step| step.go(value))
    }
}

impl Step {
    fn go<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self, value) {
            (Self::Member(name) | Self::Token(name), Value::Object(object)) => object.get(name),
            (Self::Element(index), Value::Array(elements)) => {
                let from_end = usize::try_from(index.unsigned_abs()).ok()?;
                let index = if *index < 0 { elements.len().checked_sub(from_end)? } else { from_end };
                elements.get(index)
            }
            (Self::Token(index), Value::Array(elements)) => elements.get(index.parse::<usize>().ok()?),
            _ => None,
        }
    }
}

impl TryFrom<String> for JsonPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for JsonPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let steps = match text.chars().next() {
            Some('/') => Some(text.split('/').skip(1).map(pointer_token).collect()),
            Some('$') => text.strip_prefix('$').and_then(steps),
            Some(_) => Some(vec![Step::Member(text.to_owned())]),
            None => None,
        };
        let steps = steps.filter(|steps: &Vec<Step>| steps.len() <= STEPS_MAX);
        steps.map(|steps| Self { steps }).ok_or_else(|| {
            format!("{text:?} names no one place: write it as in $.ENERGY.Power, $['a b'][0] or /ENERGY/Power")
        })
    }
}

fn pointer_token(token: &str) -> Step {
    Step::Token(token.replace("~1", "/").replace("~0", "~"))
}

fn steps(mut rest: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = next_step(rest)?;
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

fn next_step(text: &str) -> Option<(Step, &str)> {
    if let Some(name) = text.strip_prefix('.') {
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (name, rest) = name.split_at_checked(end)?;
        let plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-' || c == ':');
        return plain.then(|| (Step::Member(name.to_owned()), rest));
    }
    let inside = text.strip_prefix('[')?;
    if let Some(quote) = inside.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (name, rest) = inside.get(1..)?.split_once(quote)?;
        return Some((Step::Member(name.to_owned()), rest.strip_prefix(']')?));
    }
    let (index, rest) = inside.split_once(']')?;
    Some((Step::Element(index.trim().parse().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_found() {
        let value =
            json!({"ENERGY": {"Power": 3, "a b": [1, 2, {"x": true}]}, "switch:0": 7, "a/b": 8, "temperature": 9});
        for (path, expected) in [
            ("$.ENERGY.Power", json!(3)),
            ("$['ENERGY'][\"a b\"][-1].x", json!(true)),
            ("$.ENERGY['a b'][0]", json!(1)),
            ("/ENERGY/a b/1", json!(2)),
            ("/a~1b", json!(8)),
            ("$.switch:0", json!(7)),
            ("temperature", json!(9)),
        ] {
            assert_eq!(path.parse::<JsonPath>().unwrap().find(&value), Some(&expected), "{path}");
        }
        for path in ["$.ENERGY.None", "$.ENERGY['a b'][9]", "$[0]", "/ENERGY/a b/-1"] {
            assert_eq!(path.parse::<JsonPath>().unwrap().find(&value), None, "{path}");
        }
    }

    #[test]
    fn what_may_name_many_places_is_refused() {
        for path in [
            "",
            "$..Power",
            "$.*",
            "$[*]",
            "$[1:2]",
            "$[?@.a]",
            "$['a'",
            "$a",
            "$.a[",
            &"$.a.b".replace('$', &format!("${}", ".c".repeat(20))),
        ] {
            assert!(path.parse::<JsonPath>().is_err(), "{path}");
        }
    }
}
