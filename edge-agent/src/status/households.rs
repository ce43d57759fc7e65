//! What the cloud told an agent of its households: where each is.

use super::render::LABEL;
use fogline_protocol::wire::Decision;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// Registers that say it begin with this: one may not hold all of a large agent's.
const KEY_PREFIX: &str = "notice/postcode";
/// Households that a person is shown; the others are counted.
const SHOWN: usize = 20;

/// Where a household is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HouseholdReport {
    /// Its postal code.
    pub postcode: String,
    /// The abbreviation of its federal state, if it was told.
    #[serde(default)]
    pub state: Option<String>,
}

/// Households by their sensor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HouseholdsReport(
    /// The households.
    pub BTreeMap<String, HouseholdReport>,
);

/// Whether a decision says where households are.
pub(super) fn is_notice(decision: &Decision) -> bool {
    decision.key.starts_with(KEY_PREFIX)
}

impl HouseholdsReport {
    /// What the decisions in force say. What is not understood is left out.
    pub(super) fn of(in_force: &[Decision]) -> Self {
        let told = in_force.iter().filter(|decision| is_notice(decision));
        let households = told.filter_map(|decision| decision.body.get("households")?.as_object()).flatten();
        let known =
            |(sensor, place): (&String, &Value)| Some((sensor.clone(), HouseholdReport::deserialize(place).ok()?));
        Self(households.filter_map(known).collect())
    }
}

impl fmt::Display for HouseholdsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        writeln!(f, "{:LABEL$}{} with a postal code", "households", self.0.len())?;
        let mut places: Vec<_> = self.0.iter().collect();
        // house-2 before house-10.
        places.sort_by_key(|(sensor, _)| (sensor.len(), *sensor));
        let width = places.iter().take(SHOWN).map(|(sensor, _)| sensor.len()).max().unwrap_or(0);
        for (sensor, HouseholdReport { postcode, state }) in places.iter().take(SHOWN) {
            let state = state.as_deref().unwrap_or_default();
            let line = format!("{:LABEL$}{sensor:width$}  {postcode}  {state}", "");
            writeln!(f, "{}", line.trim_end())?;
        }
        match places.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "{:LABEL$}and {more} more: --json shows all", ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::ids::{Name, Term};

    fn notice(key: &str, body: Value) -> Decision {
        let term = Term { counter: 1, ingester: Name::new("ingest-1").unwrap() };
        Decision { key: key.to_owned(), term, seq: 1, decided_us: 7, ttl_ms: 1000, body }
    }

    #[test]
    fn households_of_all_notices_are_listed() {
        let berlin = serde_json::json!({ "postcode": "10115", "state": "BE" });
        let first = serde_json::json!({ "households": { "house-10": berlin, "house-2": { "postcode": "80331" } } });
        let second = serde_json::json!({ "households": { "house-11": berlin, "house-12": 7 }, "more": true });
        let in_force = [
            notice("limit", serde_json::json!({ "households": { "house-99": berlin } })),
            notice("notice/postcode", first),
            notice("notice/postcode-2", second),
            notice("notice/postcode-3", serde_json::json!([])),
        ];
        let text = HouseholdsReport::of(&in_force).to_string();
        let expected = "households    3 with a postal code\n              house-2   80331\n              \
                        house-10  10115  BE\n              house-11  10115  BE\n";
        assert_eq!(text, expected);
        assert_eq!(HouseholdsReport::default().to_string(), "");
    }

    #[test]
    fn many_households_are_counted() {
        let places = (1..=1000).map(|n| (format!("house-{n}"), serde_json::json!({ "postcode": "10115" })));
        let body = serde_json::json!({ "households": places.collect::<serde_json::Map<_, _>>() });
        let text = HouseholdsReport::of(&[notice("notice/postcode", body)]).to_string();
        assert_eq!(text.lines().count(), 22);
        assert!(text.ends_with("and 980 more: --json shows all\n"), "{text}");
    }
}
