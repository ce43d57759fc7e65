//! An inbox: what the router holds for one session between two looks of its owner.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use rumqttd::{
    Notification,
    local::{LinkRx, LinkTx},
    protocol::{Disconnect, DisconnectReasonCode, Packet},
};
use tokio::sync::Notify;

use super::{
    copy::{Copy, Parcel},
    links::LinkFailure,
    slots::Slot,
};

/// What the router counts for a message beyond topic and payload.
const OVERHEAD: usize = 4;

/// Tags of inboxes.
static NEXT_TAG: AtomicU64 = AtomicU64::new(1);

/// The publishers' side of an inbox.
///
/// Publishers ask for room before they hand a copy to the router, so the router's log never rolls over what has not been read. The
/// owner empties its inbox whenever it runs, however slow its client is, so a publisher that finds no room waits for a moment only.
#[derive(Debug)]
pub(crate) struct Inbox {
    name: Bytes,
    /// Tells this owner of the name from the ones before: a publisher may still hold a route to those.
    tag: Bytes,
    room: usize,
    /// Its owner is gone: there is room for anything, and nothing arrives.
    closed: AtomicBool,
    waiting: AtomicUsize,
    emptied: Notify,
    /// Its client is not as fast as those who publish to it.
    behind: AtomicBool,
    caught_up: Notify,
}

impl Inbox {
    pub(super) fn new(name: Bytes, room: usize) -> Arc<Self> {
        Arc::new(Self {
            name,
            tag: Bytes::copy_from_slice(&NEXT_TAG.fetch_add(1, Ordering::Relaxed).to_be_bytes()),
            room,
            closed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            emptied: Notify::new(),
            behind: AtomicBool::new(false),
            caught_up: Notify::new(),
        })
    }

    /// One that nobody reads.
    #[cfg(test)]
    pub(crate) fn unconnected() -> Arc<Self> {
        Self::new(Bytes::from_static(b"small/0"), 1024)
    }

    /// Takes room for a batch of `bytes`, if there is any. One that is larger than all the room has it alone.
    pub(crate) fn reserve(&self, bytes: usize) -> bool {
        if self.closed.load(Ordering::Acquire) {
            return true;
        }
        let bytes = OVERHEAD + self.name.len() + bytes;
        self.waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                (waiting == 0 || waiting + bytes <= self.room).then_some(waiting + bytes)
            })
            .is_ok()
    }

    /// Gives back the room of a batch that has been read, or is not sent after all.
    pub(crate) fn release(&self, bytes: usize) {
        let bytes = OVERHEAD + self.name.len() + bytes;
        // What was let in after the owner was gone took no room.
        let release = |waiting: usize| Some(waiting.saturating_sub(bytes));
        self.waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, release).ok();
        self.emptied.notify_waiters();
    }

    /// Completes when something has been read. Create it before asking for room, so that nothing is missed.
    pub(crate) fn emptied(&self) -> impl Future<Output = ()> {
        self.emptied.notified()
    }

    /// Says whether its client is behind: publishers then take their time.
    pub(crate) fn set_behind(&self, behind: bool) {
        if self.behind.swap(behind, Ordering::AcqRel) && !behind {
            self.caught_up.notify_waiters();
        }
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.behind.load(Ordering::Acquire)
    }

    /// Completes when its client is not behind any more. As with [`Inbox::emptied`], look before waiting.
    pub(crate) fn caught_up(&self) -> impl Future<Output = ()> {
        self.caught_up.notified()
    }

    /// A parcel, for which there is room, as a packet for the router.
    pub(crate) fn address(&self, parcel: Parcel) -> Packet {
        parcel.into_packet(self.name.clone(), self.tag.clone())
    }
}

/// The owner's side of an inbox. When it is dropped, the router forgets the inbox.
pub(crate) struct InboxReader {
    inbox: Arc<Inbox>,
    to_router: LinkTx,
    from_router: LinkRx,
    /// The router has stopped handing out, until it is asked for more.
    unscheduled: bool,
    /// Where the next copy is in the log. A jump is loss: the router has dropped what lay between.
    next_offset: Option<u64>,
    _slot: Slot,
}

impl InboxReader {
    pub(super) fn new(inbox: Arc<Inbox>, slot: Slot, to_router: LinkTx, from_router: LinkRx) -> Self {
        Self { inbox, to_router, from_router, unscheduled: false, next_offset: None, _slot: slot }
    }

    pub(crate) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// Waits for copies, and appends all that are there to `copies`. Cancel safe.
    ///
    /// # Errors
    /// [`LinkFailure`] if the router is dead, or has dropped copies, which reserving room rules out.
    pub(crate) async fn read(&mut self, copies: &mut Vec<Copy>) -> Result<(), LinkFailure> {
        if self.unscheduled {
            self.from_router.wake().await.map_err(|_| LinkFailure)?;
            self.unscheduled = false;
        }
        let mut notification = self.from_router.next().await.map_err(|_| LinkFailure)?;
        loop {
            self.take(notification, copies)?;
            match poll_once(self.from_router.next()) {
                Poll::Ready(next) => notification = next.map_err(|_| LinkFailure)?,
                Poll::Pending => return Ok(()),
            }
        }
    }

    fn take(&mut self, notification: Option<Notification>, copies: &mut Vec<Copy>) -> Result<(), LinkFailure> {
        match notification {
            Some(Notification::Forward(forward)) => {
                let offset = forward.cursor.map(|(_, offset)| offset);
                let contiguous = self.next_offset.is_none() || self.next_offset == offset;
                self.next_offset = offset.map(|offset| offset + 1);
                if let Some(parcel) = Parcel::from_forward(forward, &self.inbox.tag) {
                    self.inbox.release(parcel.batch.len());
                    copies.extend(parcel.copies());
                }
                if contiguous { Ok(()) } else { Err(LinkFailure) }
            }
            Some(Notification::Unschedule) => {
                self.unscheduled = true;
                Ok(())
            }
            Some(Notification::Disconnect(..)) => Err(LinkFailure),
            _ => Ok(()),
        }
    }
}

/// What a future has to say now. rumqttd's `send` never waits inside, and its `next` may be dropped.
pub(super) fn poll_once<T>(future: impl Future<Output = T>) -> Poll<T> {
    std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

impl Drop for InboxReader {
    /// The router is told by a DISCONNECT packet: it panics if it hears of a link after it has dropped that link by itself.
    fn drop(&mut self) {
        self.inbox.closed.store(true, Ordering::Release);
        self.inbox.emptied.notify_waiters();
        let goodbye = Disconnect { reason_code: DisconnectReasonCode::NormalDisconnection };
        if let Poll::Ready(Err(error)) = poll_once(self.to_router.send(Packet::Disconnect(goodbye, None))) {
            tracing::debug!(%error, "the router is gone before its link");
        }
    }
}

impl std::fmt::Debug for InboxReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InboxReader").field("inbox", &self.inbox).finish_non_exhaustive()
    }
}
