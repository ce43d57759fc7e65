//! A will: the message that the broker publishes for a client that went without saying so (3.1.1, 3.1.2.5).

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use crate::{
    access::Identity,
    gate::Gate,
    message::{Envelope, Message},
    packet::{Reason, WillRequest},
};

/// A will that has been checked.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    message: Message,
    /// Seconds after which the message is of no use, from when it is published.
    expiry: Option<u32>,
    owner: Arc<str>,
    /// Of the client, when it connected.
    identity: Identity,
    delay: Duration,
    /// When it is to be published, from when the connection has ended.
    due: Option<Instant>,
}

impl Will {
    /// Of a client; topic and rights have been checked.
    pub(crate) fn new(request: &WillRequest, owner: &Arc<str>, identity: &Identity) -> Self {
        let envelope = Envelope { qos: request.qos, retain: request.retain, expires: None };
        let message = Message::new(&request.topic, &request.properties.forwarded, &request.payload, envelope);
        Self {
            message,
            expiry: request.properties.expiry,
            owner: Arc::clone(owner),
            identity: identity.clone(),
            delay: Duration::from_secs(u64::from(request.properties.will_delay)),
            due: None,
        }
    }

    /// The connection has ended, and the time of the delay begins. True if there is none.
    pub(crate) fn start(&mut self) -> bool {
        self.due = Some(Instant::now() + self.delay);
        self.delay.is_zero()
    }

    /// When to publish it.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Publishes it, if the rules of now allow it. A user that is none any more has its will as it was allowed to leave it: others
    /// are to know that it has gone.
    pub(crate) async fn publish(mut self, gate: &Gate) {
        let identity = gate.access.refresh(&self.identity);
        if identity.is_some_and(|identity| !identity.may_publish(self.message.topic())) {
            gate.metrics.refuse("publish", Reason::NotAuthorized);
            return;
        }
        self.message.expires = self.expiry.map(|seconds| gate.now() + u64::from(seconds));
        gate.metrics.wills.add(1);
        gate.publish(&self.message, &self.owner).await;
    }
}
