//! The account for a person.

use super::account::{Account, AgentAccount, Counts, LostRange};
use crate::figures::count;
use crate::table::Table;
use std::fmt;

/// Ranges that are shown of each agent; the others are counted.
const RANGES_SHOWN: usize = 5;

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table =
            Table::new(&["agent", "accepted", "stored", "queued", "dead", "dropped", "lost", "twice", "unknown"]);
        for agent in &self.agents {
            table.row(row(&agent.agent, &agent.counts));
        }
        if self.agents.len() != 1 {
            table.row(row("all", &self.total));
        }
        write!(f, "{table}")?;
        self.agents.iter().try_for_each(|agent| write_ranges(f, agent))?;
        self.notes().iter().try_for_each(|note| writeln!(f, "\n{note}"))?;
        writeln!(f, "\n{}", self.verdict())
    }
}

fn row(name: &str, counts: &Counts) -> impl Iterator<Item = String> {
    let Counts { accepted, stored, queued, dead, dropped, lost, duplicates, unknown } = *counts;
    let numbers = [accepted, stored, queued, dead, dropped, lost, duplicates, unknown];
    std::iter::once(name.to_owned()).chain(numbers.into_iter().map(count))
}

fn write_ranges(f: &mut fmt::Formatter<'_>, agent: &AgentAccount) -> fmt::Result {
    let lists = [
        ("lost", agent.lost_ranges.iter().map(of_stream).collect::<Vec<_>>()),
        ("twice", agent.duplicate_ranges.iter().map(of_stream).collect()),
        ("unknown", agent.unknown_ranges.iter().map(|range| numbers(range.first, range.last)).collect()),
    ];
    for (what, ranges) in lists.iter().filter(|(_, ranges)| !ranges.is_empty()) {
        let shown: Vec<&str> = ranges.iter().take(RANGES_SHOWN).map(String::as_str).collect();
        let more = if ranges.len() > RANGES_SHOWN { ", and more (see --json)" } else { "" };
        writeln!(f, "\n{} {what}: {}{more}", agent.agent, shown.join(", "))?;
    }
    Ok(())
}

fn of_stream(range: &LostRange) -> String {
    let numbers = numbers(range.first, range.last);
    range.stream.map_or_else(|| numbers.clone(), |stream| format!("{numbers} of stream {stream}"))
}

fn numbers(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

impl Account {
    /// One line that says how it ended.
    #[must_use]
    pub fn verdict(&self) -> String {
        let Counts { accepted, lost, duplicates, .. } = self.total;
        if self.passed {
            return format!("nothing lost, nothing stored twice: {} readings accounted for", count(accepted));
        }
        let missing = if self.missing > 0 { format!(", {} missing", count(self.missing)) } else { String::new() };
        format!("{} lost, {} stored twice{missing}, of {} readings", count(lost), count(duplicates), count(accepted))
    }

    /// What whoever reads the account should know of it.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let without = self.agents.iter().filter(|agent| agent.queues == 0).count();
        if without > 0 {
            notes.push(format!(
                "The queues of {without} agents were not read: what these hold, or lost before they sent it, is not seen (--queue)."
            ));
        }
        if !self.by_stream {
            notes.push(
                "This database keeps no streams: each agent's numbers are judged together, and numbers that an old copy of \
                 a queue file gave again count as stored twice."
                    .to_owned(),
            );
        }
        if self.total.unknown > 0 {
            notes.push(
                "Unknown are numbers below those that are known of a stream: never given, or lost with the ingester's \
                 file. The agent's queue file would tell (--queue)."
                    .to_owned(),
            );
        }
        if self.missing > 0 {
            notes.push(format!(
                "The ingester has counted {} more readings as stored than the database holds. If it stores in InfluxDB, \
                 say where that is (--influxdb-url).",
                count(self.missing)
            ));
        }
        if self.dead_letters_deleted > 0 {
            notes.push(format!(
                "{} dead letters were deleted: unless their readings were stored since, they count as lost.",
                count(self.dead_letters_deleted)
            ));
        }
        notes
    }
}
