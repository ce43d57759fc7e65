//! Who holds which client id, and how it changes hands.
//!
//! At most one owner holds a client id: a connection, or a sleeper that keeps a session while its client is away. A newcomer takes the
//! place in the registry at once, asks the owner before it for the session, and begins only when that one has ended [MQTT-3.1.4-2]. Newcomers
//! that come meanwhile ask the newcomer, and so on: a queue in the order of their arrival.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use super::Session;

/// An owner gives up within milliseconds. Longer means that the machine is overloaded; the newcomer is then refused.
const HANDOVER_TIMEOUT: Duration = Duration::from_secs(10);

/// What a newcomer sends to the owner before it: where to put the session, which is `None` if it has ended.
pub(crate) type Handover = oneshot::Sender<Option<Session>>;

#[derive(Debug)]
struct Place {
    number: u64,
    user: Option<Arc<str>>,
    evict: oneshot::Sender<Handover>,
}

#[derive(Debug, Default)]
struct Places {
    by_client_id: HashMap<Arc<str>, Place>,
    last_number: u64,
}

/// All client ids in use.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    places: Mutex<Places>,
}

/// The right to a client id, and the ear for newcomers.
#[derive(Debug)]
pub(crate) struct Seat {
    registry: Arc<Registry>,
    client_id: Arc<str>,
    number: u64,
    evicted: oneshot::Receiver<Handover>,
}

/// Why a client id cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatFailure {
    /// Another user holds it.
    OtherUser,
    /// Its owner did not give it up in time.
    Timeout,
}

impl Registry {
    /// Takes a client id over from whoever holds it. Gives the session that was there, too.
    ///
    /// # Errors
    /// See [`SeatFailure`]. Another user's session is never taken over.
    pub(crate) async fn take(
        self: &Arc<Self>,
        client_id: &Arc<str>,
        user: Option<&Arc<str>>,
    ) -> Result<(Seat, Option<Session>), SeatFailure> {
        let (seat, session) = self.queue(client_id, user)?;
        match tokio::time::timeout(HANDOVER_TIMEOUT, session).await {
            // An owner that ended without leaving anything does not answer.
            Ok(session) => Ok((seat, session.ok().flatten())),
            Err(_) => Err(SeatFailure::Timeout),
        }
    }

    /// Takes the place, and asks the owner before it, both under the lock: an owner that leaves has either been asked by then, or
    /// frees the place first.
    fn queue(
        self: &Arc<Self>,
        client_id: &Arc<str>,
        user: Option<&Arc<str>>,
    ) -> Result<(Seat, oneshot::Receiver<Option<Session>>), SeatFailure> {
        let (evict, evicted) = oneshot::channel();
        let (handover, session) = oneshot::channel();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.by_client_id.get(client_id).is_some_and(|place| place.user.as_ref() != user) {
            return Err(SeatFailure::OtherUser);
        }
        places.last_number += 1;
        let number = places.last_number;
        let place = Place { number, user: user.cloned(), evict };
        if let Some(before) = places.by_client_id.insert(Arc::clone(client_id), place)
            && before.evict.send(handover).is_err()
        {
            tracing::debug!(?client_id, "the owner before has ended already");
        }
        let seat = Seat { registry: Arc::clone(self), client_id: Arc::clone(client_id), number, evicted };
        Ok((seat, session))
    }

    /// Client ids in use, of connections and of sessions whose clients are away.
    pub(crate) fn len(&self) -> usize {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).by_client_id.len()
    }
}

impl Seat {
    pub(crate) fn client_id(&self) -> &Arc<str> {
        &self.client_id
    }

    /// Completes when a newcomer wants the client id. Cancel safe.
    pub(crate) async fn evicted(&mut self) -> Handover {
        if !self.evicted.is_terminated()
            && let Ok(handover) = (&mut self.evicted).await
        {
            return handover;
        }
        std::future::pending().await
    }

    /// Gives the client id up. If a newcomer waits, it is given what it waits for: `session`.
    pub(crate) fn leave(mut self, session: Option<Session>) {
        self.free();
        self.evicted.close();
        if let Ok(handover) = self.evicted.try_recv() {
            // The newcomer may be gone; the session is then dropped with the message.
            drop(handover.send(session));
        }
    }

    /// Frees the place, unless a newcomer has it.
    fn free(&self) {
        let mut places = self.registry.places.lock().unwrap_or_else(PoisonError::into_inner);
        if places.by_client_id.get(&self.client_id).is_some_and(|place| place.number == self.number) {
            places.by_client_id.remove(&self.client_id);
        }
    }
}

impl Drop for Seat {
    /// Also when a connection's task ends in a panic.
    fn drop(&mut self) {
        self.free();
    }
}
