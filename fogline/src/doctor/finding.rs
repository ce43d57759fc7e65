//! What was found, and how it is shown.

use crate::table::Table;
use serde::Serialize;
use std::fmt;
use std::io::{IsTerminal, Write};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// As it should be.
    Ok,
    /// It was not looked at; the finding says why.
    Skip,
    /// It works, and may not for long, or not well.
    Warn,
    /// It does not work.
    Fail,
}

impl Outcome {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skip => "skip",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }

    /// The colour of the word on a terminal, as the number of an escape sequence.
    const fn colour(self) -> u8 {
        match self {
            Self::Ok => 32,
            Self::Skip => 90,
            Self::Warn => 33,
            Self::Fail => 31,
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// What was looked at.
    pub(crate) check: String,
    /// How it went.
    pub(crate) outcome: Outcome,
    /// What was seen.
    pub(crate) finding: String,
    /// What to do about it; empty where there is nothing to do.
    #[serde(rename = "do", skip_serializing_if = "String::is_empty")]
    pub(crate) remedy: String,
}

/// All checks, in their order.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    checks: Vec<Finding>,
}

impl Findings {
    /// It is as it should be.
    pub(crate) fn ok(&mut self, check: &str, finding: impl Into<String>) {
        self.add(check, Outcome::Ok, finding, "");
    }

    /// It was not looked at, because…
    pub(crate) fn skip(&mut self, check: &str, finding: impl Into<String>) {
        self.add(check, Outcome::Skip, finding, "");
    }

    /// It works, but…
    pub(crate) fn warn(&mut self, check: &str, finding: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Outcome::Warn, finding, remedy);
    }

    /// It does not work.
    pub(crate) fn fail(&mut self, check: &str, finding: impl Into<String>, remedy: impl Into<String>) {
        self.add(check, Outcome::Fail, finding, remedy);
    }

    pub(crate) fn add(&mut self, check: &str, outcome: Outcome, finding: impl Into<String>, remedy: impl Into<String>) {
        let (finding, remedy) = (one_line(finding.into()), one_line(remedy.into()));
        self.checks.push(Finding { check: check.to_owned(), outcome, finding, remedy });
    }

    /// The worst of all.
    pub(crate) fn worst(&self) -> Outcome {
        self.checks.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::Ok)
    }

    /// How a check went.
    #[cfg(test)]
    pub(crate) fn of(&self, check: &str) -> &Finding {
        let found = self.checks.iter().find(|finding| finding.check == check);
        found.unwrap_or_else(|| panic!("{check} is not among {:#?}", self.checks))
    }

    /// As one line of JSON.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// As a table, each remedy below its finding; `colour` for a terminal.
    pub(crate) fn text(&self, colour: bool) -> String {
        let mut table = Table::of_texts(&["check", "", "finding"]);
        for finding in &self.checks {
            table.row([finding.check.clone(), finding.outcome.word().to_owned(), finding.finding.clone()]);
        }
        let lines = table.lines();
        let width = self.checks.iter().map(|finding| finding.check.chars().count()).max().unwrap_or(0).max(5);
        let indent = " ".repeat(width + 8);
        let mut text = String::new();
        for (line, finding) in lines.iter().skip(1).zip(&self.checks) {
            let line = if colour { coloured(line, width + 2, finding.outcome) } else { line.clone() };
            text.push_str(&format!("{line}\n"));
            if !finding.remedy.is_empty() {
                text.push_str(&format!("{indent}-> {}\n", finding.remedy));
            }
        }
        format!("{}\n{text}\n{self}\n", lines.first().map_or("", String::as_str))
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |outcome| self.checks.iter().filter(|finding| finding.outcome == outcome).count();
        let (all, warned, failed) = (self.checks.len(), count(Outcome::Warn), count(Outcome::Fail));
        match (warned, failed) {
            (0, 0) => write!(f, "{all} checks, all well"),
            _ => write!(f, "{all} checks: {failed} failed, {warned} to look at"),
        }
    }
}

/// What others say may have lines.
fn one_line(text: String) -> String {
    if text.contains(['\n', '\r']) { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { text }
}

/// The word in the second column, which begins at `from`.
fn coloured(line: &str, from: usize, outcome: Outcome) -> String {
    let at = line.char_indices().nth(from).map_or(line.len(), |(at, _)| at);
    let (head, tail) = line.split_at(at);
    let word = outcome.word();
    match tail.strip_prefix(word) {
        Some(rest) => format!("{head}\x1b[{}m{word}\x1b[0m{rest}", outcome.colour()),
        None => line.to_owned(),
    }
}

/// Says on a terminal what is being waited for.
pub(crate) struct Progress(bool);

impl Progress {
    /// Silent where nobody looks.
    pub(crate) fn new(json: bool) -> Self {
        Self(!json && std::io::stderr().is_terminal())
    }

    /// What comes next.
    pub(crate) fn say(&self, what: &str) {
        if self.0 {
            eprint!("\r\x1b[K{what} …");
            // A progress that cannot be shown is no reason to end.
            std::io::stderr().flush().ok();
        }
    }

    /// Nothing comes any more.
    pub(crate) fn end(&self) {
        if self.0 {
            eprint!("\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Findings {
        let mut findings = Findings::default();
        findings.ok("clock", "set");
        findings.warn("disk space", "1 GiB free", "make room");
        findings.fail("broker a:1883", "connection\nrefused", "start it");
        findings
    }

    #[test]
    fn columns_stand_below_each_other_and_remedies_below_their_finding() {
        let expected = "\
check                finding
clock          ok    set
disk space     warn  1 GiB free
                     -> make room
broker a:1883  FAIL  connection refused
                     -> start it

3 checks: 1 failed, 1 to look at
";
        assert_eq!(findings().text(false), expected);
        assert!(findings().text(true).contains("\x1b[31mFAIL\x1b[0m"));
        assert_eq!(findings().worst(), Outcome::Fail);
    }

    #[test]
    fn machines_get_the_same() {
        let value: serde_json::Value = serde_json::from_str(&findings().json().unwrap()).unwrap();
        assert_eq!(value["checks"][1]["outcome"], "warn");
        assert_eq!(value["checks"][1]["do"], "make room");
        assert!(value["checks"][0].get("do").is_none());
    }
}
