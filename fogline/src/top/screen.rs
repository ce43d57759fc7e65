//! The terminal: keys in, a picture out, and left as it was found whatever happens.

use super::draw::draw;
use super::fleet::{Asker, Fleet};
use super::view::{Key, View};
use crate::analyst::api::AnalystError;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// How long a key is waited for before the picture is renewed.
const TICK: Duration = Duration::from_millis(200);

type Told = Result<Fleet, AnalystError>;

/// Shows the fleet until a key or a signal ends it.
///
/// # Errors
/// There is no terminal, or it went away.
pub(super) fn run(asker: Asker, every: Duration) -> std::io::Result<()> {
    let stopped = Arc::new(AtomicBool::new(false));
    watch_signals(Arc::clone(&stopped));
    // It also restores the terminal before a panic is shown.
    let mut terminal = ratatui::try_init()?;
    let _restored = Restore;
    let told = ask_again_and_again(asker, every);
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut view = View::default();
    while !view.done && !stopped.load(Ordering::Relaxed) {
        for told in told.try_iter() {
            match told {
                Ok(fleet) => view.tell(fleet, Instant::now()),
                Err(error) => view.trouble(error.to_string()),
            }
        }
        terminal.draw(|frame| draw(frame, &view, Instant::now(), colour))?;
        if event::poll(TICK)? {
            press(&mut view, &event::read()?);
        }
    }
    Ok(())
}

/// Gives the terminal back.
struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        ratatui::try_restore().ok();
    }
}

fn press(view: &mut View, event: &Event) {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) = event else {
        return;
    };
    let key = match code {
        KeyCode::Char('c' | 'd') if modifiers.contains(KeyModifiers::CONTROL) => Key::Char('q'),
        KeyCode::Char(key) => Key::Char(*key),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        _ => return,
    };
    view.press(key);
}

/// Asks in a thread of its own, because an answer may take seconds. Only the newest is kept.
fn ask_again_and_again(mut asker: Asker, every: Duration) -> Receiver<Told> {
    let (sender, told): (SyncSender<Told>, _) = sync_channel(1);
    std::thread::spawn(move || {
        loop {
            let start = Instant::now();
            match sender.try_send(asker.ask()) {
                Ok(()) | Err(TrySendError::Full(_)) => {}
                Err(TrySendError::Disconnected(_)) => return,
            }
            std::thread::sleep(every.saturating_sub(start.elapsed()).max(every / 4));
        }
    });
    told
}

/// Ends at once. Crossterm reads a terminal that is gone for ever, and never comes back to say so
/// (crossterm 0.29, `UnixInternalEventSource::try_read`).
fn leave() -> ! {
    ratatui::try_restore().ok();
    std::process::exit(1)
}

/// In the raw mode of a terminal Ctrl-C is a key; SIGTERM and a lost connection are not.
fn watch_signals(stopped: Arc<AtomicBool>) {
    std::thread::spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
            tokio::select! {
                () = fogline_runtime::signals::stop() => stopped.store(true, Ordering::Relaxed),
                _ = hangup.recv() => leave(),
            }
        });
    });
}
