//! The one link through which all publishers reach the router.

use std::{
    sync::{Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use rumqttd::{
    local::{LinkRx, LinkTx},
    protocol::Packet,
};

use super::inbox::poll_once;

/// Copies that may wait for the router, which takes about a microsecond for each. Who has more to hand over waits.
const MAX_WAITING: usize = 4096;
/// The router takes some thousand copies in this time.
const PAUSE_WHEN_FULL: Duration = Duration::from_millis(1);

/// Takes copies to the router, in the order they are submitted.
pub(crate) struct Intake {
    to_router: Mutex<LinkTx>,
    /// Nothing comes from it, but without it the router would take the link for dead.
    _from_router: LinkRx,
}

impl Intake {
    pub(crate) fn new(to_router: LinkTx, from_router: LinkRx) -> Self {
        Self { to_router: Mutex::new(to_router), _from_router: from_router }
    }

    /// Hands over all `copies`, and leaves the vector empty. The router is called only if it has nothing yet: it takes all there is.
    pub(crate) fn submit(&self, copies: &mut Vec<Packet>) {
        let Some(last) = copies.pop() else { return };
        let mut to_router = self.to_router.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = to_router.buffer();
        let called_already = !waiting.is_empty();
        waiting.extend(copies.drain(..));
        if called_already {
            waiting.push_back(last);
            return;
        }
        drop(waiting);
        if let Poll::Ready(Err(error)) = poll_once(to_router.send(last)) {
            tracing::debug!(%error, "the router is gone");
        }
    }

    /// Waits while too much waits for the router.
    pub(crate) async fn room(&self) {
        while self.waiting() > MAX_WAITING {
            tokio::time::sleep(PAUSE_WHEN_FULL).await;
        }
    }

    /// Copies that the router has not taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.to_router.lock().unwrap_or_else(PoisonError::into_inner).buffer().len()
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}
