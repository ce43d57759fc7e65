//! What an operator changes of a source while the agent runs: how often it is sampled, and over which windows.
//!
//! [`Tunings`] is the one place where such decisions are put down. Whoever holds it sets them; the stage that shapes what sources give
//! ([`crate::shape`]) and the sources that ask at intervals look at it before each step, so that a change counts within half a second.
//! It keeps nothing: what is to survive a start is set again.

use fogline_protocol::sensing::Sensing;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// The shortest sampling interval and window: below it a reading's own costs are more than it says.
pub const TUNED_MIN: Duration = Duration::from_millis(100);
/// The longest ones.
pub const TUNED_MAX: Duration = Duration::from_secs(86_400);
/// Sources that can be tuned by name; more than an agent can have.
const NAMES_MAX: usize = 256;

/// What holds for a source in place of its configuration. `None` leaves the configuration as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tuning {
    /// How often a sensor is sampled: a polled source asks so often, of others at most one reading a sensor in each such interval is
    /// taken. Zero: everything that comes (a polled source then asks as configured).
    pub sampling: Option<Duration>,
    /// The width of the windows that are averaged on the edge. Zero: no windows.
    pub window: Option<Duration>,
}

impl From<Sensing> for Tuning {
    fn from(sensing: Sensing) -> Self {
        Self {
            sampling: sensing.sampling_ms.map(Duration::from_millis),
            window: sensing.window_ms.map(Duration::from_millis),
        }
    }
}

impl Tuning {
    /// This one where it says something, the other elsewhere.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { sampling: self.sampling.or(other.sampling), window: self.window.or(other.window) }
    }
}

/// The tunings of an agent's sources. Clones are the same ones.
#[derive(Debug, Clone, Default)]
pub struct Tunings {
    table: watch::Sender<Table>,
}

#[derive(Debug, Clone, Default, PartialEq)]
struct Table {
    all: Tuning,
    named: BTreeMap<String, Tuning>,
}

impl Tunings {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tunes one source by its name, or all of them. What one source's own tuning says goes before what is said for all.
    /// [`Tuning::default`] takes it back. Lengths other than zero are brought into [`TUNED_MIN`] to [`TUNED_MAX`]. False when there are
    /// too many names, which needs ones that no source has.
    pub fn set(&self, source: Option<&str>, tuning: Tuning) -> bool {
        let bounded = |length: Duration| if length.is_zero() { length } else { length.clamp(TUNED_MIN, TUNED_MAX) };
        let tuning = Tuning { sampling: tuning.sampling.map(bounded), window: tuning.window.map(bounded) };
        let mut room = true;
        self.table.send_if_modified(|table| {
            let before = table.clone();
            match source {
                None => table.all = tuning,
                Some(name) if tuning == Tuning::default() => drop(table.named.remove(name)),
                Some(name) if table.named.len() < NAMES_MAX || table.named.contains_key(name) => {
                    table.named.insert(name.to_owned(), tuning);
                }
                Some(_) => room = false,
            }
            *table != before
        });
        room
    }

    /// What holds for a source now.
    #[must_use]
    pub fn of(&self, source: &str) -> Tuning {
        let table = self.table.borrow();
        table.named.get(source).copied().unwrap_or_default().or(table.all)
    }

    /// For a source to look at.
    pub(crate) fn reader(&self, source: &str) -> TuningReader {
        let table = self.table.subscribe();
        TuningReader { table, source: source.to_owned() }
    }
}

/// A source's own view.
#[derive(Debug, Clone)]
pub(crate) struct TuningReader {
    table: watch::Receiver<Table>,
    source: String,
}

impl TuningReader {
    /// The source that it is for.
    pub(crate) fn name(&self) -> &str {
        &self.source
    }

    /// What holds now.
    pub(crate) fn get(&self) -> Tuning {
        let table = self.table.borrow();
        table.named.get(&self.source).copied().unwrap_or_default().or(table.all)
    }

    /// How often a polled source asks, where `configured` is what its configuration says.
    pub(crate) fn interval(&self, configured: Duration) -> Duration {
        self.get().sampling.filter(|interval| !interval.is_zero()).unwrap_or(configured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Option<Duration> {
        Some(Duration::from_millis(ms))
    }

    #[test]
    fn a_sources_own_tuning_goes_before_that_of_all() {
        let tunings = Tunings::new();
        let (one, other) = (tunings.reader("one"), tunings.reader("other"));
        assert!(tunings.set(None, Tuning { sampling: ms(1000), window: ms(5000) }));
        assert!(tunings.set(Some("one"), Tuning { sampling: ms(200), window: None }));
        assert_eq!(one.get(), Tuning { sampling: ms(200), window: ms(5000) });
        assert_eq!(other.get(), Tuning { sampling: ms(1000), window: ms(5000) });
        assert_eq!(tunings.of("one"), one.get());
        assert!(tunings.set(Some("one"), Tuning::default()));
        assert_eq!(one.interval(Duration::from_secs(9)), Duration::from_secs(1));
        assert!(tunings.set(None, Tuning::default()));
        assert_eq!(one.interval(Duration::from_secs(9)), Duration::from_secs(9));
    }

    #[test]
    fn lengths_and_names_are_bounded() {
        let tunings = Tunings::new();
        tunings.set(None, Tuning { sampling: ms(1), window: Some(Duration::MAX) });
        assert_eq!(tunings.of("x"), Tuning { sampling: Some(TUNED_MIN), window: Some(TUNED_MAX) });
        tunings.set(None, Tuning { sampling: ms(0), window: ms(0) });
        assert_eq!(tunings.of("x"), Tuning { sampling: ms(0), window: ms(0) });
        let room =
            (0..=NAMES_MAX).filter(|n| tunings.set(Some(&n.to_string()), Tuning { sampling: ms(500), window: None }));
        assert_eq!(room.count(), NAMES_MAX);
    }
}
