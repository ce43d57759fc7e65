//! How often passwords may be guessed.
//!
//! Only passwords: a token of 256 bits cannot be guessed and a certificate is checked before, so what is right there is let in
//! whatever happened before, also from an address that is full of failures. That matters, as one address can be many: behind
//! NAT or a proxy, a thousand agents and an attacker have the same one, and loopback is no exception, since proxies and
//! published container ports come from there. Behind one address
//!
//! - a **pair** of address and user has a few attempts, and then one each ten seconds;
//! - the **address** has more, and then one each second, for all users together; a pair that has logged in before is exempt,
//!   so that a person is not locked out of an office by a machine beside it;
//! - a **user** is never locked out by what others do elsewhere: its failures make only failures wait longer.
//!
//! An attempt is counted before it is checked and taken back when it was right, so that many at once are no way around.

use std::{
    hash::{BuildHasher, RandomState},
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::buckets::Buckets;

/// A person mistypes a few times, and a program opens a few connections at once.
const PAIR_BURST: u32 = 10;
/// 8,640 guesses a day.
const PAIR_INTERVAL: Duration = Duration::from_secs(10);
/// Several people in one office, and its machines that have a wrong token.
const ADDRESS_BURST: u32 = 50;
const ADDRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Each failure of a user makes its next failure this much slower.
const USER_INTERVAL: Duration = Duration::from_millis(500);
/// Clients wait longer than this for an answer.
const MAX_USER_DELAY: Duration = Duration::from_secs(4);
/// For each table; an entry is some 40 bytes. When one is full, what is forgotten soonest goes first.
const MAX_ENTRIES: usize = 8_192;
/// A pair that logged in is exempt for this long: a weekend and a holiday.
const TRUST: Duration = Duration::from_secs(7 * 24 * 3600);

/// An address; of IPv6 the first half, as the second is the client's own choice.
type Address = IpAddr;
type Pair = (Address, u64);

/// The attempts of the last while.
#[derive(Debug)]
pub(crate) struct Throttle {
    tables: Mutex<Tables>,
    /// Keyed by chance, so that nobody can choose names that are taken for another.
    names: RandomState,
}

#[derive(Debug)]
struct Tables {
    pairs: Buckets<Pair>,
    addresses: Buckets<Address>,
    users: Buckets<u64>,
    trusted: Buckets<Pair>,
}

/// An attempt that was counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pair: Pair,
}

impl Throttle {
    pub(crate) fn new() -> Self {
        let tables = Tables {
            pairs: Buckets::new(PAIR_INTERVAL, MAX_ENTRIES),
            addresses: Buckets::new(ADDRESS_INTERVAL, MAX_ENTRIES),
            users: Buckets::new(USER_INTERVAL, MAX_ENTRIES),
            trusted: Buckets::new(TRUST, MAX_ENTRIES),
        };
        Self { tables: Mutex::new(tables), names: RandomState::new() }
    }

    /// Counts an attempt.
    ///
    /// # Errors
    /// How long to wait before the next one, which is then not counted.
    pub(crate) fn begin(&self, address: IpAddr, user: &str, now: Instant) -> Result<Attempt, Duration> {
        let address = network(address);
        let pair = (address, self.names.hash_one(user));
        let mut tables = self.tables();
        let trusted = !tables.trusted.debt(pair, now).is_zero();
        let address_wait = if trusted { None } else { tables.addresses.wait(address, ADDRESS_BURST, now) };
        match tables.pairs.wait(pair, PAIR_BURST, now).max(address_wait) {
            Some(wait) => Err(wait),
            None => {
                tables.pairs.add(pair, Duration::MAX, now);
                tables.addresses.add(address, ADDRESS_INTERVAL * ADDRESS_BURST, now);
                Ok(Attempt { pair })
            }
        }
    }

    /// The attempt was right.
    pub(crate) fn succeeded(&self, attempt: Attempt, now: Instant) {
        let mut tables = self.tables();
        tables.pairs.forget(attempt.pair);
        tables.addresses.take_back(attempt.pair.0, now);
        tables.trusted.add(attempt.pair, TRUST, now);
    }

    /// The attempt was not looked at.
    pub(crate) fn given_up(&self, attempt: Attempt, now: Instant) {
        let mut tables = self.tables();
        tables.pairs.take_back(attempt.pair, now);
        tables.addresses.take_back(attempt.pair.0, now);
    }

    /// The attempt was wrong: how long its answer has to wait on top.
    pub(crate) fn failed(&self, attempt: Attempt, now: Instant) -> Duration {
        let mut tables = self.tables();
        tables.users.add(attempt.pair.1, MAX_USER_DELAY, now);
        tables.users.debt(attempt.pair.1, now).saturating_sub(USER_INTERVAL)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Numbers only: whatever happened, they can be used on.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn network(address: IpAddr) -> Address {
    match address.to_canonical() {
        address @ IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn a_pair_is_slowed_and_nobody_else() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        for _ in 0..PAIR_BURST {
            throttle.begin(address(1), "anna", now).unwrap();
        }
        assert_eq!(throttle.begin(address(1), "anna", now).unwrap_err(), PAIR_INTERVAL);
        assert!(throttle.begin(address(2), "anna", now).is_ok(), "from elsewhere");
        assert!(throttle.begin(address(1), "ben", now).is_ok(), "somebody else");
        assert!(throttle.begin(address(1), "anna", now + PAIR_INTERVAL).is_ok(), "later");
    }

    #[test]
    fn an_address_that_tries_many_names_is_slowed() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        let attempt = throttle.begin(address(1), "anna", now).unwrap();
        throttle.succeeded(attempt, now);
        for n in 0..ADDRESS_BURST {
            throttle.begin(address(1), &n.to_string(), now).unwrap();
        }
        assert_eq!(throttle.begin(address(1), "next", now).unwrap_err(), ADDRESS_INTERVAL);
        assert!(throttle.begin(address(1), "anna", now).is_ok(), "who logged in from there before is exempt");
    }

    #[test]
    fn what_was_right_or_not_looked_at_does_not_count() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        for _ in 0..2 * ADDRESS_BURST {
            throttle.given_up(throttle.begin(address(1), "anna", now).unwrap(), now);
        }
        for _ in 0..2 * ADDRESS_BURST {
            throttle.succeeded(throttle.begin(address(1), "ben", now).unwrap(), now);
        }
        let tables = throttle.tables();
        assert!(tables.addresses.debt(address(1), now).is_zero());
    }

    #[test]
    fn failures_of_a_user_wait_longer_and_longer_up_to_a_bound() {
        let (throttle, now) = (Throttle::new(), Instant::now());
        let delays: Vec<_> =
            (0..12).map(|n| throttle.failed(throttle.begin(address(n), "anna", now).unwrap(), now)).collect();
        assert_eq!(delays[..3], [Duration::ZERO, USER_INTERVAL, 2 * USER_INTERVAL]);
        assert!(delays.iter().all(|delay| *delay < MAX_USER_DELAY));
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff:2".parse().unwrap()));
        assert_ne!(network("2001:db8::1".parse().unwrap()), network("2001:db8:0:1::1".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), address(1));
    }
}
