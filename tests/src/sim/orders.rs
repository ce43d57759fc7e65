//! What operators order, and when: limits with an end, configurations, and taking back either.

use super::options::{AgentOptions, SECOND_US, pick};
use fogline_protocol::directive::Target;
use fogline_protocol::rng::Rng;
use fogline_protocol::sensing::{self, Sensing};
use serde_json::{Value, json};

/// An agent that samples so often hears nobody: a configuration that makes a device deaf.
const DEAF_MS: u64 = 7_777;
/// An agent that samples so often does not live for long: a configuration that kills.
const DEADLY_MS: u64 = 6_666;
/// What else configurations say.
const HARMLESS_MS: [u64; 3] = [200, 500, 2_000];

/// The register of limits.
pub const LIMIT: &str = "limit";

/// What is to hold in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// A limit in km/h, for so many microseconds.
    Limit(u32, u64),
    /// How to sample.
    Config(Sensing),
}

/// What an operator orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// For whom, and which register.
    pub target: Target,
    /// What; none: take back what was set.
    pub set: Option<Setting>,
    /// The operator asks the ingester of this site, whoever leads; none: the one that leads.
    pub site: Option<usize>,
}

impl Setting {
    /// As it is asked for by a clock that shows `now_us`.
    #[must_use]
    pub fn asked(self, now_us: i64) -> (Value, Option<i64>) {
        match self {
            Self::Limit(kmh, for_us) => {
                (json!({ "limit_kmh": f64::from(kmh) }), Some(now_us.saturating_add_unsigned(for_us)))
            }
            Self::Config(sensing) => (sensing.body(), None),
        }
    }
}

/// True when an agent that works with this hears nobody.
#[must_use]
pub fn is_deaf(sensing: &Sensing) -> bool {
    sensing.sampling_ms == Some(DEAF_MS)
}

/// True when an agent that works with this dies of it.
#[must_use]
pub fn is_deadly(sensing: &Sensing) -> bool {
    sensing.sampling_ms == Some(DEADLY_MS)
}

/// Draws what is ordered within `faulty_us`: nothing in a third of the seeds.
pub(super) fn draw(agents: &[AgentOptions], sites: usize, faulty_us: u64, rng: &mut Rng) -> Vec<(u64, Order)> {
    let count = if rng.percent(67) { 2 + rng.below(8) } else { 0 };
    (0..count).map(|_| (rng.below(faulty_us), draw_order(agents, sites, rng))).collect()
}

fn draw_order(agents: &[AgentOptions], sites: usize, rng: &mut Rng) -> Order {
    let agent = &pick(rng, agents).id;
    let named = rng.percent(50).then(|| agent.agent.clone());
    let limits = rng.percent(50);
    let key = if limits { LIMIT } else { sensing::KEY };
    let set = match (rng.percent(75), limits) {
        (false, _) => None,
        (true, true) => Some(draw_limit(rng)),
        (true, false) => Some(Setting::Config(draw_sensing(rng))),
    };
    let anybody = usize::try_from(rng.below(sites as u64)).unwrap_or(0);
    let site = rng.percent(15).then_some(anybody);
    Order { target: Target { region: agent.region.clone(), agent: named, key: key.to_owned() }, set, site }
}

fn draw_limit(rng: &mut Rng) -> Setting {
    let kmh = *pick(rng, &[60, 80, 100, 130]);
    Setting::Limit(kmh, *pick(rng, &[2 * SECOND_US, 10 * SECOND_US, 300 * SECOND_US]))
}

fn draw_sensing(rng: &mut Rng) -> Sensing {
    let sampling_ms = match rng.below(10) {
        0 | 1 => DEAF_MS,
        2 => DEADLY_MS,
        _ => *pick(rng, &HARMLESS_MS),
    };
    Sensing { sampling_ms: Some(sampling_ms), window_ms: rng.percent(30).then_some(10_000) }
}
