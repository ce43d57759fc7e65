//! One message, and a copy for each that gets it.

use std::sync::Arc;

use rumqttd::protocol::Packet;

use crate::{
    message::Message,
    router::{copy::Copy, inbox::Inbox},
    subscriptions::{Receiver, Route},
};

/// Appends a copy for each receiver but, where a receiver wants it so, the publisher itself. Gives how many there are.
///
/// # Errors
/// The first inbox that has no room. Nothing was appended then, and no room is taken.
pub(super) fn fan_out(
    route: &Route,
    publisher: u64,
    message: &Message,
    copies: &mut Vec<Packet>,
) -> Result<usize, Arc<Inbox>> {
    let drawn: Vec<&Receiver> = route.groups.iter().filter_map(|group| group.next()).collect();
    let receivers = || {
        let wants = move |receiver: &&Receiver| !(receiver.no_local && receiver.session == publisher);
        route.receivers.iter().filter(wants).chain(drawn.iter().copied())
    };
    for (index, receiver) in receivers().enumerate() {
        if !receiver.inbox.reserve(message.size()) {
            receivers().take(index).for_each(|reserved| reserved.inbox.cancel(message.size()));
            return Err(Arc::clone(&receiver.inbox));
        }
    }
    let before = copies.len();
    copies.extend(receivers().map(|receiver| receiver.inbox.address(copy_for(receiver, message))));
    Ok(copies.len() - before)
}

/// A subscriber sees RETAIN only if it asked for it [MQTT-3.3.1-9; MQTT-3.3.1-12 of 5.0].
fn copy_for(receiver: &Receiver, message: &Message) -> Copy {
    Copy {
        qos: message.qos.min(receiver.qos),
        retain: message.retain && receiver.retain_as_published,
        message: message.clone(),
    }
}
