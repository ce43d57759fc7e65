//! Garages whose hour is a second.

use crate::invoices::{Movement, cars};
use fogline_tests::real::{Agent, AgentRecipe, until};
use serde_json::Value;

/// The name of their agent.
pub(crate) const AGENT: &str = "garages";
/// What an hour costs.
pub(crate) const TARIFF_CENTS: i64 = 250;
/// Cars of which all two garages have room for.
pub(crate) const CAPACITY: i64 = 40;

/// Two garages with some 24 entries and exits a second.
pub(crate) fn start(recipe: AgentRecipe) -> Agent {
    recipe
        .args(["--source", "garage", "--garages", "2", "--capacity", "20", "--tariff-cents", "250", "--pace", "3600"])
        .args(["--from", "2024-06-01T00:00:00Z", "--in-order", "--ask", "occupancy", "--ask-every", "1s"])
        .start()
}

/// The answer that an agent had last: garages, cars in them, and room.
pub(crate) fn occupancy(agent: &Agent) -> Option<[i64; 3]> {
    let status = agent.status()?;
    let answers = status.pointer("/live/answers")?.as_array()?.clone();
    let body = answers.iter().find(|answer| answer["what"] == "occupancy")?.get("body")?.clone();
    let number = |name: &str| body.get(name).and_then(Value::as_f64).map(cars);
    Some([number("garages")?, number("occupied")?, number("capacity")?])
}

/// Waits until an answer says what the newest entries and exits say.
pub(crate) fn until_answered(agent: &Agent, movements: &[Movement]) {
    let newest = |garage: &str| movements.iter().rfind(|movement| movement.garage == garage).unwrap().occupied;
    let expected = [2, newest("garage-1") + newest("garage-2"), CAPACITY];
    until(&format!("the answer {expected:?}"), || (occupancy(agent)? == expected).then_some(()));
}
