//! What the city's types look like, for the document only: the types themselves are in `fogline_protocol::city`, which knows
//! nothing of documents.

use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A node of the city.
#[derive(ToSchema)]
#[schema(as = EdgeNode)]
#[allow(dead_code, reason = "for the document only")]
pub(super) struct EdgeNodeSchema {
    /// Unique in the city.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    id: String,
    /// Where its machine is found: a host name or an address.
    #[schema(pattern = "^[A-Za-z0-9._:\\[\\]-]{1,253}$")]
    host: String,
    /// Its ports by what they are for; at most 8.
    #[schema(required = false, inline)]
    ports: BTreeMap<String, PortSchema>,
    /// Where it stands.
    #[schema(minimum = 0, maximum = 99)]
    u: u32,
    /// Where it stands.
    #[schema(minimum = 0, maximum = 99)]
    v: u32,
}

/// A port.
#[derive(ToSchema)]
#[schema(as = Port, minimum = 0, maximum = 65535)]
#[allow(dead_code, reason = "for the document only")]
pub(super) struct PortSchema(u16);

/// A node to be removed; whatever else an `EdgeNode` has is not looked at.
#[derive(ToSchema)]
#[schema(as = EdgeNodeId)]
#[allow(dead_code, reason = "for the document only")]
pub(super) struct EdgeNodeIdSchema {
    /// Its id.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    id: String,
}

/// The average of a window.
#[derive(ToSchema)]
#[schema(as = Aggregate)]
#[allow(dead_code, reason = "for the document only")]
pub(super) struct AggregateSchema {
    /// A node's id, or `global`.
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    id: String,
    /// When the window ended: the same as `to_us`.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    ts_us: i64,
    /// When the window began: before `to_us`.
    #[schema(minimum = 0, maximum = 9007199254740991_i64)]
    from_us: i64,
    /// When the window ended: at most 120 s from now.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    to_us: i64,
    /// The mean of its values, in µg/m³.
    #[schema(minimum = 0, maximum = 2000)]
    mean_ugm3: f64,
    /// How many values there were.
    #[schema(minimum = 1, maximum = 9007199254740991_i64)]
    n: u64,
}

/// Mean and standard deviation of several averages.
#[derive(ToSchema)]
#[schema(as = Statistics)]
#[allow(dead_code, reason = "for the document only")]
pub(super) struct StatisticsSchema {
    /// Of how many averages.
    #[schema(minimum = 1, maximum = 1000)]
    n: u32,
    /// The mean of their means, in µg/m³.
    mean_ugm3: f64,
    /// The population's standard deviation of their means, in µg/m³.
    stddev_ugm3: f64,
}
