//! What is told while a run goes on: on standard error, so that the account has standard output for itself.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, Write as _};
use std::time::Duration;
use tokio::time::Instant;

/// How wide lines of a lesson are.
const WIDTH: usize = 100;
/// How wide the word before them is, with a blank: as wide as the time before others.
const WORD_WIDTH: usize = 11;

/// How something is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It goes as it should.
    Plain,
    /// A fault strikes.
    Strike,
    /// A fault is undone.
    Heal,
    /// Something that should not be.
    Bad,
}

/// Tells, with the time since the beginning.
#[derive(Debug)]
pub(crate) struct Story {
    begun: Instant,
    bar: ProgressBar,
    colours: bool,
    silent: bool,
}

impl Story {
    /// Tells on standard error: `silent` says nothing at all.
    pub(crate) fn new(length: Duration, silent: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let bar = ProgressBar::new(length.as_secs());
        bar.set_draw_target(if terminal && !silent {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        });
        // A style that is wrong is the default one.
        if let Ok(style) = ProgressStyle::with_template("{elapsed_precise} [{bar:40}] {msg}") {
            bar.set_style(style);
        }
        Self { begun: Instant::now(), bar, colours, silent }
    }

    /// Says a line, with the time.
    pub(crate) fn say(&self, tone: Tone, text: &str) {
        let seconds = self.begun.elapsed().as_secs_f64();
        self.line(&format!("{seconds:7.1} s  {}", self.painted(tone, text)));
    }

    /// Says a paragraph, with a word before it.
    pub(crate) fn explain(&self, word: &str, text: &str) {
        let mut word = word;
        for line in wrapped(text, WIDTH - WORD_WIDTH) {
            let padding = " ".repeat(WORD_WIDTH.saturating_sub(word.chars().count()));
            self.line(&format!("{}{padding}{line}", self.painted(Tone::Heal, word)));
            word = "";
        }
    }

    /// Shows how far the run is.
    pub(crate) fn progress(&self, message: String) {
        self.bar.set_position(self.begun.elapsed().as_secs());
        self.bar.set_message(message);
    }

    fn line(&self, text: &str) {
        if !self.silent {
            // Whoever listened may have gone; the run goes on.
            self.bar.suspend(|| writeln!(std::io::stderr().lock(), "{text}").ok());
        }
    }

    fn painted(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Strike => "33",
            Tone::Heal => "36",
            Tone::Bad => "31",
            Tone::Plain => return text.to_owned(),
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A text in lines of at most so many characters; a longer word has a line for itself.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= width) {
            Some(line) => *line = format!("{line} {word}"),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_they_may_be() {
        assert_eq!(wrapped("one two  three\nfour", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("incomprehensible", 4), ["incomprehensible"]);
        assert!(wrapped("", 4).is_empty());
    }
}
