//! `queue peek`: some readings.

use super::lines;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::Seq;
use fogline_runtime::outbox::Reader;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Prints `count` readings of the queue at `path`, from `from` on.
pub(super) fn run(path: &Path, from: Option<Seq>, count: u64) -> anyhow::Result<ExitCode> {
    let reader = Reader::open(path)?;
    let numbers = reader.numbers();
    let range = Range::new(from.unwrap_or(numbers.first), numbers.last);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut left = count;
    if left > 0 {
        reader.walk::<anyhow::Error>(range, |reading| {
            lines::write(&mut out, &reading)?;
            left -= 1;
            Ok(left > 0)
        })?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
