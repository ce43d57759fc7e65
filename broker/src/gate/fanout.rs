//! Messages, and a parcel of them for each that gets them.

use std::sync::Arc;

use bytes::Bytes;
use rumqttd::protocol::Packet;

use crate::{
    router::{copy::Parcel, inbox::Inbox},
    subscriptions::{Receiver, Route},
};

/// Appends a parcel for each receiver but, where a receiver wants it so, the publisher itself.
///
/// # Errors
/// The first inbox that has no room. Nothing was appended then, and no room is taken.
pub(super) fn fan_out(
    route: &Route,
    publisher: u64,
    batch: &Bytes,
    parcels: &mut Vec<Packet>,
) -> Result<(), Arc<Inbox>> {
    let drawn: Vec<&Receiver> = route.groups.iter().filter_map(|group| group.next()).collect();
    let receivers = || {
        let wants = move |receiver: &&Receiver| receiver.wants_from(publisher);
        route.receivers.iter().filter(wants).chain(drawn.iter().copied())
    };
    for (index, receiver) in receivers().enumerate() {
        if !receiver.inbox.reserve(batch.len()) {
            receivers().take(index).for_each(|reserved| reserved.inbox.release(batch.len()));
            return Err(Arc::clone(&receiver.inbox));
        }
    }
    parcels.extend(receivers().map(|receiver| {
        let Receiver { qos, retain_as_published, .. } = *receiver;
        receiver.inbox.address(Parcel { batch: batch.clone(), qos, retain_as_published })
    }));
    Ok(())
}
