//! One round trip of a message through the router, by the way that all messages take.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    gate::Gate,
    message::{Batch, Envelope, Message},
    packet::QoS,
    router::{
        LinkFailure, Size,
        copy::{Copy, Parcel, Way},
        inbox::InboxReader,
    },
};

/// Why no message came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error(transparent)]
    Link(#[from] LinkFailure),
    #[error("the message before has not come back")]
    Behind,
}

/// Makes round trips to an inbox of its own.
#[derive(Debug)]
pub(crate) struct Probe {
    gate: Arc<Gate>,
    reader: Option<InboxReader>,
    round_trips: u64,
}

impl Probe {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self { gate, reader: None, round_trips: 0 }
    }

    /// Sends a message to the probe's own inbox, and waits for it.
    ///
    /// # Errors
    /// Whatever kept the message from coming back within `timeout`. The next attempt has an inbox of its own.
    pub(crate) async fn round_trip(&mut self, timeout: Duration) -> Result<(), ProbeError> {
        let started = Instant::now();
        let outcome = tokio::time::timeout(timeout, self.exchange()).await.unwrap_or(Err(ProbeError::Timeout(timeout)));
        match outcome {
            Ok(()) => {
                let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.gate.metrics.round_trip_micros.set(micros);
            }
            Err(_) => self.reader = None,
        }
        outcome
    }

    async fn exchange(&mut self) -> Result<(), ProbeError> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => self.reader.insert(self.gate.links.open(Size::Small).await?),
        };
        self.round_trips += 1;
        let envelope = Envelope { qos: QoS::AtMostOnce, retain: false, expires: None };
        let message = Message::new("watchdog", &[], &self.round_trips.to_be_bytes(), envelope);
        let mut batch = Batch::default();
        batch.push_message(&message);
        let way = Way { qos: QoS::AtMostOnce, retain_as_published: false };
        let parcel = Parcel { batch: batch.take(), way, more: Vec::new() };
        if !reader.inbox().reserve(parcel.batch.len()) {
            return Err(ProbeError::Behind);
        }
        self.gate.intake.submit(&mut vec![reader.inbox().address(parcel)]);
        let mut copies = Vec::new();
        while copies.iter().all(|copy: &Copy| copy.message != message) {
            reader.read(&mut copies).await?;
        }
        Ok(())
    }
}
