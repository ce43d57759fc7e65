//! Plugs that can be pulled while the demo runs: a letter or a number, and Enter.

use std::io::{BufRead, IsTerminal};
use tokio::sync::mpsc::{Receiver, channel};

/// Lines that nobody has looked at yet; a person types slowly.
const LINES_MAX: usize = 8;

/// What can be stopped and started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plug {
    /// The broker.
    Broker,
    /// The ingester.
    Ingester,
    /// The agent with this index.
    Agent(usize),
}

impl Plug {
    fn parse(line: &str) -> Option<Self> {
        match line.trim() {
            "b" => Some(Self::Broker),
            "i" => Some(Self::Ingester),
            number => number.parse::<usize>().ok()?.checked_sub(1).map(Self::Agent),
        }
    }
}

/// What is typed, if somebody can type at all. Whole lines: single keys would need the terminal in another mode, which
/// a killed process leaves behind.
pub(crate) fn listen(on_a_screen: bool) -> Receiver<Plug> {
    let (sender, plugs) = channel(LINES_MAX);
    if on_a_screen && std::io::stdin().is_terminal() {
        // Reading blocks until the process ends, so the thread is not waited for.
        let read = move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if Plug::parse(&line).is_some_and(|plug| sender.blocking_send(plug).is_err()) {
                    return;
                }
            }
        };
        // Without a thread there are no plugs to pull, and the rest works.
        std::thread::Builder::new().name("keys".to_owned()).spawn(read).ok();
    }
    plugs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_numbers_are_plugs() {
        assert_eq!(Plug::parse("b\n"), Some(Plug::Broker));
        assert_eq!(Plug::parse(" i "), Some(Plug::Ingester));
        assert_eq!(Plug::parse("1"), Some(Plug::Agent(0)));
        for other in ["", "0", "x", "-1", "b i"] {
            assert_eq!(Plug::parse(other), None, "{other:?}");
        }
    }
}
