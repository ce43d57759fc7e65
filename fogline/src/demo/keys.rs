//! Plugs that can be pulled while the demo runs: a letter or a number, and Enter.

use super::pull::Pull;
use std::io::{BufRead, IsTerminal};
use tokio::sync::mpsc::{Receiver, channel};

/// Lines that nobody has looked at yet; a person types slowly.
const LINES_MAX: usize = 8;

/// What is typed, if somebody can type at all. Whole lines: single keys would need the terminal in another mode, which
/// a killed process leaves behind.
pub(crate) fn listen(on_a_screen: bool) -> Receiver<Pull> {
    let (sender, pulls) = channel(LINES_MAX);
    if on_a_screen && std::io::stdin().is_terminal() {
        // Reading blocks until the process ends, so the thread is not waited for.
        let read = move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if line.parse().is_ok_and(|pull| sender.blocking_send(pull).is_err()) {
                    return;
                }
            }
        };
        // Without a thread there are no plugs to pull, and the rest works.
        std::thread::Builder::new().name("keys".to_owned()).spawn(read).ok();
    }
    pulls
}
