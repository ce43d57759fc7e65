//! `queue replay`: readings of a file as new readings.
//!
//! They get new numbers in a new stream: nobody can know whether they were stored before. What was set aside was not, unless
//! it was sent before damage hit it.

use super::hand::Hand;
use super::{grouped, lines};
use anyhow::{Context, bail};
use fogline_protocol::reading::Readings;
use serde::Serialize;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;

/// Readings that are handed over at a time: no more than a running agent takes as one question.
const CHUNK_READINGS: usize = 200;
/// No line is longer: a reading is at most 8 KiB, and what is around it is short.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Bad lines that are named before it gives up looking.
const PROBLEMS_MAX: usize = 20;

#[derive(Debug, Serialize)]
struct Replayed {
    v: u32,
    readings: u64,
    done: bool,
}

/// Appends the readings of `file` to the queue of the agent with this data directory. All lines are checked before the first
/// is appended.
pub(super) fn run(data_dir: &Path, file: &Path, dry_run: bool, json: bool) -> anyhow::Result<ExitCode> {
    let text = open(file)?;
    let mut chunks: Vec<Readings> = Vec::new();
    let mut problems = Vec::new();
    each_line(text, |number, line| {
        if chunks.last().is_none_or(|chunk| chunk.len() >= CHUNK_READINGS) {
            chunks.push(Readings::new());
        }
        if let (Some(chunk), true) = (chunks.last_mut(), !line.trim_ascii().is_empty())
            && let Err(problem) = lines::read(line, chunk)
        {
            problems.push(format!("line {number}: {problem}"));
        }
        problems.len() < PROBLEMS_MAX
    })?;
    if !problems.is_empty() {
        let more = if problems.len() >= PROBLEMS_MAX { "\n  and perhaps more" } else { "" };
        bail!(
            "nothing was appended, because {} has lines that are no readings; mend them or take them out:\n  {}{more}",
            file.display(),
            problems.join("\n  ")
        );
    }
    let readings = chunks.iter().map(|chunk| chunk.len() as u64).sum();
    if !dry_run && readings > 0 {
        let mut hand = Hand::of(data_dir)?;
        let mut appended = 0;
        for chunk in chunks.into_iter().filter(|chunk| !chunk.is_empty()) {
            let count = chunk.len() as u64;
            hand.append(chunk).with_context(|| {
                format!("{appended} of {readings} readings were appended: take out the first {appended} lines with readings before you try again")
            })?;
            appended += count;
        }
        hand.close()?;
    }
    let done = Replayed { v: 1, readings, done: !dry_run };
    let text = match (json, dry_run) {
        (true, _) => serde_json::to_string(&done)? + "\n",
        (false, true) => format!("{} readings could be appended\n", grouped(readings)),
        (false, false) => format!("{} readings appended\n", grouped(readings)),
    };
    crate::command::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn open(file: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// Gives `each` the lines and their numbers, from 1, until it says false.
fn each_line(mut text: impl BufRead, mut each: impl FnMut(u64, &[u8]) -> bool) -> anyhow::Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = text.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)?;
        if read as u64 == LINE_BYTES_MAX {
            bail!("line {number} is longer than {LINE_BYTES_MAX} bytes: it is no reading");
        }
        if read == 0 || !each(number, &line) {
            return Ok(());
        }
    }
    Ok(())
}
