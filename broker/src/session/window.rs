//! Messages of QoS 1 and 2 on their way to a client: sent, and not yet acknowledged for good.

use std::collections::VecDeque;

use crate::router::copy::Copy;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// PUBLISH was sent.
    Published,
    /// PUBREC came, and PUBREL was sent: only the packet identifier is still in use.
    Released,
}

/// A message that was sent.
#[derive(Debug)]
struct Flight {
    id: u16,
    copy: Copy,
    stage: Stage,
}

/// The messages in flight, in the order they were sent, which is the order they are sent again [MQTT-4.6.0-1].
#[derive(Debug, Default)]
pub(crate) struct Window {
    flights: VecDeque<Flight>,
    last_id: u16,
    /// How many of them were sent on the present connection: all, unless the client has just come back.
    sent: usize,
}

impl Window {
    /// The client is back: what is in flight is to be sent again.
    pub(crate) fn rewind(&mut self) {
        self.sent = 0;
    }

    /// Whether one more may be sent when `limit` may be in flight, and all that is to be sent again was.
    pub(crate) fn is_open(&self, limit: usize) -> bool {
        self.sent == self.flights.len() && self.sent < limit && self.next_id().is_some()
    }

    /// The next to be sent again, if there is one and `limit` allows it.
    pub(crate) fn next_again(&mut self, limit: usize) -> Option<(u16, Stage, Copy)> {
        let flight = self.flights.get(self.sent).filter(|_| self.sent < limit)?;
        self.sent += 1;
        Some((flight.id, flight.stage, flight.copy.clone()))
    }

    /// Identifiers are given out in a circle, and the oldest in use lies farthest ahead: it is the only one to look at. A client that leaves
    /// one message unacknowledged while it takes 65,534 others gets no more until it has: what waits then has its bound.
    fn next_id(&self) -> Option<u16> {
        let id = if self.last_id == u16::MAX { 1 } else { self.last_id + 1 };
        (self.flights.front().map(|oldest| oldest.id) != Some(id)).then_some(id)
    }

    /// Takes a message in, and gives it a packet identifier that is not in use; `None` if the window is not open.
    pub(crate) fn send(&mut self, copy: Copy) -> Option<u16> {
        let id = self.next_id()?;
        self.last_id = id;
        self.flights.push_back(Flight { id, copy, stage: Stage::Published });
        self.sent += 1;
        Some(id)
    }

    /// Ends a message that PUBACK or PUBCOMP names, or PUBREC with an error, and gives the bytes that it took.
    pub(crate) fn finish(&mut self, id: u16) -> Option<usize> {
        let index = self.position(id)?;
        if index < self.sent {
            self.sent -= 1;
        }
        self.flights.remove(index).map(|flight| flight.copy.cost())
    }

    /// Notes a PUBREC. False if there is no such message.
    pub(crate) fn release(&mut self, id: u16) -> bool {
        match self.position(id) {
            Some(index) => {
                self.flights[index].stage = Stage::Released;
                true
            }
            None => false,
        }
    }

    /// Clients acknowledge in order for the most part, so the first is looked at first.
    fn position(&self, id: u16) -> Option<usize> {
        self.flights.iter().position(|flight| flight.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{Envelope, Message},
        packet::QoS,
    };

    fn copy() -> Copy {
        let envelope = Envelope { qos: QoS::AtLeastOnce, retain: false, expires: None };
        Copy { message: Message::new("t", &[], b"x", envelope), qos: QoS::AtLeastOnce, retain: false }
    }

    #[test]
    fn acknowledgements_may_come_in_any_order() {
        let mut window = Window::default();
        let ids: Vec<_> = (0..3).map(|_| window.send(copy()).unwrap()).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert!(window.finish(2).is_some());
        assert!(window.finish(2).is_none());
        assert!(window.release(3) && !window.release(9));
        window.rewind();
        let again: Vec<_> = std::iter::from_fn(|| window.next_again(10)).map(|(id, stage, _)| (id, stage)).collect();
        assert_eq!(again, [(1, Stage::Published), (3, Stage::Released)]);
    }

    #[test]
    fn what_was_in_flight_comes_first_and_within_the_limit() {
        let mut window = Window::default();
        for _ in 0..4 {
            window.send(copy()).unwrap();
        }
        assert!(!window.is_open(4) && window.is_open(5));
        window.rewind();
        assert!(!window.is_open(5), "four are to be sent again first");
        assert_eq!(window.next_again(2).unwrap().0, 1);
        assert_eq!(window.next_again(2).unwrap().0, 2);
        assert!(window.next_again(2).is_none());
        window.finish(1);
        assert_eq!(window.next_again(2).unwrap().0, 3);
        window.finish(4);
        assert!(window.next_again(9).is_none() && window.is_open(3));
    }

    #[test]
    fn identifiers_go_round_and_are_never_given_twice() {
        let mut window = Window::default();
        let first = window.send(copy()).unwrap();
        for _ in 0..u16::MAX - 1 {
            let id = window.send(copy()).unwrap();
            assert_ne!(id, first);
            window.finish(id);
        }
        assert!(!window.is_open(1000), "the oldest still has its identifier");
        assert_eq!(window.send(copy()), None);
        window.finish(first);
        assert_eq!(window.send(copy()), Some(1));
    }
}
