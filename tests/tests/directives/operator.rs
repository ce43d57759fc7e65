//! `fogline limit` and `fogline agent config`, as an operator types them.

use fogline_tests::real::{Agent, Ingester, Recipe};
use serde_json::Value;

/// What a command said, and whether it was content.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) content: bool,
    pub(crate) text: String,
}

impl Said {
    /// The last line, as JSON.
    pub(crate) fn json(&self) -> Value {
        let line = self.text.lines().find(|line| line.starts_with('{')).unwrap_or_else(|| panic!("{self:?}"));
        serde_json::from_str(line).unwrap()
    }
}

/// Types a line, for an ingester.
pub(crate) fn operator(ingester: &Ingester, line: &str) -> Said {
    let recipe = Recipe::ours("fogline").args(line.split(' ')).args(["--api", &format!("http://{}", ingester.http())]);
    let (status, text) = recipe.run();
    Said { content: status.success(), text }
}

/// The limit that holds on an agent, and whether its operator set it.
pub(crate) fn limit(agent: &Agent) -> Option<(f64, bool)> {
    let body = agent.in_force("limit")?;
    Some((body["limit_kmh"].as_f64()?, body["by"] == "operator"))
}

/// True when this limit of its operator holds on an agent.
pub(crate) fn is_set(agent: &Agent, kmh: f64) -> Option<()> {
    (limit(agent)? == (kmh, true)).then_some(())
}

/// True when what is computed holds on an agent.
pub(crate) fn is_computed(agent: &Agent) -> Option<()> {
    limit(agent).filter(|(_, by_operator)| !by_operator).map(|_| ())
}
