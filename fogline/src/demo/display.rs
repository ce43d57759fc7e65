//! Where the demo is shown: a screen that is renewed, lines, or JSON.

use super::addresses::Addresses;
use super::farewell;
use super::pull::Pull;
use super::view::{SiteView, View};
use std::io::{self, IsTerminal, Write};

/// Lines are for files and pipes: one each second would be too many.
const LINE_EVERY_S: u64 = 5;
/// Clears the screen.
const CLEAR: &str = "\x1b[2J";
/// To the upper left corner.
const HOME: &str = "\x1b[H";
/// Clears the rest of the line: what was there before was longer, perhaps.
const END_OF_LINE: &str = "\x1b[K\n";
/// Clears what is below, what was typed included.
const END_OF_SCREEN: &str = "\x1b[J";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

enum Mode {
    Screen { bold: bool, cleared: bool },
    Lines,
    Json,
}

/// Where the demo is shown.
pub(crate) struct Display {
    mode: Mode,
    head: Vec<String>,
    /// The sites as they were shown last.
    sites: Vec<SiteView>,
}

impl Display {
    /// JSON if it is asked for; otherwise a screen on a terminal, and lines elsewhere.
    pub(crate) fn new(json: bool) -> Self {
        let bold = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mode = match (json, io::stdout().is_terminal()) {
            (true, _) => Mode::Json,
            (false, true) => Mode::Screen { bold, cleared: false },
            (false, false) => Mode::Lines,
        };
        Self { mode, head: Vec::new(), sites: Vec::new() }
    }

    /// True on a terminal.
    pub(crate) const fn is_screen(&self) -> bool {
        matches!(self.mode, Mode::Screen { .. })
    }

    /// Says where everything is, before anything happens.
    ///
    /// # Errors
    /// When nobody can read it.
    pub(crate) fn head(&mut self, addresses: &Addresses) -> anyhow::Result<()> {
        self.head = addresses.lines();
        match self.mode {
            Mode::Json => say(&(addresses.json() + "\n")),
            Mode::Screen { .. } | Mode::Lines => say(&(self.head.join("\n") + "\n")),
        }
    }

    /// Says that a plug is pulled, or put back in. A screen shows what follows.
    ///
    /// # Errors
    /// When nobody can read it.
    pub(crate) fn pulled(&self, pull: Pull, elapsed_s: u64) -> anyhow::Result<()> {
        let plug = pull.to_string();
        match self.mode {
            Mode::Json => {
                say(&(serde_json::json!({"event": "pulled", "elapsed_s": elapsed_s, "plug": plug}).to_string() + "\n"))
            }
            Mode::Lines => say(&format!("{elapsed_s:>4} s  pulled {plug}\n")),
            Mode::Screen { .. } => Ok(()),
        }
    }

    /// Shows the sites. Lines are shown now and then, and when something has changed between two sites.
    ///
    /// # Errors
    /// When nobody can see it.
    pub(crate) fn show(&mut self, view: &View) -> anyhow::Result<()> {
        match &mut self.mode {
            Mode::Json => say(&json("second", view)?),
            Mode::Lines => {
                let changed = view.sites.len() > 1 && self.sites != view.sites;
                self.sites.clone_from(&view.sites);
                if changed || view.elapsed_s.is_multiple_of(LINE_EVERY_S) || view.elapsed_s == 1 {
                    say(&(view.line() + "\n"))?;
                }
                Ok(())
            }
            Mode::Screen { bold, cleared } => {
                let clear = if std::mem::replace(cleared, true) { "" } else { CLEAR };
                say(&format!("{clear}{}", frame(&self.head, view, *bold)))
            }
        }
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// When nobody can read it.
    pub(crate) fn last(&self, view: &View) -> anyhow::Result<()> {
        match self.mode {
            Mode::Json => say(&json("ended", view)?),
            Mode::Screen { .. } | Mode::Lines => say(&(farewell(view) + "\n")),
        }
    }
}

fn json(event: &str, view: &View) -> anyhow::Result<String> {
    let mut line = serde_json::to_value(view)?;
    if let Some(object) = line.as_object_mut() {
        object.insert("event".to_owned(), event.into());
    }
    Ok(line.to_string() + "\n")
}

fn frame(head: &[String], view: &View, bold: bool) -> String {
    let (on, off) = if bold { (BOLD, PLAIN) } else { ("", "") };
    let mut lines = head.to_vec();
    lines.push(String::new());
    lines.extend(view.standing().into_iter().enumerate().map(|(at, words)| {
        let elapsed = if at == 0 { format!("{:>4} s", view.elapsed_s) } else { " ".repeat(6) };
        format!("{elapsed}   {words}")
    }));
    lines.push(String::new());
    let table = view.table().lines();
    lines.extend(
        table.iter().enumerate().map(|(at, line)| if at == 0 { format!("{on}{line}{off}") } else { line.clone() }),
    );
    lines.push(String::new());
    format!("{HOME}{}{END_OF_LINE}{END_OF_SCREEN}", lines.join(END_OF_LINE))
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_overwrites_the_one_before() {
        let frame = frame(&["head".to_owned()], &View::default(), false);
        assert!(frame.starts_with("\x1b[Hhead\x1b[K\n"), "{frame:?}");
        assert!(frame.ends_with("\x1b[K\n\x1b[J"), "{frame:?}");
        assert!(!frame.contains(BOLD));
    }

    #[test]
    fn a_line_of_json_names_its_event() {
        let line: serde_json::Value = serde_json::from_str(&json("second", &View::default()).unwrap()).unwrap();
        assert_eq!((line["event"].as_str(), line["stored"].as_u64()), (Some("second"), Some(0)));
    }
}
