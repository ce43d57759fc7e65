//! `queue export`: all readings.

use super::{ExportFormat, grouped, lines};
use anyhow::Context;
use fogline_protocol::reading::{Readings, Value, parse_reading};
use fogline_runtime::outbox::{Reader, SealState, StoredReading};
use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(200);

/// Writes the readings of the queue at `path` to `output`, or to standard output.
pub(super) fn run(path: &Path, format: ExportFormat, output: Option<&Path>) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(path)?;
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match output {
        None => Box::new(std::io::stdout().lock()),
        Some(output) => {
            let file = File::create_new(output);
            Box::new(
                file.with_context(|| format!("cannot make {}: name a file that is not there yet", output.display()))?,
            )
        }
    });
    let mut progress = Progress::new(reader.state().usage.readings);
    if format == ExportFormat::Csv {
        writeln!(out, "seq,stream,clock,ts_us,sensor,kind,field,value")?;
    }
    let (mut written, mut skipped) = (0, 0);
    let walk = reader.walk::<anyhow::Error>(reader.numbers(), |reading| {
        progress.show(written);
        match format {
            ExportFormat::Jsonl => lines::write(&mut out, &reading)?,
            // A table has no room for what is not a reading.
            ExportFormat::Csv if reading.seal == SealState::Broken => skipped += 1,
            ExportFormat::Csv => write_csv(&mut out, &reading)?,
        }
        written += 1;
        Ok(true)
    })?;
    out.flush().context("cannot write all of it")?;
    progress.end();
    let damaged = walk.broken.count() + walk.absent.count();
    if damaged > 0 || skipped > 0 {
        eprintln!(
            "warning: {damaged} readings are damaged, {skipped} of them are left out (`queue verify` names them)"
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn write_csv(out: &mut impl Write, stored: &StoredReading) -> anyhow::Result<()> {
    let mut readings = Readings::new();
    parse_reading(&stored.body, &mut readings).with_context(|| format!("reading {} is none", stored.seq))?;
    let Some(reading) = readings.get(0) else { return Ok(()) };
    let stream = stored.stream.map_or(String::new(), |stream| stream.to_string());
    let clock = stored.clock.map_or(String::new(), |clock| clock.to_string());
    for (name, value) in reading.fields() {
        let (seq, ts, sensor, kind) = (stored.seq, stored.ts.us(), reading.sensor(), reading.kind());
        write!(out, "{seq},{stream},{clock},{ts},{sensor},{kind},{name},")?;
        match value {
            Value::Number(number) => writeln!(out, "{number}")?,
            Value::Flag(flag) => writeln!(out, "{flag}")?,
            Value::Text(text) => writeln!(out, "\"{}\"", text.replace('"', "\"\""))?,
        }
    }
    Ok(())
}

/// Says how far it is, to a person who waits.
struct Progress {
    readings: u64,
    next: Option<Instant>,
}

impl Progress {
    fn new(readings: u64) -> Self {
        let watched = std::io::stderr().is_terminal();
        Self { readings, next: watched.then(|| Instant::now() + SHOW_EVERY) }
    }

    fn show(&mut self, written: u64) {
        if self.next.is_some_and(|next| next <= Instant::now()) {
            self.next = Some(Instant::now() + SHOW_EVERY);
            eprint!("\r{} of {} readings", grouped(written), grouped(self.readings));
        }
    }

    fn end(&self) {
        if self.next.is_some() {
            // The line that showed progress is empty again.
            eprint!("\r{:60}\r", "");
        }
    }
}
