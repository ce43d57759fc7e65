//! The gate under attack.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use fogline_broker::{Broker, BrokerConfig};
use tokio::time::{sleep, timeout};

use crate::wire::{PATIENCE, Version, serves};

pub(crate) struct Gate {
    broker: Broker,
}

impl Gate {
    pub(crate) async fn start() -> Self {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { broker: Broker::start(BrokerConfig { listen: Some(listen), ..BrokerConfig::default() }).await.unwrap() }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.broker.local_addr()
    }

    /// Newcomers of both versions are served, and the router has not died.
    pub(crate) async fn is_well(&self) {
        for version in [Version::V311, Version::V5] {
            assert!(serves(self.address(), version, PATIENCE).await, "no round trip over {version:?}");
        }
        let failed = timeout(Duration::ZERO, self.broker.failed()).await;
        assert!(failed.is_err(), "{failed:?}");
    }

    /// Waits until a metric has a value: connections end a moment after their sockets.
    pub(crate) async fn settles(&self, name: &str, value: u64) {
        let settled = async {
            while self.metric(name) != value {
                sleep(Duration::from_millis(5)).await
            }
        };
        assert!(timeout(PATIENCE, settled).await.is_ok(), "{name} is {}", self.metric(name));
    }

    /// The value of a line of the page of metrics.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let page = self.broker.metrics();
        let line =
            page.lines().find_map(|line| line.strip_prefix("fogline_broker_")?.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }
}
