//! The machines put together: all that an agent does, and all that an ingester does, but for the I/O.
//!
//! Both are driven in the same way: hand over inputs with `handle`, call `handle_timeout` when the time of
//! `poll_timeout` has come (a spurious call is harmless), and start everything that `poll_effect` gives after each of
//! them. `handle` and `handle_timeout` may change what `poll_timeout` answers; `poll_effect` does not.

mod cloud;
mod edge;
mod site;

pub use cloud::{CloudConfig, CloudEffect, CloudInput, CloudNode, CloudSnapshot, CloudTuning, Counters};
pub use edge::{
    Answer, ClockConfig, EdgeConfig, EdgeEffect, EdgeInput, EdgeNode, EdgeSnapshot, Question, TUPLES_MAX, Tuple,
    TupleState,
};
pub use site::{Keeping, SiteConfig, SiteEffect, SiteInput, SiteNode, SiteSnapshot};

use crate::time::{Monotonic, Now};

/// What the driver loop and the simulator need of a node.
pub trait Machine {
    /// What comes in.
    type Input;
    /// What is to be started.
    type Effect;

    /// Takes one input.
    fn handle(&mut self, input: Self::Input, now: Now);

    /// Does what is due. Harmless when nothing is.
    fn handle_timeout(&mut self, now: Now);

    /// The next thing to start, until there is none.
    fn poll_effect(&mut self) -> Option<Self::Effect>;

    /// When [`Machine::handle_timeout`] is to be called, if nothing happens before.
    fn poll_timeout(&self) -> Option<Monotonic>;
}

/// A message to publish at QoS 1. A PUBACK means nothing to the machines: whatever matters is acknowledged by the other
/// machine, and resent until then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The whole topic.
    pub topic: String,
    /// The message.
    pub payload: Vec<u8>,
    /// Whether the broker keeps it for later subscribers.
    pub retain: bool,
}
