//! What an operator decides: it stands before what is computed, until it is cleared, replaced, or its time is over.
//!
//! A [`Directive`] is for one agent, or for all of a region; of both that for the agent counts. Agents are told by the register of
//! its key, with a decision whose body names the directive: so whoever leads sees from the newest decision of an agent whether it
//! was told.

use crate::ids::{AgentId, Name};
use crate::realm::Realm;
use crate::sensing::{self, Sensing};
use crate::time::Wall;
use crate::usecase::{self, LimitRule, UseCase};
use crate::wire::TTL_MAX_MS;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The longest time that a limit may be set for: what a register may last. What should last longer is for the rule of limits.
pub const LIMIT_SET_MAX_MS: u64 = TTL_MAX_MS;
/// The most directives in force: some megabytes. A fleet of more agents is directed by region.
pub const DIRECTIVES_MAX: usize = 4096;
/// The longest name of who set it, in characters: that of a token.
pub const BY_MAX_CHARS: usize = 63;

/// For whom, and which register.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Target {
    /// The region.
    pub region: Name,
    /// The agent; none: all of the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Name>,
    /// The register: `limit` or `config/sensing`.
    pub key: String,
}

impl Target {
    /// Whether it is for this agent too.
    #[must_use]
    pub fn concerns(&self, id: &AgentId) -> bool {
        self.region == id.region && self.agent.as_ref().is_none_or(|agent| *agent == id.agent)
    }
}

/// What an operator decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Directive {
    /// Its number: when it was set, in microseconds, or one more than the one before. Rising.
    pub id: u64,
    /// For whom, and which register.
    #[serde(flatten)]
    pub target: Target,
    /// What was decided, in the words of its register: `{"limit_kmh":80}`.
    pub body: Value,
    /// Who set it: the name of a token; none where nobody needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When, in microseconds since 1970, by the ingester's clock.
    pub set_us: i64,
    /// When it ends by itself; none: it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_us: Option<i64>,
    /// How it ended; none while it is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// How a directive ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// In which way.
    pub how: End,
    /// Who replaced or cleared it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// In which way a directive ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Another one of the same target was set.
    Replaced,
    /// An operator took it back.
    Cleared,
    /// Its time was over.
    Expired,
}

impl End {
    /// As in JSON and in databases.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::Cleared => "cleared",
            Self::Expired => "expired",
        }
    }
}

/// What an operator asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectiveChange {
    /// For whom, and which register.
    pub target: Target,
    /// What to set, and until when; none: clear it.
    pub set: Option<(Value, Option<i64>)>,
    /// Who asks.
    pub by: Option<String>,
}

/// Why a change was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveRefusal {
    /// Correct the value.
    #[error("{0}")]
    Value(String),
    /// There is nothing to clear.
    #[error("no operator has set {0} there")]
    NotSet(String),
    /// Clear some.
    #[error("{DIRECTIVES_MAX} directives are in force, and no more are kept: clear some, or direct a region")]
    Full,
    /// Another ingester takes that region.
    #[error(
        "this ingester takes {takes}, and not region {region}: ask one that takes it; GET /api/v1/health of each says what it takes"
    )]
    NotTaken {
        /// Where something was to be decided.
        region: Name,
        /// Whose agents it takes.
        takes: Realm,
    },
    /// This ingester does not lead.
    #[error("this ingester stands by")]
    StandsBy,
}

impl Directive {
    /// What agents are told in its register.
    #[must_use]
    pub fn told(&self) -> Value {
        let mut body = self.body.clone();
        if let Some(object) = body.as_object_mut() {
            object.insert("by".to_owned(), "operator".into());
            object.insert("directive".to_owned(), self.id.into());
            if let Some(until_us) = self.until_us {
                object.insert("until_us".to_owned(), until_us.into());
            }
        }
        body
    }

    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, now: Wall) -> bool {
        self.until_us.is_some_and(|until_us| until_us <= now.us())
    }

    /// How long a decision of it is in force, in milliseconds: at least 1.
    #[must_use]
    pub fn ttl_ms(&self, now: Wall) -> u64 {
        let left = self.until_us.map(|until_us| Wall::from_us(until_us).since(now).as_millis());
        left.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(TTL_MAX_MS).clamp(1, TTL_MAX_MS)
    }
}

/// Which directive the body of a decision tells of.
#[must_use]
pub fn directive_of(body: &Value) -> Option<u64> {
    body.get("directive")?.as_u64()
}

/// In place of the body of a directive that was not answered in its time: it has the number that no directive has.
pub(crate) fn unknown() -> Value {
    json!({ "directive": 0 })
}

/// What a register's body says when an operator took back what he had set, and nothing takes its place.
#[must_use]
pub fn nothing(key: &str) -> Value {
    steered_by(key).map_or_else(|| json!({}), UseCase::undecided)
}

/// Checks what is to be set in a register, and gives it in its own words.
///
/// # Errors
/// [`DirectiveRefusal::Value`] says what is wrong, and what would be right.
pub fn check(
    key: &str,
    body: &Value,
    until_us: Option<i64>,
    rule: &LimitRule,
    now: Wall,
) -> Result<Value, DirectiveRefusal> {
    if key == sensing::KEY {
        let checked = Sensing::parse(body).map_err(|error| DirectiveRefusal::Value(error.to_string()))?;
        return Ok(checked.body());
    }
    let usecase =
        steered_by(key).ok_or_else(|| DirectiveRefusal::Value(format!("there is no register {key} to set")))?;
    check_until(until_us, now)?;
    usecase.overridden(body, rule).map_err(DirectiveRefusal::Value)
}

fn check_until(until_us: Option<i64>, now: Wall) -> Result<(), DirectiveRefusal> {
    let last = now.us().saturating_add(i64::try_from(LIMIT_SET_MAX_MS).unwrap_or(i64::MAX).saturating_mul(1000));
    match until_us {
        None => Err(DirectiveRefusal::Value(
            "until_us is missing: say when the limit ends, at most a day from now".to_owned(),
        )),
        Some(us) if us <= now.us() => Err(DirectiveRefusal::Value(format!(
            "until_us is {us}, which is not after now ({}): give a later time",
            now.us()
        ))),
        Some(us) if us > last => Err(DirectiveRefusal::Value(format!(
            "until_us is {us}: a limit may be set for a day at most, until {last}; set it again, or change the rule of limits"
        ))),
        Some(_) => Ok(()),
    }
}

/// The use case whose averages steer a register.
fn steered_by(key: &str) -> Option<&'static dyn UseCase> {
    usecase::REGISTRY.into_iter().find(|usecase| usecase.steering().is_some_and(|steering| steering.key == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall::from_us(1_700_000_000_000_000);
    const DAY_US: i64 = 86_400_000_000;

    fn limit(kmh: Value, until_us: Option<i64>) -> Result<Value, DirectiveRefusal> {
        check("limit", &json!({ "limit_kmh": kmh }), until_us, &LimitRule::default(), NOW)
    }

    #[test]
    fn a_limit_is_within_the_rule_and_ends_within_a_day() {
        let soon = Some(NOW.us() + 1);
        assert_eq!(limit(json!(80), soon), Ok(json!({ "limit_kmh": 80.0 })));
        assert!(limit(json!(60), Some(NOW.us() + DAY_US)).is_ok());
        for kmh in [json!(59.9), json!(131), json!(null), json!("80"), json!(-1)] {
            assert!(matches!(limit(kmh.clone(), soon), Err(DirectiveRefusal::Value(_))), "{kmh}");
        }
        for until in [None, Some(NOW.us()), Some(NOW.us() + DAY_US + 1), Some(i64::MIN), Some(i64::MAX)] {
            assert!(matches!(limit(json!(80), until), Err(DirectiveRefusal::Value(_))), "{until:?}");
        }
        assert!(check("notice/postcode", &json!({}), soon, &LimitRule::default(), NOW).is_err());
    }

    #[test]
    fn what_agents_are_told_names_the_directive() {
        let target = Target { region: Name::new("a7").unwrap(), agent: None, key: "limit".to_owned() };
        let (body, until_us) = (json!({ "limit_kmh": 80.0 }), Some(NOW.us() + 5_000_000));
        let set =
            Directive { id: 7, target, body, by: Some("anna".to_owned()), set_us: NOW.us(), until_us, ended: None };
        let told = set.told();
        assert_eq!(told, json!({ "limit_kmh": 80.0, "by": "operator", "directive": 7, "until_us": until_us }));
        assert_eq!((directive_of(&told), set.ttl_ms(NOW), set.is_over(NOW)), (Some(7), 5000, false));
        let over = Wall::from_us(NOW.us() + 5_000_000);
        assert_eq!((set.ttl_ms(over), set.is_over(over)), (1, true));
        assert_eq!((nothing("limit"), directive_of(&nothing("limit"))), (json!({ "limit_kmh": null }), None));
    }
}
