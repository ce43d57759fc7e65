//! What a seed draws: how many agents, how bad the network, the disks, the store and the clocks are.
//!
//! Each class of trouble is switched on by a coin of its own, so that some seeds have nothing but one of them and some
//! have all at once: bugs hide in both.

use super::agenda::Party;
use super::clocks::EPOCH_US;
use super::faults::{Timed, schedule, unset_clocks};
use super::orders::{self, Order};
use super::realms::Division;
use fogline_protocol::failover::PREFER_PRIMARY_AFTER_MIN;
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::queue::{FullPolicy, QueueLimits};
use fogline_protocol::rng::Rng;
use std::time::Duration;

/// A second, in microseconds.
pub const SECOND_US: u64 = 1_000_000;

/// What an agent measures, and how it is built.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// Its name and region.
    pub id: AgentId,
    /// The use case of its readings: `road` or `power`.
    pub kind: &'static str,
    /// The time between two measurements.
    pub every_us: u64,
    /// Readings of one measurement.
    pub burst: u64,
    /// Text fields of 250 bytes added to each reading, so that few readings fill a batch.
    pub padding: usize,
    /// Whether its source can be read again from a position, as a file can; a sensor cannot.
    pub replay: bool,
    /// After how long at a backup it returns to the first broker.
    pub prefer_primary_after: Option<Duration>,
    /// The bounds of its queue.
    pub limits: QueueLimits,
}

/// How the network mistreats messages.
#[derive(Debug, Clone, Copy)]
pub struct NetworkOptions {
    /// Messages lost, in percent.
    pub loss: u64,
    /// Messages delivered twice, in percent.
    pub duplication: u64,
    /// The longest delay of a message on one of its two ways. Delays are drawn one by one, so that messages overtake.
    pub delay_us: u64,
}

/// What a store promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// Points and state change in one transaction, as in SQLite.
    Transactional,
    /// Points are written first, one by their identity, and the state after them, as with InfluxDB.
    Identity,
}

/// How the store behaves.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// What it promises.
    pub kind: StoreKind,
    /// The longest time of one command.
    pub delay_us: u64,
    /// Commands that fail with nothing done, in percent.
    pub failure: u64,
    /// Commits that are done and reported as failed, in percent.
    pub lost_reply: u64,
    /// Readings that the database refuses for good, in percent.
    pub refusal: u64,
}

/// A clock that runs apart.
#[derive(Debug, Clone, Copy)]
pub struct ClockOptions {
    /// Whose.
    pub party: Party,
    /// Microseconds counted in a true second.
    pub rate: u64,
    /// How far the wall clock is off at the beginning.
    pub offset_us: i64,
}

/// All that a seed decides before the run.
#[derive(Debug, Clone)]
pub struct Options {
    /// The agents.
    pub agents: Vec<AgentOptions>,
    /// How many sites there are: a broker and an ingester each.
    pub sites: usize,
    /// The network.
    pub network: NetworkOptions,
    /// The longest time of one command of a queue's disk.
    pub disk_delay_us: u64,
    /// The store.
    pub store: StoreOptions,
    /// The clocks.
    pub clocks: Vec<ClockOptions>,
    /// How long agents let readings wait for a clock that is not set.
    pub clock_hold: Duration,
    /// The bytes that all agents together may have under way.
    pub credit_bytes: u64,
    /// The bytes of readings that the ingester holds at most.
    pub memory_bytes: u64,
    /// How long a limit is in force.
    pub ttl_ms: u64,
    /// How long things break. Then everything is healed.
    pub faulty_us: u64,
    /// How long readings come after that.
    pub healthy_us: u64,
    /// What breaks when.
    pub schedule: Vec<Timed>,
    /// What operators order, and when.
    pub orders: Vec<(u64, Order)>,
    /// How long agents try a configuration.
    pub trial: Duration,
    /// Whose agents each ingester takes.
    pub division: Division,
}

impl Options {
    /// Draws everything from `rng`.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        // Draws of their own, so that they change nothing for all the others.
        let mut unset_rng = Rng::new(rng.clone().next_u64());
        let mut order_rng = Rng::new(unset_rng.clone().next_u64());
        let agents = draw_agents(rng);
        let faulty_us = (15 + rng.below(30)) * SECOND_US;
        let store = draw_store(rng);
        let sites = *pick(rng, &[1, 2]);
        let parties = (0..agents.len()).map(Party::Agent).chain((0..sites).map(Party::Cloud));
        let clocks: Vec<ClockOptions> = parties.map(|party| draw_clock(party, rng)).collect();
        let of_unset = |clock: &ClockOptions| match clock.party {
            Party::Agent(agent) if clock.offset_us == -EPOCH_US => Some(agent),
            Party::Agent(_) | Party::Cloud(_) => None,
        };
        let unset: Vec<usize> = clocks.iter().filter_map(of_unset).collect();
        let clock_faults = unset_clocks(&unset, faulty_us, &mut unset_rng);
        let tight = rng.percent(40);
        Self {
            network: draw_network(rng),
            disk_delay_us: *pick(rng, &[500, 5_000, 60_000]),
            clocks,
            clock_hold: Duration::from_micros(*pick(&mut unset_rng, &[SECOND_US, 4 * SECOND_US, 15 * SECOND_US])),
            // A tight ingester has to slow its agents down, and one that holds less than it grants turns some of it away.
            credit_bytes: if tight { 200 * 1024 } else { 6 * 1024 * 1024 },
            memory_bytes: if tight { *pick(rng, &[120 * 1024, 256 * 1024]) } else { 32 * 1024 * 1024 },
            ttl_ms: *pick(rng, &[8_000, 60_000]),
            schedule: [schedule(agents.len(), sites, store.kind, faulty_us, rng), clock_faults].concat(),
            orders: orders::draw(&agents, sites, faulty_us, &mut order_rng),
            trial: Duration::from_micros(*pick(&mut order_rng, &[3 * SECOND_US, 8 * SECOND_US])),
            division: Division::draw(sites, store.kind, faulty_us, &mut order_rng),
            agents,
            sites,
            store,
            faulty_us,
            healthy_us: if rng.percent(25) { 30 * SECOND_US } else { 0 },
        }
    }
}

/// One of `choices`, which must not be empty.
pub(super) fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    let index = usize::try_from(rng.below(choices.len() as u64)).unwrap_or(0);
    &choices[index]
}

fn draw_agents(rng: &mut Rng) -> Vec<AgentOptions> {
    // Two of one region, because a limit follows from the average of a region; the others each on their own.
    const PLACES: [(&str, &str, &str); 4] =
        [("a7", "lane-1", "road"), ("a7", "lane-2", "road"), ("homes", "house-1", "power"), ("b2", "lane-9", "road")];
    let count = usize::try_from(1 + rng.below(4)).unwrap_or(1);
    PLACES.iter().take(count).map(|(region, agent, kind)| draw_agent(region, agent, kind, rng)).collect()
}

fn draw_agent(region: &str, agent: &str, kind: &'static str, rng: &mut Rng) -> AgentOptions {
    let name = |text| Name::new(text).unwrap_or_else(|_| unreachable!("the names above have the form of names"));
    let bursty = rng.percent(30);
    AgentOptions {
        id: AgentId { region: name(region), agent: name(agent) },
        kind,
        every_us: *pick(rng, &[50_000, 200_000, 900_000]),
        burst: if bursty { 1 + rng.below(12) } else { 1 },
        padding: if rng.percent(35) { 8 + usize::try_from(rng.below(20)).unwrap_or(0) } else { 0 },
        replay: rng.percent(40),
        prefer_primary_after: rng.percent(25).then_some(PREFER_PRIMARY_AFTER_MIN),
        limits: draw_limits(rng),
    }
}

fn draw_limits(rng: &mut Rng) -> QueueLimits {
    let small = rng.percent(35);
    QueueLimits {
        readings: if small { 30 + rng.below(100) } else { 1_000_000 },
        bytes: if rng.percent(10) { 40_000 } else { 1 << 30 },
        max_age_us: rng.percent(10).then_some(15_000_000),
        policy: *pick(rng, &[FullPolicy::DropOldest, FullPolicy::DropNewest, FullPolicy::Block]),
    }
}

fn draw_network(rng: &mut Rng) -> NetworkOptions {
    NetworkOptions {
        loss: if rng.percent(50) { rng.below(40) } else { 0 },
        duplication: if rng.percent(50) { rng.below(30) } else { 0 },
        delay_us: *pick(rng, &[2_000, 30_000, 300_000, 1_500_000]),
    }
}

fn draw_store(rng: &mut Rng) -> StoreOptions {
    StoreOptions {
        kind: *pick(rng, &[StoreKind::Transactional, StoreKind::Identity]),
        delay_us: *pick(rng, &[2_000, 20_000, 400_000]),
        failure: if rng.percent(40) { rng.below(30) } else { 0 },
        lost_reply: if rng.percent(40) { rng.below(30) } else { 0 },
        refusal: if rng.percent(25) { 1 + rng.below(10) } else { 0 },
    }
}

fn draw_clock(party: Party, rng: &mut Rng) -> ClockOptions {
    let distance = *pick(rng, &[0, 0, 40_000, 3_000_000, 90_000_000]);
    let offset_us = if rng.percent(50) { distance } else { -distance };
    // A device without a battery for its clock starts in 1970.
    let unset = matches!(party, Party::Agent(_)) && rng.percent(12);
    let offset_us = if unset { -EPOCH_US } else { offset_us };
    ClockOptions { party, rate: *pick(rng, &[1_000_000, 1_000_100, 999_900, 1_002_000, 998_000]), offset_us }
}
