//! What a client publishes, on its way to the router: in batches, for as long as the receivers stay the same.

use std::sync::Arc;

use bytes::Bytes;
use rumqttd::protocol::Packet;

use super::{Gate, fanout::fan_out, limits::BATCH_BYTES};
use crate::{
    message::{Batch, Envelope},
    router::inbox::Inbox,
    subscriptions::Route,
};

/// Batches of one publisher, in order.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    /// The one that grows.
    batch: Batch,
    route: Option<Arc<Route>>,
    /// One that is closed, and waits for room.
    closed: Option<(Arc<Route>, Bytes)>,
    /// What the router gets next.
    parcels: Vec<Packet>,
    /// The receivers of the last batch, if one of them is behind.
    behind: Option<Arc<Route>>,
}

impl Outbound {
    /// Appends a message for those that `route` leads to.
    ///
    /// # Errors
    /// An inbox without room. The message was not taken, and is to be given again.
    pub(super) fn push(
        &mut self,
        publisher: u64,
        route: &Arc<Route>,
        (topic, properties, payload): (&str, &[u8], &[u8]),
        envelope: Envelope,
    ) -> Result<(), Arc<Inbox>> {
        let same = self.route.as_ref().is_some_and(|known| Arc::ptr_eq(known, route));
        // Members of a group take turns with each message.
        if !same || self.batch.len() >= BATCH_BYTES || !route.groups.is_empty() {
            self.close(publisher)?;
        }
        self.batch.push(topic, properties, payload, envelope);
        self.route = Some(Arc::clone(route));
        Ok(())
    }

    /// Makes parcels of the batch that grows, and of the one before that had no room.
    ///
    /// # Errors
    /// An inbox without room: the batch waits.
    pub(super) fn close(&mut self, publisher: u64) -> Result<(), Arc<Inbox>> {
        self.retry(publisher)?;
        if !self.batch.is_empty() {
            self.closed = self.route.take().map(|route| (route, self.batch.take()));
            self.retry(publisher)?;
        }
        Ok(())
    }

    fn retry(&mut self, publisher: u64) -> Result<(), Arc<Inbox>> {
        if let Some((route, batch)) = &self.closed {
            fan_out(route, publisher, batch, &mut self.parcels)?;
            self.behind = route.is_behind().then(|| Arc::clone(route));
            self.closed = None;
        }
        Ok(())
    }

    /// Parcels that are ready for the router.
    pub(super) fn parcels(&self) -> usize {
        self.parcels.len()
    }

    /// The receivers of the last batch, if one of them is behind: its client should not be outrun.
    pub(super) fn take_behind(&mut self) -> Option<Arc<Route>> {
        self.behind.take()
    }

    /// Gives the router what is ready for it.
    pub(super) fn submit(&mut self, gate: &Gate) {
        gate.intake.submit(&mut self.parcels);
    }

    /// Gives memory back that a burst has taken.
    pub(super) fn free(&mut self) {
        if self.batch.is_empty() {
            self.batch = Batch::default();
        }
        self.parcels = Vec::new();
    }
}
