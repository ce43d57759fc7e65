//! The owner's side of a link in these tests.

use std::time::Duration;

use fogline_runtime::link::{BrokerAddress, Link, LinkConfig, LinkEvent, LinkEvents, LinkHandle, LinkMetrics, Publish};

use crate::fake_broker::{FakeBroker, Peer, within};

pub(crate) const FILTER: &str = "fogline/v1/here/one/down/#";

/// A link under test and its events.
pub(crate) struct Owner {
    pub(crate) handle: LinkHandle,
    pub(crate) events: LinkEvents,
}

impl Owner {
    /// A link whose wills carry the connection's number.
    pub(crate) fn start(config: LinkConfig) -> Self {
        let (handle, events) = Link::start(config, |connection| Some(message("will", connection))).unwrap();
        Self { handle, events }
    }

    /// A link that is connected to a fake broker.
    pub(crate) async fn connected(change: impl FnOnce(&mut LinkConfig)) -> (Self, FakeBroker, Peer) {
        let broker = FakeBroker::start().await;
        let mut config = config(vec![broker.address()]);
        change(&mut config);
        let mut owner = Self::start(config);
        let (peer, _) = broker.accept_subscribed().await;
        assert_eq!(owner.next().await, connected(0, 1));
        (owner, broker, peer)
    }

    pub(crate) async fn next(&mut self) -> LinkEvent {
        within(self.events.recv()).await.expect("the link has ended")
    }

    pub(crate) async fn next_disconnect(&mut self) -> String {
        match self.next().await {
            LinkEvent::Disconnected { reason } => reason,
            other => panic!("not the end of the connection: {other:?}"),
        }
    }

    /// The payload of the next message, as text.
    pub(crate) async fn next_message(&mut self) -> String {
        match self.next().await {
            LinkEvent::Message { payload, .. } => String::from_utf8(payload.to_vec()).unwrap(),
            other => panic!("not a message: {other:?}"),
        }
    }

    /// Waits until the counters are as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&LinkMetrics) -> bool) {
        let check = async {
            while !wanted(&self.handle.metrics()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within(check).await;
    }

    pub(crate) fn publish_all(&self, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            self.handle.publish(message("up", number)).unwrap();
        }
    }
}

pub(crate) fn config(brokers: Vec<BrokerAddress>) -> LinkConfig {
    let mut config = LinkConfig::new(brokers, "one", 1);
    config.subscriptions = vec![FILTER.to_owned()];
    config
}

pub(crate) fn message(topic: &str, number: u64) -> Publish {
    Publish { topic: topic.to_owned(), payload: number.to_string().into(), retain: false }
}

pub(crate) fn connected(broker: usize, connection: u64) -> LinkEvent {
    LinkEvent::Connected { broker, connection }
}
