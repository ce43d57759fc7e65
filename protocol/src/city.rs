//! A city: a grid of nodes that average particulate matter, elect a coordinator among them, and sensors that stream to the
//! nearest node. Pure machines; what is said between them goes over `peers/` topics.

mod aggregate;
mod grid;
mod kept;
pub mod message;
pub mod node;
pub mod sensors;
mod sliding;

pub use aggregate::{Aggregate, AggregateError, Statistics, mean, stddev};
pub use grid::{
    EdgeNode, GRID_SIZE, HOST_MAX_BYTES, NODES_MAX, NodeError, PORTS_MAX, Place, RESERVED_IDS, SPACING_MIN, admit,
    nearest,
};
pub use sliding::{Sliding, SlidingError};
