//! The account for a person.

use crate::account::{Account, Readings, Struck};
use std::collections::BTreeMap;
use std::fmt::{self, Display, Write as _};

/// Between two columns.
const GUTTER: &str = "  ";

impl Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&readings(self))?;
        writeln!(f)?;
        f.write_str(&faults(&self.faults))?;
        writeln!(f)?;
        f.write_str(&facts(self))?;
        for (name, why) in &self.skipped {
            writeln!(f, "skipped        {name}: {why}")?;
        }
        for ended in &self.ended {
            writeln!(f, "ended          {ended}")?;
        }
        for finding in &self.findings {
            writeln!(f, "finding        {finding}")?;
        }
        if let Some(folder) = &self.folder {
            writeln!(f, "kept           {}: logs, queues and databases", folder.display())?;
        }
        let verdict = if self.good { "good: nothing lost, nothing stored twice" } else { "NOT GOOD: see the findings" };
        writeln!(f, "verdict        {verdict} (seed {})", self.seed)
    }
}

fn readings(account: &Account) -> String {
    let header = ["", "accepted", "stored", "queued", "dead", "dropped", "destroyed", "lost", "duplicates"];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    let numbers = |name: &str, r: &Readings| {
        let counts = [r.accepted, r.stored, r.queued, r.dead, r.dropped, r.destroyed, r.lost, r.duplicates];
        std::iter::once(name.to_owned()).chain(counts.into_iter().map(count)).collect()
    };
    rows.extend(account.agents.iter().map(|(name, found)| numbers(name, found)));
    rows.push(numbers("all", &account.readings));
    table(&rows)
}

/// By fault: how often, and the longest gap of service that it is charged with.
fn faults(struck: &[Struck]) -> String {
    let mut by_name: BTreeMap<&str, (u64, [u64; 3])> = BTreeMap::new();
    for one in struck {
        let (times, longest) = by_name.entry(&one.fault).or_default();
        *times += 1;
        let these = [one.held_ms, one.gap_ms, one.agent_gap_ms];
        longest.iter_mut().zip(these).for_each(|(longest, this)| *longest = this.max(*longest));
    }
    let mut rows =
        vec![["fault", "struck", "longest", "nothing stored", "an agent not heard"].map(str::to_owned).to_vec()];
    rows.extend(by_name.into_iter().map(|(name, (times, longest))| {
        [name.to_owned(), count(times)].into_iter().chain(longest.map(seconds)).collect()
    }));
    table(&rows)
}

fn facts(account: &Account) -> String {
    let d = &account.decisions;
    let mut out = String::new();
    // Writing into a String cannot fail.
    writeln!(
        out,
        "decisions      {} made, {} applied, {} superseded, {} replaced, {} expired, {} outstanding, {} backwards",
        d.made, d.applied, d.superseded, d.replaced, d.expired, d.outstanding, d.backwards
    )
    .ok();
    writeln!(out, "               {} messages sent and {} answers heard, repeats included", d.sent, d.answered).ok();
    writeln!(
        out,
        "service        nothing stored for at most {}, an agent not heard for at most {}, drained {} after the last fault",
        seconds(account.longest_gap_ms),
        seconds(account.longest_agent_gap_ms),
        seconds(account.drained_ms)
    )
    .ok();
    let total = account.audit.as_ref().and_then(|audit| audit.get("total"));
    let audit = total.map_or_else(|| "this program has none".to_owned(), ToString::to_string);
    writeln!(out, "audit          {audit}").ok();
    writeln!(out, "run            {:.0} s with {}", account.seconds, account.store).ok();
    out
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
}

/// A number with commas between its thousands.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The first column to the left, the others to the right, as numbers are.
fn table(rows: &[Vec<String>]) -> String {
    aligned(rows, false)
}

/// All columns to the left, as texts are.
pub(crate) fn texts(rows: &[Vec<String>]) -> String {
    aligned(rows, true)
}

fn aligned(rows: &[Vec<String>], of_texts: bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            let width = *width;
            if column == 0 || of_texts { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join(GUTTER);
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), count(1_234_567)]];
        assert_eq!(table(&rows), "a             b\nlong  1,234,567\n");
        assert_eq!(seconds(12_345), "12.3 s");
    }
}
