//! Which publishes wait for a PUBACK.

use std::time::Instant;

/// What the link remembers of a publish after rumqttc has taken it: never its content, because a resend comes from above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// What it counts against the outgoing bound, in bytes.
    pub(super) cost: usize,
    /// Since when it waits.
    pub(super) since: Instant,
}

/// rumqttc reports neither a future nor an id for a publish. It emits `Outgoing::Publish(pkid)` in the order in which requests
/// were handed over, then `PubAck(pkid)`. At most one request is handed over and not yet announced (the request channel holds
/// one), so the queue between the two is one slot. A publish whose packet id is still taken (`Outgoing::AwaitAck`) keeps
/// that slot until rumqttc sends it, which keeps the order.
#[derive(Debug)]
pub(super) struct Inflight {
    handed_over: Option<Token>,
    by_pkid: Vec<Option<Token>>,
    waiting: usize,
}

impl Inflight {
    /// For packet ids 1 to `limit`, as rumqttc gives them.
    pub(super) fn new(limit: u16) -> Self {
        Self { handed_over: None, by_pkid: vec![None; usize::from(limit) + 1], waiting: 0 }
    }

    /// Whether the next publish may be handed to rumqttc.
    pub(super) fn has_room(&self) -> bool {
        self.handed_over.is_none()
    }

    /// Notes a publish that was put into the request channel.
    pub(super) fn hand_over(&mut self, token: Token) {
        debug_assert!(self.has_room());
        self.handed_over = Some(token);
    }

    /// Notes that rumqttc sent the publish last handed over under `pkid`. False if that cannot be.
    #[must_use]
    pub(super) fn sent(&mut self, pkid: u16, now: Instant) -> bool {
        let slot = self.by_pkid.get_mut(usize::from(pkid));
        match (self.handed_over.take(), slot) {
            (Some(token), Some(slot @ None)) => {
                *slot = Some(Token { since: now, ..token });
                self.waiting += 1;
                true
            }
            (token, _) => {
                self.handed_over = token;
                false
            }
        }
    }

    /// Takes the publish that `pkid` acknowledges.
    pub(super) fn acknowledged(&mut self, pkid: u16) -> Option<Token> {
        let token = self.by_pkid.get_mut(usize::from(pkid))?.take()?;
        self.waiting -= 1;
        Some(token)
    }

    /// Since when the oldest publish waits.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.tokens().map(|token| token.since).min()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting == 0 && self.handed_over.is_none()
    }

    /// All that waits, in no order.
    pub(super) fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.by_pkid.iter().flatten().chain(&self.handed_over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn token(cost: usize, since: Instant) -> Token {
        Token { cost, since }
    }

    #[test]
    fn acknowledgements_in_any_order_find_their_publish() {
        let now = Instant::now();
        let mut inflight = Inflight::new(3);
        for (pkid, cost) in [(1, 10), (2, 20), (3, 30)] {
            inflight.hand_over(token(cost, now));
            assert!(!inflight.has_room());
            assert!(inflight.sent(pkid, now));
            assert!(inflight.has_room());
        }
        assert_eq!(inflight.acknowledged(2).unwrap().cost, 20);
        assert_eq!(inflight.acknowledged(2), None);
        assert_eq!(inflight.acknowledged(3).unwrap().cost, 30);
        assert_eq!(inflight.acknowledged(1).unwrap().cost, 10);
        assert!(inflight.is_empty());
    }

    #[test]
    fn a_publish_that_awaits_its_packet_id_keeps_its_place() {
        let now = Instant::now();
        let mut inflight = Inflight::new(2);
        for (pkid, cost) in [(1, 10), (2, 20)] {
            inflight.hand_over(token(cost, now));
            assert!(inflight.sent(pkid, now));
        }
        assert_eq!(inflight.acknowledged(2).unwrap().cost, 20);
        inflight.hand_over(token(11, now));
        assert!(!inflight.sent(1, now), "packet id 1 is still taken");
        assert!(!inflight.has_room());
        assert_eq!(inflight.acknowledged(1).unwrap().cost, 10);
        assert!(inflight.sent(1, now));
        assert_eq!(inflight.acknowledged(1).unwrap().cost, 11);
        assert!(inflight.is_empty());
    }

    #[test]
    fn packet_ids_that_were_never_given_are_refused() {
        let now = Instant::now();
        let mut inflight = Inflight::new(2);
        assert!(!inflight.sent(1, now), "nothing was handed over");
        inflight.hand_over(token(1, now));
        assert!(!inflight.sent(3, now));
        assert_eq!(inflight.acknowledged(0), None);
        assert_eq!(inflight.acknowledged(u16::MAX), None);
    }

    #[test]
    fn the_oldest_counts_from_the_moment_it_was_sent() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut inflight = Inflight::new(2);
        assert_eq!(inflight.oldest(), None);
        inflight.hand_over(token(1, start));
        assert_eq!(inflight.oldest(), Some(start));
        assert!(inflight.sent(1, later));
        assert_eq!(inflight.oldest(), Some(later));
    }
}
