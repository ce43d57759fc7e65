//! Topic filters of MQTT (3.1.1, section 4.7).

use serde::Deserialize;
use std::fmt;

/// The longest filter, in bytes: far above any device's topics.
const FILTER_MAX_BYTES: usize = 512;

/// A topic filter: levels, of which `+` stands for one and a last `#` for all that follow.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Filter(String);

impl Filter {
    /// True when messages on this topic are asked for.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let (mut levels, mut given) = (self.0.split('/'), topic.split('/'));
        if topic.starts_with('$') && self.0.starts_with(['+', '#']) {
            return false;
        }
        loop {
            match (levels.next(), given.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(_)) => {}
                (Some(level), Some(name)) if level == name => {}
                _ => return false,
            }
        }
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Filter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let last = text.split('/').count();
        let level = |(number, level): (usize, &str)| match level {
            "+" => true,
            "#" => number + 1 == last,
            _ => !level.contains(['+', '#']),
        };
        let good = !text.is_empty()
            && text.len() <= FILTER_MAX_BYTES
            && !text.chars().any(char::is_control)
            && text.split('/').enumerate().all(level);
        if good {
            Ok(Self(text))
        } else {
            Err(format!("{text:?} is no topic filter: write it as in plant/+/power or plant/#"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_the_standard_says() {
        let filter = |text: &str| Filter::try_from(text.to_owned()).unwrap();
        for (text, topic, expected) in [
            ("a/+/c", "a/b/c", true),
            ("a/+/c", "a/b/d", false),
            ("a/+", "a", false),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a", true),
            ("#", "$SYS/a", false),
            ("+/a", "$SYS/a", false),
            ("+", "a/b", false),
            ("a", "a/b", false),
        ] {
            assert_eq!(filter(text).matches(topic), expected, "{text} {topic}");
        }
        for bad in ["", "a/#/b", "a+/b", "a/b#", "a\0b"] {
            assert!(Filter::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
