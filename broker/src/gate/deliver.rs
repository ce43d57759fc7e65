//! What goes out to a client.

use super::{connection::Connection, limits::OUTPUT_BYTES};
use crate::{
    message::Message,
    packet::{
        Kind, PublishHeader, QoS, Reason, Version, expiry_property, subscription_id_property, topic_alias_property,
        write_ack,
    },
    router::copy::Copy,
    session::Stage,
};

/// Comparisons of a topic with a filter before others have their turn: a millisecond or so.
const COMPARISONS: usize = 4096;

impl Connection {
    /// Writes what waits for the client, as far as its window and the output buffer have room. True if more could be written, after others
    /// have had their turn.
    pub(super) fn deliver(&mut self) -> bool {
        self.send_again();
        let (mut sent, mut left) = (0, self.messages_per_turn());
        while self.out.len() < OUTPUT_BYTES {
            let Some(next) = self.session.backlog.peek() else { break };
            let acknowledged = next.qos != QoS::AtMostOnce;
            if left == 0 || (acknowledged && !self.session.window.is_open(self.window)) {
                break;
            }
            let Some(copy) = self.session.backlog.pop() else { break };
            sent += u64::from(if acknowledged { self.send_acknowledged(copy) } else { self.send(&copy) });
            left -= 1;
        }
        if sent > 0 {
            self.gate.metrics.messages_out.add(sent);
        }
        left == 0
    }

    /// A message over 5.0 is compared with each of the client's filters, for the numbers that go with it.
    fn messages_per_turn(&self) -> usize {
        match self.version {
            Version::V311 => usize::MAX,
            Version::V5 => (COMPARISONS / self.session.filters().len().max(1)).max(1),
        }
    }

    /// What was in flight when the last connection ended, in the same order [MQTT-4.4.0-1].
    fn send_again(&mut self) {
        while self.out.len() < OUTPUT_BYTES {
            let Some((id, stage, copy)) = self.session.window.next_again(self.window) else { break };
            match stage {
                Stage::Released => write_ack(&mut self.out, self.version, Kind::PubRel, id, Reason::Success),
                Stage::Published => {
                    let header = PublishHeader { duplicate: true, ..header(&copy, id) };
                    if !self.write(header, &copy) {
                        self.give_up(id);
                    }
                }
            }
        }
    }

    /// QoS 0: done when it is written. True if it was.
    fn send(&mut self, copy: &Copy) -> bool {
        self.session.backlog.release(copy.cost());
        self.write(header(copy, 0), copy)
    }

    /// QoS 1 and 2: in flight until it is acknowledged.
    fn send_acknowledged(&mut self, copy: Copy) -> bool {
        let Some(id) = self.session.window.send(copy.clone()) else {
            // Not while the window is open, which was asked before.
            return false;
        };
        let written = self.write(header(&copy, id), &copy);
        if !written {
            self.give_up(id);
        }
        written
    }

    /// A message that the client cannot take counts as delivered [MQTT-3.1.2-25 of 5.0].
    fn give_up(&mut self, id: u16) {
        if let Some(bytes) = self.session.window.finish(id) {
            self.session.backlog.release(bytes);
        }
    }

    /// False if the message has expired, is larger than the client takes, or is none that it may see.
    fn write(&mut self, header: PublishHeader, copy: &Copy) -> bool {
        let message = &copy.message;
        let remaining = message.remaining(self.gate.now());
        if remaining == Some(0) && !header.duplicate || !self.rights.may_receive(message.topic()) {
            return false;
        }
        let written = match self.version {
            Version::V311 => message.write(&mut self.out, self.version, header, &[], self.packet_bytes),
            Version::V5 => self.write_with_properties(header, message, remaining),
        };
        if written == 0 {
            self.gate.metrics.too_large_for_client.add(1);
        }
        written > 0
    }

    fn write_with_properties(&mut self, mut header: PublishHeader, message: &Message, remaining: Option<u64>) -> usize {
        let mut more = Vec::new();
        if let Some(seconds) = remaining {
            expiry_property(&mut more, seconds);
        }
        self.session.subscription_ids(message.topic()).for_each(|id| subscription_id_property(&mut more, id));
        let known = self.given_aliases.get(message.topic()).copied();
        let alias = known.or_else(|| self.next_alias());
        if let Some(alias) = alias {
            topic_alias_property(&mut more, alias);
            header.topic_known = known.is_some();
        }
        let written = message.write(&mut self.out, self.version, header, &more, self.packet_bytes);
        if let (Some(alias), None) = (alias, known)
            && written > 0
        {
            self.given_aliases.insert(message.topic().into(), alias);
        }
        written
    }

    /// A number for another topic, if the client takes one more.
    fn next_alias(&self) -> Option<u16> {
        let next = u16::try_from(self.given_aliases.len()).ok()? + 1;
        (next <= self.alias_maximum).then_some(next)
    }
}

fn header(copy: &Copy, id: u16) -> PublishHeader {
    PublishHeader { duplicate: false, qos: copy.qos, retain: copy.retain, id, topic_known: false }
}
