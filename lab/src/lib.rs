//! The fault lab: starts the real programs as processes, strikes them by a schedule that is drawn from a seed, heals them, and
//! counts where every reading is.
//!
//! - [`command`]: the command line, `fogline lab`; [`options`](Options): what a run is made of.
//! - `schedule`: when is struck what, a pure function of the seed. `fault`: what can be done, one small type each.
//! - `site`: agents, brokers, ingesters and a database as processes; `proxy`, `namespace`, `small_disk`, `clock`: what stands in for their
//!   network, disk and time.
//! - `feed`, `ledger`: readings that carry a number of the lab's own, and which of them were accepted, learnt from the queue
//!   file and not from the agent.
//! - `books`, `store`, `queue`: what databases and queues hold in the end, by the lab's numbers. `watch`, `service`: decisions on
//!   their way, and how long nothing was stored.
//! - `audit`: what `fogline audit` says of it. [`account`](Account): all of it together, and the verdict.
//!
//! The lab knows the programs from outside only: their command lines, files, topics and pages. Nothing else of the house depends on it.

mod account;
mod ask;
mod audit;
mod books;
mod clock;
pub mod command;
mod error;
mod fault;
mod feed;
mod ledger;
mod machine;
mod namespace;
mod numbers;
mod options;
mod ports;
mod process;
mod proxy;
mod queue;
mod render;
mod run;
mod schedule;
mod service;
mod site;
mod small_disk;
mod store;
mod story;
mod watch;

pub use account::{Account, Decisions, Readings, Struck};
pub use error::LabError;
pub use machine::faketime;
pub(crate) use machine::{Machine, Need};
pub use options::{BrokerKind, Options, StoreKind};
pub use run::play;
pub use schedule::{Round, Strike, schedule};
