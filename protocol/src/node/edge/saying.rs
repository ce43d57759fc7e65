//! What an agent says of itself: which streams it has to send, and how it is.

use super::{EdgeNode, STATUS_EVERY};
use crate::time::{Monotonic, Now, Wall};
use crate::topic::Up;
use crate::wire::{Message as _, Status};

impl EdgeNode {
    pub(super) fn say_hello(&mut self, now: Monotonic) {
        let streams = || self.sender.open_streams();
        let repeat = !self.sender.gaps().is_empty();
        let term = self.in_force.highest_term();
        if let Some(hello) = self.hello.poll(streams, repeat, term, &self.config.agent_version, now) {
            self.publish(Up::Hello, hello.encode(), false);
        }
    }

    pub(super) fn say_status(&mut self, now: Now) {
        if self.next_status > now.mono {
            return;
        }
        self.next_status = now.mono + STATUS_EVERY;
        let time = |us: i64| us.clamp(Wall::MIN.us(), Wall::MAX.us());
        let status = Status {
            online: true,
            connection: (self.opening, self.connection),
            ts_us: time(now.wall.us()),
            queued: self.usage.readings,
            queued_bytes: self.usage.bytes,
            oldest_us: self.usage.oldest.map(|oldest| time(oldest.us())),
            dropped: self.usage.dropped,
            damaged: self.usage.damaged,
        };
        self.publish(Up::Status, status.encode(), true);
    }
}
