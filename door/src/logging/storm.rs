//! Repeats are counted, and the count is said once in a while.
//!
//! Two events are the same when they come from the same place in the code and all of their values are equal. Debug and trace events are left
//! alone: whoever asked for them wants all of them.

use std::collections::HashMap;
use std::fmt::{self, Debug, Write};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// How often the same is said before it is counted: what happens to five agents at once is no storm.
const BURST: u64 = 5;
/// How often the count is said, and after which a silence makes an event new.
const EVERY: Duration = Duration::from_secs(10);
/// The most events that are told apart. What comes beyond is said each time, and not lost: 1,024 different faults within
/// ten seconds are no repetition.
const KNOWN_MAX: usize = 1_024;
/// So much of a message is repeated with its count.
const MESSAGE_CHARS_MAX: usize = 200;
/// Where counts come from: they are not counted themselves.
const TARGET: &str = "fogline::repeats";

type Key = (Identifier, u64);

/// What was said of late.
#[derive(Debug, Clone, Default)]
pub struct Storm(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    known: Mutex<HashMap<Key, Known>>,
    /// Something is to be said later.
    counted: Condvar,
}

#[derive(Debug)]
struct Known {
    since: Instant,
    said: u64,
    more: u64,
    /// Filled when the counting begins.
    like: Option<Like>,
}

/// What was repeated.
#[derive(Debug, Clone)]
struct Like {
    level: Level,
    target: &'static str,
    message: String,
}

impl Storm {
    /// Nothing was said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What keeps repeats from being written, for a subscriber that writes.
    #[must_use]
    pub fn layer(&self) -> StormLayer {
        StormLayer(self.clone())
    }

    /// Says what is due at `now` through the current subscriber.
    pub fn say_due(&self, now: Instant) {
        for (like, more) in self.take_due(now) {
            say(&like, more);
        }
    }

    /// Says what becomes due from now on, in a thread that sleeps while nothing was repeated.
    pub(super) fn say_from_now_on(&self) {
        let storm = self.clone();
        let thread = std::thread::Builder::new().name("log-repeats".to_owned());
        // Without the thread repeats are counted and their counts not said.
        thread.spawn(move || storm.say_for_ever()).ok();
    }

    fn say_for_ever(&self) {
        loop {
            let mut known = self.lock();
            while known.values().all(|known| known.more == 0) {
                known = self.0.counted.wait(known).unwrap_or_else(PoisonError::into_inner);
            }
            drop(known);
            std::thread::sleep(EVERY);
            self.say_due(Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Known>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an event is to be written, or has been counted.
    fn heard(&self, key: Key, now: Instant, like: impl FnOnce() -> Like) -> bool {
        let mut all = self.lock();
        if all.len() >= KNOWN_MAX && !all.contains_key(&key) {
            all.retain(|_, known| known.more > 0 || now.saturating_duration_since(known.since) < EVERY);
            if all.len() >= KNOWN_MAX {
                return true;
            }
        }
        let known = all.entry(key).or_insert_with(|| Known { since: now, said: 0, more: 0, like: None });
        if known.more == 0 && now.saturating_duration_since(known.since) >= EVERY {
            *known = Known { since: now, said: 0, more: 0, like: None };
        }
        if known.said < BURST {
            known.said += 1;
            return true;
        }
        known.more += 1;
        if known.like.is_none() {
            known.like = Some(like());
            drop(all);
            self.0.counted.notify_all();
        }
        false
    }

    /// What was repeated, and how often since it was said last.
    fn take_due(&self, now: Instant) -> Vec<(Like, u64)> {
        let mut all = self.lock();
        let mut due = Vec::new();
        all.retain(|_, known| {
            if now.saturating_duration_since(known.since) < EVERY {
                return true;
            }
            let more = std::mem::take(&mut known.more);
            // The storm may go on: its next event is counted again, and not said.
            known.since = now;
            due.extend(known.like.clone().filter(|_| more > 0).map(|like| (like, more)));
            more > 0
        });
        due
    }
}

fn say(like: &Like, more: u64) {
    let Like { level, target, message } = like;
    match *level {
        Level::ERROR => {
            tracing::error!(target: TARGET, repeated = more, of = target, "… {more} more like this: {message}")
        }
        Level::WARN => {
            tracing::warn!(target: TARGET, repeated = more, of = target, "… {more} more like this: {message}")
        }
        _ => tracing::info!(target: TARGET, repeated = more, of = target, "… {more} more like this: {message}"),
    }
}

/// Keeps repeats from being written; made by [`Storm::layer`].
#[derive(Debug)]
pub struct StormLayer(Storm);

impl<S: Subscriber> Layer<S> for StormLayer {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == TARGET {
            return true;
        }
        let mut hash = Hash64(DefaultHasher::new());
        event.record(&mut hash);
        let like = || {
            let mut message = Message(String::new());
            event.record(&mut message);
            Like { level: *metadata.level(), target: metadata.target(), message: message.0 }
        };
        self.0.heard((metadata.callsite(), hash.0.finish()), Instant::now(), like)
    }
}

/// All values as one number. That two different events have the same is as likely as 64 bits make it.
struct Hash64(DefaultHasher);

impl Visit for Hash64 {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        field.name().hash(&mut self.0);
        // Hashing cannot fail; a value that cannot be shown counts as far as it can.
        write!(self, "{value:?}").ok();
    }
}

impl Write for Hash64 {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}").chars().take(MESSAGE_CHARS_MAX).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like() -> Like {
        Like { level: Level::WARN, target: "t", message: "m".to_owned() }
    }

    fn key(number: u64) -> Key {
        // Any callsite will do: the number tells them apart.
        static CALLSITE: tracing::callsite::DefaultCallsite = {
            static METADATA: tracing::Metadata<'static> = tracing::metadata! {
                name: "test", target: "t", level: Level::WARN, fields: &[], callsite: &CALLSITE,
                kind: tracing::metadata::Kind::EVENT
            };
            tracing::callsite::DefaultCallsite::new(&METADATA)
        };
        (Identifier(&CALLSITE), number)
    }

    #[test]
    fn a_storm_that_goes_on_is_one_line_each_interval_and_ends_with_silence() {
        let storm = Storm::new();
        let start = Instant::now();
        let second = |second: u64| start + Duration::from_secs(second);
        let mut said = 0;
        let mut counts = Vec::new();
        for at in 0..60 {
            said += (0..100).filter(|_| storm.heard(key(1), second(at), like)).count();
            counts.extend(storm.take_due(second(at)).into_iter().map(|(_, more)| more));
        }
        assert_eq!(said, 5);
        assert_eq!(counts.len(), 5, "{counts:?}");
        let rest: u64 = storm.take_due(second(80)).into_iter().map(|(_, more)| more).sum();
        assert_eq!(counts.iter().sum::<u64>() + rest + 5, 6_000, "every one is said or counted");
        assert!(storm.take_due(second(100)).is_empty() && storm.lock().is_empty());
        assert!(storm.heard(key(1), second(120), like), "after a silence it is news again");
    }

    #[test]
    fn memory_is_bounded_and_what_has_no_room_is_said() {
        let storm = Storm::new();
        let now = Instant::now();
        for number in 0..5_000 {
            assert!(storm.heard(key(number), now, like));
        }
        assert_eq!(storm.lock().len(), KNOWN_MAX);
        assert!((0..20).all(|_| storm.heard(key(4_999), now, like)));
        assert!(storm.heard(key(9_999), now + EVERY, like));
        assert_eq!(storm.lock().len(), 1, "what is old makes room");
    }
}
