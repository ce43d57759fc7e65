//! What boards show of delivery itself, as points in InfluxDB: how each agent is served, how each ingester is, and what went wrong
//! or was taken over. With another store there is none of it.
//!
//! It is never in the way: the shell adds each commit that succeeded to a [`Tally`], and a task of its own looks at the node
//! once a second and writes every 10 s, once. Points that cannot be written are dropped and counted; events wait, so many of them,
//! because what happened while the database was away is what one wants to see afterwards.
//!
//! | measurement | written by | tags | fields |
//! |---|---|---|---|
//! | `fogline_delivery` | the leader, every 10 s for each agent | region, agent | stored, gaps, latency_mean_s, latency_max_s, decisions, acknowledged, unanswered, ack_max_s, silent_s |
//! | `fogline_fleet` | the leader, every 10 s for each region | region | agents, online, silent, queued, oldest_age_s, stored |
//! | `fogline_ingester` | every ingester, every 10 s | ingester | leading, brokers, agents, readings, stored, duplicates, dead, … |
//! | `fogline_event` | every ingester, when something happens | event, ingester; region and agent | text |
//!
//! Counts are of the 10 s before, so that boards add them up without knowing when a program started.

mod changes;
mod lines;
mod tally;
mod task;

pub(crate) use tally::Tally;
pub(crate) use task::{Telemetry, TelemetryCounts};
