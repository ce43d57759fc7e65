//! The simulator: the real edge and cloud nodes in a world that breaks in every way that the promises speak of.
//!
//! A run follows from its seed alone: the seed draws the agents, how bad things are, and what breaks when ([`options`],
//! [`faults`]); then the [`world`] plays, from one event to the next in virtual time. Every step is checked ([`ledger`],
//! [`checks`], [`limits`]); at last all is healed, and everything has to come to rest within a stated time. [`bugs`] are
//! planted to see that the checks bite.
//!
//! Nothing here reads a clock or keeps anything in an order that changes between runs: the same seed gives the same
//! trace.

pub mod agenda;
mod breaking;
pub mod bugs;
pub mod checks;
pub mod clocks;
pub mod cloud;
mod connecting;
pub mod coverage;
pub mod disk;
pub mod edge;
pub mod faults;
pub mod ledger;
pub mod limits;
pub mod network;
pub mod operator;
pub mod options;
pub mod orders;
pub mod port;
pub mod realms;
mod replica;
pub mod source;
pub mod stamps;
pub mod store;
pub mod trace;
pub mod trials;
pub mod world;

use bugs::Bug;
use checks::Violation;
use coverage::Coverage;
use world::World;

/// What came of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The hash of its trace.
    pub trace: u64,
    /// The virtual time it took, in microseconds.
    pub virtual_us: u64,
    /// What it met.
    pub coverage: Coverage,
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
}

/// Plays the run of `seed`, with `bug` planted. `print` shows what happens on the standard output.
#[must_use]
pub fn run(seed: u64, bug: Option<Bug>, print: bool) -> Outcome {
    let mut world = World::new(seed, bug, print);
    if print {
        println!("seed {seed}: {:#?}", world.options());
    }
    let violation = world.play().err();
    let (trace, virtual_us) = (world.trace().hash(), world.now_us());
    Outcome { trace, virtual_us, coverage: world.coverage().clone(), violation }
}
