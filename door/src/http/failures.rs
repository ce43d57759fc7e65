//! Who sent wrong tokens of late.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Addresses that are remembered, some 50 KiB. When there are more, the one that began first is forgotten: guessing a token
/// of 256 bits is hopeless at any rate, and the count keeps logs and processor for others.
const ADDRESSES_MAX: usize = 1024;

/// Counts wrong tokens by address, in windows that begin with the first one.
#[derive(Debug)]
pub(super) struct Failures {
    most: u32,
    window: Duration,
    by_address: HashMap<IpAddr, Window>,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    count: u32,
}

/// What follows from one more wrong token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is within the limit.
    Wrong,
    /// It is beyond the limit, for the given time.
    TooMany(Duration),
}

impl Failures {
    /// At most `most` in `window` for each address.
    pub(super) fn new(most: u32, window: Duration) -> Self {
        Self { most, window, by_address: HashMap::new() }
    }

    /// One more of `address`.
    pub(super) fn count(&mut self, address: IpAddr, now: Instant) -> Verdict {
        let address = network(address);
        if !self.by_address.contains_key(&address) {
            self.make_room(now);
        }
        let fresh = Window { since: now, count: 0 };
        let window = self.by_address.entry(address).or_insert(fresh);
        if now.duration_since(window.since) >= self.window {
            *window = fresh;
        }
        window.count = window.count.saturating_add(1);
        if window.count <= self.most {
            return Verdict::Wrong;
        }
        Verdict::TooMany(self.window.saturating_sub(now.duration_since(window.since)))
    }

    fn make_room(&mut self, now: Instant) {
        if self.by_address.len() < ADDRESSES_MAX {
            return;
        }
        self.by_address.retain(|_, window| now.duration_since(window.since) < self.window);
        let first = self.by_address.iter().min_by_key(|(_, window)| window.since).map(|(address, _)| *address);
        if let Some(first) = first.filter(|_| self.by_address.len() >= ADDRESSES_MAX) {
            self.by_address.remove(&first);
        }
    }
}

/// Who counts as one: an address of IPv4, or the 64 bits of IPv6 that one customer has to himself at least.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(60);

    #[test]
    fn each_address_has_its_own_count_until_its_window_ends() {
        let (mut failures, start) = (Failures::new(2, WINDOW), Instant::now());
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(failures.count(address("192.0.2.1"), start), Verdict::Wrong);
        assert_eq!(failures.count(address("::ffff:192.0.2.1"), start), Verdict::Wrong);
        let later = start + WINDOW / 2;
        assert_eq!(failures.count(address("192.0.2.1"), later), Verdict::TooMany(WINDOW / 2));
        assert_eq!(failures.count(address("192.0.2.2"), later), Verdict::Wrong);
        assert_eq!(failures.count(address("192.0.2.1"), start + WINDOW), Verdict::Wrong);
        for (address, verdict) in [("2001:db8::1", true), ("2001:db8::2", true), ("2001:db8::3", false)] {
            let told = failures.count(address.parse().unwrap(), start);
            assert_eq!(told == Verdict::Wrong, verdict, "{address}");
        }
    }

    #[test]
    fn the_table_is_bounded() {
        let (mut failures, start) = (Failures::new(1, WINDOW), Instant::now());
        let number = |n: u32| IpAddr::from(n.to_be_bytes());
        let first = number(0);
        failures.count(first, start);
        for n in 1..5000 {
            failures.count(number(n), start + Duration::from_secs(1));
        }
        assert_eq!(failures.by_address.len(), ADDRESSES_MAX);
        assert_eq!(failures.count(first, start + Duration::from_secs(2)), Verdict::Wrong, "it was forgotten");
        failures.count(number(9000), start + WINDOW * 2);
        assert_eq!(failures.by_address.len(), 1, "what is over goes first");
    }
}
