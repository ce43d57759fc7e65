//! Telling a source that its readings are committed: for peers that forget what they were told is kept.

use std::sync::Arc;
use tokio::sync::watch;

/// To be given back when the readings of an offer are durable. Clones are the same receipt; two are equal when they are the same.
#[derive(Debug, Clone)]
pub struct Receipt(Arc<watch::Sender<bool>>);

/// The other end of a [`Receipt`].
#[derive(Debug)]
pub(crate) struct Committed(watch::Receiver<bool>);

impl Receipt {
    /// A receipt, and where it is waited for.
    pub(crate) fn new() -> (Self, Committed) {
        let (sender, receiver) = watch::channel(false);
        (Self(Arc::new(sender)), Committed(receiver))
    }

    /// The readings are durable.
    pub(crate) fn give(&self) {
        self.0.send_replace(true);
    }
}

impl PartialEq for Receipt {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Committed {
    /// Waits until the readings are durable: true. False when they never will be, because the agent stops.
    pub(crate) async fn wait(&mut self) -> bool {
        self.0.wait_for(|given| *given).await.is_ok()
    }
}
