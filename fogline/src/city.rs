//! A city in this process: nodes that average and elect a coordinator, sensors that stream to them, and a view of both.
//!
//! A node is an agent like any other, with a queue and a connection of its own; the machine of `fogline_protocol::city` runs
//! beside it. [`City`] starts and stops them, for the command line and for the demo.

mod api;
mod command;
mod handle;
mod node;
mod places;
mod sensors;
mod watch;

pub use api::{ApiConfig, ApiError};
pub use command::{CityArgs, EXAMPLES, execute};
pub use handle::{City, CityConfig};
pub use node::NodeView;
