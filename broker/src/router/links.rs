//! Links to the router, made in advance, on threads of their own: rumqttd answers by blocking.

use std::{io, sync::Arc, thread};

use rumqttd::{
    Notification, Router,
    local::{LinkBuilder, LinkError, LinkRx, LinkTx},
};
use tokio::sync::{Mutex, mpsc};

use super::{
    inbox::{Inbox, InboxReader},
    room, settings,
    slots::{Size, Slot, Slots},
};
use crate::config::BrokerConfig;

/// Inboxes that are ready for the next who subscribe. One takes some 50 microseconds to make, and 40 KiB.
const SMALL_IN_STORE: usize = 16;
const LARGE_IN_STORE: usize = 2;

/// Why no link could be had, or why it ended. The router has died, or is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the router gives no link")]
pub(crate) struct LinkFailure;

/// The inboxes that are ready.
#[derive(Debug)]
pub(crate) struct Links {
    small: Mutex<mpsc::Receiver<InboxReader>>,
    large: Mutex<mpsc::Receiver<InboxReader>>,
}

impl Links {
    /// Starts the router, whose thread is `router-NUMBER`, and gives the link that all publishers share, too.
    ///
    /// # Errors
    /// If threads cannot be had.
    pub(crate) fn start(config: &BrokerConfig, number: usize) -> io::Result<(Self, LinkTx, LinkRx)> {
        let router = Router::new(number, settings(config)).spawn();
        let connect = move |client_id: &str| LinkBuilder::new(client_id, router.clone()).build().map_err(Box::new);
        let (intake, from_intake, _) = connect("intake").map_err(io::Error::other)?;
        let slots = Arc::new(Slots::default());
        let store = |size, count| {
            let (ready, store) = mpsc::channel(count);
            let (slots, connect, room) = (Arc::clone(&slots), connect.clone(), room(config, size));
            let fill = move || fill(&ready, || open(slots.take(size), room, &connect));
            thread::Builder::new().name(format!("links-{number}")).spawn(fill)?;
            io::Result::Ok(Mutex::new(store))
        };
        let links = Self { small: store(Size::Small, SMALL_IN_STORE)?, large: store(Size::Large, LARGE_IN_STORE)? };
        Ok((links, intake, from_intake))
    }

    /// An inbox that is ready to be published to.
    ///
    /// # Errors
    /// [`LinkFailure`] if the router has died or has no room.
    pub(crate) async fn open(&self, size: Size) -> Result<InboxReader, LinkFailure> {
        let store = match size {
            Size::Small => &self.small,
            Size::Large => &self.large,
        };
        store.lock().await.recv().await.ok_or(LinkFailure)
    }
}

/// Keeps the store full, until nobody wants anything from it or nothing more can be had.
fn fill(ready: &mpsc::Sender<InboxReader>, open: impl Fn() -> Result<InboxReader, Box<LinkError>>) {
    loop {
        match open() {
            Ok(reader) => {
                if ready.blocking_send(reader).is_err() {
                    return;
                }
            }
            Err(error) => return tracing::error!(%error, "the router gives no link"),
        }
    }
}

/// Subscribes the inbox's topic at QoS 0, and waits until the router has done so: what is published before would be dropped. The gate
/// has windows of its own; the router's, at QoS 1, withhold other packets when they are full.
fn open(
    slot: Slot,
    room: usize,
    connect: &impl Fn(&str) -> Result<(LinkTx, LinkRx, Notification), Box<LinkError>>,
) -> Result<InboxReader, Box<LinkError>> {
    let (mut to_router, mut from_router, _) = connect(&slot.client_id())?;
    to_router.subscribe(slot.name()).map_err(Box::new)?;
    while !matches!(from_router.recv().map_err(Box::new)?, Some(Notification::DeviceAck(_))) {}
    Ok(InboxReader::new(Inbox::new(slot.name().into(), room), slot, to_router, from_router))
}
