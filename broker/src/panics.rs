//! Panics on a broker's threads, reported to that broker.
//!
//! rumqttd's router thread has no join handle, so a panic hook is the only way to hear of its end at once and with its
//! reason. The hook leaves panics on all other threads to the hook that was there before.

use std::{
    panic::{self, PanicHookInfo},
    sync::{
        Mutex, Once, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::sync::watch;

use crate::error::Failure;

/// Where the failure of a broker is written; the first one stays.
pub(crate) type FailureSlot = watch::Sender<Option<Failure>>;

static HOOK: Once = Once::new();
static NEXT_NUMBER: AtomicUsize = AtomicUsize::new(0);
static WATCHED: Mutex<Vec<(usize, FailureSlot)>> = Mutex::new(Vec::new());

/// Writes `failure` unless there is one already.
pub(crate) fn report(slot: &FailureSlot, failure: Failure) {
    slot.send_if_modified(|known| {
        let first = known.is_none();
        if first {
            *known = Some(failure);
        }
        first
    });
}

/// Watches the threads of one broker until it is dropped.
#[derive(Debug)]
pub(crate) struct PanicWatch {
    number: usize,
}

impl PanicWatch {
    /// Starts to watch; the number names the broker's threads in this process.
    pub(crate) fn new(slot: FailureSlot) -> Self {
        HOOK.call_once(install);
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        WATCHED.lock().unwrap_or_else(PoisonError::into_inner).push((number, slot));
        Self { number }
    }

    /// The router's number; rumqttd names its thread `router-NUMBER`.
    pub(crate) fn router_number(&self) -> usize {
        self.number
    }

    /// The name of the threads that serve connections.
    pub(crate) fn connection_threads(&self) -> String {
        format!("mqtt-{}", self.number)
    }
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        WATCHED.lock().unwrap_or_else(PoisonError::into_inner).retain(|(number, _)| *number != self.number);
    }
}

fn install() {
    let previous = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !handle(info) {
            previous(info);
        }
    }));
}

/// True if the panic was on a watched broker's thread.
fn handle(info: &PanicHookInfo<'_>) -> bool {
    let thread = thread::current();
    let Some((role, number)) = thread.name().and_then(role_and_number) else { return false };
    let Some(slot) = slot_of(number) else { return false };
    let reason = reason(info);
    match role {
        Role::Router => report(&slot, Failure::Router(reason)),
        // Only that one connection is lost, and its client connects again.
        Role::Connections => tracing::error!(reason, "a connection's task panicked"),
    }
    true
}

fn slot_of(number: usize) -> Option<FailureSlot> {
    // Never wait inside a panic: if the lock is taken, the watchdog will notice.
    let watched = match WATCHED.try_lock() {
        Ok(watched) => watched,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        Err(TryLockError::WouldBlock) => return None,
    };
    watched.iter().find(|(known, _)| *known == number).map(|(_, slot)| slot.clone())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Router,
    Connections,
}

fn role_and_number(thread_name: &str) -> Option<(Role, usize)> {
    let (role, number) = thread_name.split_once('-')?;
    let role = match role {
        "router" | "links" => Role::Router,
        "mqtt" => Role::Connections,
        _ => return None,
    };
    Some((role, number.parse().ok()?))
}

fn reason(info: &PanicHookInfo<'_>) -> String {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("panic without a text");
    match info.location() {
        Some(place) => format!("{text}, at {}:{}", file_name(place.file()), place.line()),
        None => text.to_owned(),
    }
}

/// Where the builder kept rumqttd's source is of no use to whoever reads the message.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic_on_thread(name: String) {
        let thread = thread::Builder::new().name(name).spawn(|| panic!("on purpose")).unwrap();
        assert!(thread.join().is_err());
    }

    #[test]
    fn a_panic_on_the_routers_thread_is_reported() {
        let (slot, failure) = watch::channel(None);
        let watch = PanicWatch::new(slot);
        panic_on_thread(format!("router-{}", watch.router_number()));
        assert!(matches!(&*failure.borrow(), Some(Failure::Router(reason)) if reason.starts_with("on purpose")));
    }

    #[test]
    fn other_panics_are_not() {
        let (slot, failure) = watch::channel(None);
        let watch = PanicWatch::new(slot);
        panic_on_thread("router-999999".to_owned());
        panic_on_thread(watch.connection_threads());
        assert_eq!(*failure.borrow(), None);
    }

    #[test]
    fn the_first_failure_stays() {
        let (slot, failure) = watch::channel(None);
        report(&slot, Failure::Router("first".to_owned()));
        report(&slot, Failure::Router("second".to_owned()));
        assert_eq!(*failure.borrow(), Some(Failure::Router("first".to_owned())));
    }

    #[test]
    fn thread_names_tell_broker_and_role() {
        assert_eq!(role_and_number("router-7"), Some((Role::Router, 7)));
        assert_eq!(role_and_number("mqtt-12"), Some((Role::Connections, 12)));
        for other in ["main", "router-", "router-x", "tokio-runtime-worker"] {
            assert_eq!(role_and_number(other), None, "{other}");
        }
    }
}
