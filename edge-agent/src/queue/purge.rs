//! `queue purge`: drops readings for good. They become gaps, are counted as dropped, and the ingester is told.

use super::{grouped, hand::Hand};
use crate::durations::Span;
use crate::status::queue_path;
use anyhow::bail;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::Seq;
use fogline_runtime::clock::wall;
use fogline_runtime::outbox::Reader;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;

/// Which readings.
pub(super) enum Which {
    Through(Seq),
    OlderThan(Span),
    All,
}

#[derive(Debug, Serialize)]
struct Purged {
    v: u32,
    through: Seq,
    readings: u64,
    done: bool,
}

/// Drops readings of the agent with this data directory, with `yes`; otherwise says which.
pub(super) fn run(data_dir: &Path, which: Which, yes: bool, json: bool) -> anyhow::Result<ExitCode> {
    let (through, readings) = find(&queue_path(data_dir), which)?;
    if readings == 0 {
        return print(&Purged { v: 1, through, readings, done: yes }, json);
    }
    if !yes {
        print(&Purged { v: 1, through, readings, done: false }, json)?;
        bail!("nothing was dropped: say --yes to drop them for good (`queue export` keeps a copy)");
    }
    let readings = Hand::of(data_dir)?.purge(through)?;
    print(&Purged { v: 1, through, readings, done: true }, json)
}

/// The last number to be dropped, and how many readings there are up to it.
fn find(path: &Path, which: Which) -> anyhow::Result<(Seq, u64)> {
    let reader = Reader::open(path)?;
    let numbers = reader.numbers();
    let (last, before_us) = match which {
        Which::All => (numbers.last, i64::MAX),
        Which::Through(through) => (through.min(numbers.last), i64::MAX),
        Which::OlderThan(Span(age)) => {
            let age_us = i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
            (numbers.last, wall().us().saturating_sub(age_us))
        }
    };
    let (mut through, mut readings) = (numbers.first - 1, 0);
    reader.walk::<anyhow::Error>(Range::new(numbers.first, last), |reading| {
        let drops = reading.ts.us() < before_us;
        if drops {
            through = reading.seq;
            readings += 1;
        }
        Ok(drops)
    })?;
    Ok((through, readings))
}

fn print(purged: &Purged, json: bool) -> anyhow::Result<ExitCode> {
    let Purged { through, readings, done, .. } = purged;
    let text = match (json, *readings, *done) {
        (true, ..) => serde_json::to_string(purged)? + "\n",
        (false, 0, _) => "no such readings in the queue\n".to_owned(),
        (false, n, false) => format!("would drop {} readings, up to number {through}\n", grouped(n)),
        (false, n, true) => {
            format!("dropped {} readings, up to number {through}; they are reported as gaps\n", grouped(n))
        }
    };
    crate::command::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
