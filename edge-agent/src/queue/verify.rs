//! `queue verify`: reads everything, and holds it against its checksums.

use super::grouped;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_runtime::outbox::{Reader, Walk};
use serde::Serialize;
use std::fmt;
use std::path::Path;
use std::process::ExitCode;

/// Ranges that are listed for people.
const RANGES_SHOWN: usize = 20;

#[derive(Debug, Serialize)]
struct Verdict {
    v: u32,
    sound: bool,
    readings: u64,
    without_seal: u64,
    broken: Vec<Range>,
    absent: Vec<Range>,
}

/// Prints what is damaged in the queue at `path`: exit status 1 when something is.
pub(super) fn run(path: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(path)?;
    let walk = reader.walk::<anyhow::Error>(reader.numbers(), |_| Ok(true))?;
    let verdict = Verdict::new(&walk);
    let text = if json { serde_json::to_string(&verdict)? + "\n" } else { verdict.to_string() };
    crate::command::print(&text)?;
    Ok(if verdict.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Verdict {
    fn new(walk: &Walk) -> Self {
        Self {
            v: 1,
            sound: walk.is_sound(),
            readings: walk.readings,
            without_seal: walk.without_seal,
            broken: walk.broken.iter().collect(),
            absent: walk.absent.iter().collect(),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sound = if self.sound { "each is as it was written" } else { "some are damaged" };
        writeln!(f, "readings  {}: {sound}", grouped(self.readings))?;
        if self.without_seal > 0 {
            writeln!(f, "unsealed  {}, written by an earlier version: taken as they are", grouped(self.without_seal))?;
        }
        write_ranges(f, "changed ", &self.broken)?;
        write_ranges(f, "missing ", &self.absent)?;
        if !self.sound {
            writeln!(
                f,
                "A running agent reports them as gaps when it comes to them; one that is started goes on too."
            )?;
        }
        Ok(())
    }
}

fn write_ranges(f: &mut fmt::Formatter<'_>, name: &str, ranges: &[Range]) -> fmt::Result {
    let count = RangeSet::from_iter(ranges.iter().copied()).count();
    if count > 0 {
        let shown: Vec<String> =
            ranges.iter().take(RANGES_SHOWN).map(|range| format!("{}-{}", range.first, range.last)).collect();
        let more = if ranges.len() > RANGES_SHOWN { ", …" } else { "" };
        writeln!(f, "{name}  {}: {}{more}", grouped(count), shown.join(", "))?;
    }
    Ok(())
}
