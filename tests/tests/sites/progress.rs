//! How far an agent's readings have come.

use fogline_agent::status;
use fogline_tests::real::{Agent, Sites, until};
use std::time::{Duration, Instant};

/// Between two readings of a sensor at this rate less than what is measured can be told.
pub(crate) const RATE: &str = "50";

/// An agent of the first broker, of which something is stored and acknowledged.
pub(crate) fn running_agent(sites: &Sites) -> Agent {
    let agent = sites.agent("lane-1").watches_a_road(RATE).start();
    until("readings are acknowledged", || (acknowledged(&agent) > 0).then_some(()));
    agent
}

/// Readings of a running agent that were acknowledged; none yet while it does not answer.
pub(crate) fn acknowledged(agent: &Agent) -> u64 {
    status::ask(agent.folder()).ok().and_then(|report| report.live).map_or(0, |live| live.acknowledged)
}

/// The place of the broker that the agent uses, from 1.
pub(crate) fn place(agent: &Agent) -> Option<usize> {
    Some(status::ask(agent.folder()).ok()?.live?.broker?.place)
}

/// Does something, and measures from its beginning until `count` has grown over what it was when that was done.
pub(crate) fn until_more<T: PartialOrd>(what: &str, act: impl FnOnce(), count: impl Fn() -> T) -> Duration {
    let begun = Instant::now();
    act();
    let before = count();
    until(what, || (count() > before).then_some(()));
    let took = begun.elapsed();
    println!("{what} after {took:?}");
    took
}
