//! The real programs, as processes, against the real brokers, tools and databases.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod by_hand;
mod careless;
mod failover;
mod households;
mod http;

mod limits;
mod lost_state;
mod reconnect;
mod tls;
mod unset_clock;
mod victoria;

/// The same test through our broker and through Eclipse Mosquitto.
macro_rules! through_both_brokers {
    ($($test:ident),+ $(,)?) => {
        mod through_fogline_broker {
            $(#[test] fn $test() { super::$test(fogline_tests::real::Kind::Embedded); })+
        }
        mod through_mosquitto {
            $(#[test] fn $test() { super::$test(fogline_tests::real::Kind::Mosquitto); })+
        }
    };
}
use through_both_brokers;
