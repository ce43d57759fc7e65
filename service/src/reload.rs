//! Reading the settings again while the program runs (SIGHUP).

use crate::notify;
use crate::settings::{Changes, Settings, SettingsError, table, take_over};
use fogline_door::logging;
use std::fmt::Write;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How often settings were read again, by what came of it. One program, one count.
static TAKEN: AtomicU64 = AtomicU64::new(0);
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// SIGHUP, the signal by which services are told to read their files again.
#[derive(Debug)]
pub struct Hangup(Option<Signal>);

impl Hangup {
    /// From now on SIGHUP no longer ends the program. Without a handler from the system it does.
    #[must_use]
    pub fn listen() -> Self {
        Self(signal(SignalKind::hangup()).ok())
    }

    /// The next one. Cancel safe.
    pub async fn next(&mut self) {
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// The settings that are in effect, which can be read again.
#[derive(Debug)]
pub struct Reloader<T> {
    now: toml::Table,
    /// What the service manager hears when that is done.
    status: String,
    kind: PhantomData<T>,
}

impl<T: Settings> Reloader<T> {
    /// With all settings in effect, defaults among them; `status` is what the service manager hears after each reading.
    #[must_use]
    pub fn new(now: &T, status: String) -> Self {
        Self { now: table(now), status, kind: PhantomData }
    }

    /// Says to the service manager that the program serves.
    pub fn ready(&self) {
        notify::ready(&self.status);
    }

    /// Takes what was `read` again: all settings, and the configuration that follows. Says what came of it: in the log, to the
    /// service manager, and in the counts. Gives the configuration to take over; none when there are mistakes.
    pub fn reload<C>(&mut self, read: impl FnOnce() -> Result<(T, C), SettingsError>) -> Option<C> {
        notify::reloading();
        let taken = match read() {
            Ok((new, config)) => {
                TAKEN.fetch_add(1, Ordering::Relaxed);
                let new = table(&new);
                let changes = take_over::<T>(&mut self.now, &new);
                logging::apply(new.get("log").and_then(toml::Value::as_str));
                say(&changes);
                Some(config)
            }
            Err(error) => {
                REFUSED.fetch_add(1, Ordering::Relaxed);
                let problems = error.problems().join("; ");
                tracing::error!("settings cannot be used, everything stays as it was: {problems}");
                None
            }
        };
        notify::ready(&self.status);
        taken
    }
}

/// One line.
fn say(changes: &Changes) {
    let (taken, waiting) = (changes.taken.join(", "), changes.waiting.join(", "));
    match (taken.is_empty(), waiting.is_empty()) {
        (true, true) => tracing::info!("settings read again: nothing changed"),
        (false, true) => tracing::info!("settings read again, taken over: {taken}"),
        (true, false) => tracing::warn!("settings read again; changed, needs a restart: {waiting}"),
        (false, false) => {
            tracing::warn!("settings read again, taken over: {taken}; changed, needs a restart: {waiting}");
        }
    }
}

/// The counts as lines of a page for Prometheus; `program` is the second part of their name, as in `fogline_agent`.
#[must_use]
pub fn metrics(program: &str) -> String {
    let name = format!("{program}_config_reloads_total");
    let mut page =
        format!("# HELP {name} How often the settings were read again, by what came of it.\n# TYPE {name} counter\n");
    for (result, count) in [("taken", &TAKEN), ("refused", &REFUSED)] {
        // Writing to a string does not fail.
        writeln!(page, "{name}{{result=\"{result}\"}} {}", count.load(Ordering::Relaxed)).ok();
    }
    page
}
