//! Any bytes at all, through all that reads and writes packets: nothing panics, and what was read is written and read again the same.
//!
//! [`packets`] is the entry that a fuzzer calls (`fuzz/fuzz_targets/packets.rs`); its tests drive it with the fuzzer's corpus, and with
//! streams with mistakes in them.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a finding is a panic")]

#[cfg(test)]
mod tests;

use bytes::BytesMut;

use super::*;
use crate::{
    message::{Envelope, Message},
    topic,
};

/// What a message has beside its bytes does not matter here.
const PLAIN: Envelope = Envelope { qos: QoS::AtMostOnce, retain: false, expires: None };
/// As the gate has it.
const PACKET_BYTES: usize = 64 * 1024;

/// Bytes that are passed over, in one stream, where no packet begins.
const PASSED_OVER: usize = 64;
/// A body that is another packet's must do no harm either.
const KINDS: [Kind; 6] =
    [Kind::Connect, Kind::Publish, Kind::PubAck, Kind::Subscribe, Kind::Unsubscribe, Kind::Disconnect];

/// Cuts `bytes` into packets, reads each in both versions, and writes what can be written.
#[cfg_attr(
    not(feature = "fuzz"),
    allow(unreachable_pub, reason = "a public function of the crate for the fuzzer only")
)]
pub fn packets(bytes: &[u8]) {
    let (mut rest, mut passed_over) = (bytes, 0);
    while passed_over < PASSED_OVER && !rest.is_empty() {
        let Ok(Some(frame)) = Frame::cut(rest, PACKET_BYTES) else {
            (rest, passed_over) = (&rest[1..], passed_over + 1);
            continue;
        };
        assert!(frame.length > frame.body.len() && frame.length <= PACKET_BYTES.min(rest.len()), "{frame:?}");
        for version in [Version::V311, Version::V5] {
            read(frame, version);
            KINDS.into_iter().for_each(|kind| read(Frame { kind, ..frame }, version));
        }
        rest = &rest[frame.length..];
    }
}

fn read(frame: Frame<'_>, version: Version) {
    let body = frame.body;
    match frame.kind {
        Kind::Connect => Connect::read(body).into_iter().for_each(connect),
        Kind::Publish => {
            Publish::read(frame.flags, body, version).iter().for_each(|read| publish(read, version));
        }
        Kind::PubAck | Kind::PubRec | Kind::PubRel | Kind::PubComp => {
            Ack::read(body, version).iter().for_each(|read| ack(*read, frame.kind, version));
        }
        Kind::Subscribe => Subscribe::read(body, version).iter().for_each(|read| subscribe(read, version)),
        Kind::Unsubscribe => Unsubscribe::read(body, version).iter().for_each(|read| unsubscribe(read, version)),
        Kind::Disconnect => Disconnect::read(body, version).iter().for_each(|read| {
            assert!(version == Version::V5 || !read.with_will);
        }),
        Kind::PingReq | Kind::Auth => {}
    }
}

fn connect(connect: Connect) {
    assert!(connect.receive_maximum > 0 && connect.maximum_packet_size > 0, "{connect:?}");
    if let Some(will) = connect.will {
        let message = Message::new(&will.topic, &will.properties.forwarded, &will.payload, PLAIN);
        assert_eq!(message.topic(), will.topic);
        filters(&will.topic, &connect.client_id);
    }
}

/// What goes out to a subscriber of the same version reads as what came in.
fn publish(read: &Publish<'_>, version: Version) {
    let message = Message::new(read.topic, &read.properties.forwarded, read.payload, PLAIN);
    assert_eq!((message.topic(), message.payload_is_empty()), (read.topic, read.payload.is_empty()));
    let header =
        PublishHeader { duplicate: false, qos: read.qos, retain: read.retain, id: read.id, topic_known: false };
    let mut out = BytesMut::new();
    assert_eq!(message.write(&mut out, version, header, &[], usize::MAX), out.len());
    let frame = Frame::cut(&out, usize::MAX).unwrap().unwrap();
    let again = Publish::read(frame.flags, frame.body, version).unwrap();
    assert_eq!((frame.length, again.topic, again.payload), (out.len(), read.topic, read.payload));
    assert_eq!((again.qos, again.retain, again.id), (read.qos, read.retain, read.id));
    assert_eq!(again.properties.forwarded, read.properties.forwarded);
    filters(read.topic, read.topic);
}

fn ack(read: Ack, kind: Kind, version: Version) {
    let reason = if read.success { Reason::Success } else { Reason::NotAuthorized };
    let mut out = BytesMut::new();
    write_ack(&mut out, version, kind, read.id, reason);
    let frame = Frame::cut(&out, PACKET_BYTES).unwrap().unwrap();
    let again = Ack::read(frame.body, version).unwrap();
    assert_eq!((frame.kind, again.id), (kind, read.id));
    assert!(again.success == read.success || version == Version::V311);
}

fn subscribe(read: &Subscribe<'_>, version: Version) {
    let codes: Vec<_> = read.filters.iter().map(|(_, options)| Ok(options.qos)).collect();
    let mut out = BytesMut::new();
    write_suback(&mut out, version, read.id, &codes);
    assert!(out.len() > codes.len() && !codes.is_empty());
    for (filter, _) in &read.filters {
        read.filters.iter().take(8).for_each(|(topic, _)| filters(topic, filter));
    }
}

fn unsubscribe(read: &Unsubscribe<'_>, version: Version) {
    let mut out = BytesMut::new();
    write_unsuback(&mut out, version, read.id, &vec![Reason::Success; read.filters.len()]);
    assert!(out.len() >= 4);
    read.filters.iter().for_each(|filter| filters(filter, filter));
}

/// All that is done with names.
fn filters(topic: &str, filter: &str) {
    if topic::check_topic(topic).is_ok() && topic::check_filter(filter).is_ok() && topic::matches(topic, filter) {
        assert!(topic.starts_with(topic::literal_prefix(filter)), "{topic:?} {filter:?}");
    }
    if let Ok(Some((group, inner))) = topic::shared(filter) {
        assert!(!group.is_empty() && filter.ends_with(inner));
    }
}
