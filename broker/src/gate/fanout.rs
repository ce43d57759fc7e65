//! Messages, and a parcel of them for each that gets them.

use std::sync::Arc;

use bytes::Bytes;
use rumqttd::protocol::Packet;

use crate::{
    router::{
        copy::{Parcel, Way},
        inbox::Inbox,
    },
    subscriptions::{Receiver, Route},
};

/// Appends a parcel for each session but, where it wants it so, the publisher's own.
///
/// A session that is drawn by groups may get the messages more than once. All of that goes as one parcel: an inbox that has no room for each of
/// them on its own would never have it, and the publisher would wait for ever.
///
/// # Errors
/// The first inbox that has no room. Nothing was appended then, and no room is taken.
pub(super) fn fan_out(
    route: &Route,
    publisher: u64,
    batch: &Bytes,
    parcels: &mut Vec<Packet>,
) -> Result<(), Arc<Inbox>> {
    let drawn = Drawn::new(route);
    let wants = move |receiver: &&Receiver| receiver.wants_from(publisher);
    let alone = drawn.sessions().filter(|drawn| !route.receiver(drawn.session).is_some_and(|plain| wants(&plain)));
    let receivers = || route.receivers.iter().filter(wants).chain(alone.clone());
    for (index, receiver) in receivers().enumerate() {
        if !receiver.inbox.reserve(batch.len()) {
            receivers().take(index).for_each(|reserved| reserved.inbox.release(batch.len()));
            return Err(Arc::clone(&receiver.inbox));
        }
    }
    parcels.extend(receivers().map(|receiver| {
        let more = drawn.others(receiver).map(way).collect();
        receiver.inbox.address(Parcel { batch: batch.clone(), way: way(receiver), more })
    }));
    Ok(())
}

fn way(receiver: &Receiver) -> Way {
    Way { qos: receiver.qos, retain_as_published: receiver.retain_as_published }
}

/// The members of groups whose turn it is, in the order of their sessions.
struct Drawn<'a>(Vec<&'a Receiver>);

impl<'a> Drawn<'a> {
    fn new(route: &'a Route) -> Self {
        let mut members: Vec<_> = route.groups.iter().filter_map(|group| group.next()).collect();
        members.sort_unstable_by_key(|member| member.session);
        Self(members)
    }

    fn of(&self, session: u64) -> &[&'a Receiver] {
        let start = self.0.partition_point(|member| member.session < session);
        let end = self.0.partition_point(|member| member.session <= session);
        &self.0[start..end]
    }

    /// One for each session.
    fn sessions(&self) -> impl Iterator<Item = &'a Receiver> + Clone {
        self.0.chunk_by(|a, b| a.session == b.session).filter_map(|members| members.first().copied())
    }

    /// What the same session gets besides.
    fn others(&self, receiver: &Receiver) -> impl Iterator<Item = &'a Receiver> {
        self.of(receiver.session).iter().copied().filter(move |other| !std::ptr::eq(*other, receiver))
    }
}
