//! Readings as JSON, one a line, from standard input or any other pipe.

mod pipe;

use super::collector::Collector;
use super::lines::{Line, Lines, Place};
use super::skipped::Skipped;
use super::{Offer, Source, SourceError, Step};
use fogline_protocol::reading::{ReadingError, ReadingJsonError, Readings, parse_reading};
use fogline_protocol::time::{Now, Wall};
use pipe::Pipe;
use std::io::{ErrorKind, Read, Write as _};
use std::time::Duration;

/// How long a step waits for input at most, so that a stop is noticed.
const PATIENCE: Duration = Duration::from_millis(500);
/// The most lines of one step, so that a stop is noticed when no line is a reading.
const LINES_PER_STEP: usize = 4096;

/// What lines may leave out.
#[derive(Debug, Clone, Default)]
pub struct StdinConfig {
    /// The sensor of lines without one. Must be a name.
    pub sensor: Option<String>,
    /// The kind of lines without one. Must be a name.
    pub kind: Option<String>,
    /// Queue readings as they are where they would be averaged.
    pub raw: bool,
}

/// Readings from a pipe. A line without `ts_us` was measured when it came.
#[derive(Debug)]
pub struct StdinSource {
    config: StdinConfig,
    lines: Lines<Pipe>,
    scratch: Readings,
    spliced: Vec<u8>,
    collector: Collector,
    skipped: Skipped,
    ended: bool,
}

impl StdinSource {
    /// Reads `input` on a thread of its own, which ends with the input or with the process: nothing can wake up a thread
    /// that waits for a pipe.
    ///
    /// # Errors
    /// [`SourceError::Stdin`] when the thread cannot be started.
    pub fn new(input: impl Read + Send + 'static, config: StdinConfig) -> Result<Self, SourceError> {
        let pipe = Pipe::open(input).map_err(SourceError::Stdin)?;
        let collector = Collector::new(config.raw);
        Ok(Self {
            config,
            lines: Lines::new(pipe, Place::START),
            scratch: Readings::new(),
            spliced: Vec::new(),
            collector,
            skipped: Skipped::new(),
            ended: false,
        })
    }

    /// Takes the lines that are there, at most an offer's worth.
    fn take_lines(&mut self, now: Now) -> Result<(), SourceError> {
        for _ in 0..LINES_PER_STEP {
            if self.collector.is_full() {
                break;
            }
            let line = match self.lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => {
                    self.ended = true;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(SourceError::Stdin(error)),
            };
            let defaults = Defaults { config: &self.config, now: now.wall, spliced: &mut self.spliced };
            let added = match parse_line(line, defaults, &mut self.scratch) {
                Ok(false) => Ok(()),
                Ok(true) => {
                    let row = self.scratch.get(0);
                    row.map_or(Ok(()), |row| self.collector.add(row, line.place, now.mono)).map_err(Into::into)
                }
                Err(error) => Err(error),
            };
            if let Err(error) = added {
                self.skipped.note(line.place.line, line.text.unwrap_or_default(), &error);
            }
        }
        Ok(())
    }

    fn note(&mut self, closed: Result<(), ReadingError>) {
        if let Err(error) = closed {
            self.skipped.note(self.lines.place().line, b"", &error);
        }
    }

    fn take(&mut self) -> Offer {
        Offer { readings: self.collector.take(), ..Offer::default() }
    }
}

/// What stands in for what a line leaves out.
struct Defaults<'a> {
    config: &'a StdinConfig,
    now: Wall,
    spliced: &'a mut Vec<u8>,
}

/// Puts the one reading of a line into `into`. False for an empty line.
fn parse_line(line: Line<'_>, defaults: Defaults<'_>, into: &mut Readings) -> Result<bool, ReadingJsonError> {
    let too_long = ReadingError::TooLong(super::lines::LINE_MAX_BYTES + 1);
    let text = line.text.ok_or(too_long)?.trim_ascii();
    into.clear();
    if text.is_empty() {
        return Ok(false);
    }
    match parse_reading(text, into) {
        Err(ReadingJsonError::Reading(ReadingError::Missing(_))) => {}
        parsed => return parsed.map(|()| true),
    }
    // Later keys of a JSON object win over earlier ones, so that the defaults only have to come first.
    let Defaults { config, now, spliced } = defaults;
    spliced.clear();
    // Writing into a Vec cannot fail.
    write!(spliced, "{{\"ts_us\":{}", now.us()).ok();
    for (key, default) in [("sensor", &config.sensor), ("kind", &config.kind)] {
        if let Some(name) = default {
            write!(spliced, ",\"{key}\":\"{name}\"").ok();
        }
    }
    spliced.push(b',');
    spliced.extend_from_slice(text.strip_prefix(b"{").unwrap_or(text));
    parse_reading(spliced, into).map(|()| true)
}

impl Source for StdinSource {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        if self.ended {
            return Ok(Step::End);
        }
        let skipped_before = self.skipped.count();
        self.take_lines(now)?;
        let closed = if self.ended { self.collector.close_all() } else { self.collector.close_idle(now.mono) };
        self.note(closed);
        if !self.collector.is_empty() {
            return Ok(Step::Offer(self.take()));
        }
        if self.ended {
            return Ok(Step::End);
        }
        if self.skipped.count() == skipped_before {
            let idle = self.collector.idle_at().map_or(PATIENCE, |at| at.since(now.mono));
            // Waited for here and read in the next step, which has the time at which the line came.
            self.lines.input_mut().wait(idle.min(PATIENCE));
        }
        Ok(Step::Wait(now.mono))
    }

    /// What was taken out of the pipe cannot be put back: it is read to its end. A line that the stop cuts off is skipped.
    fn finish(&mut self, now: Now) -> Option<Offer> {
        self.lines.input_mut().close();
        while !self.ended && !self.collector.is_full() {
            if let Err(error) = self.take_lines(now) {
                tracing::warn!(%error, "the rest of the input was not read");
                self.ended = true;
            }
        }
        if self.ended {
            let closed = self.collector.close_all();
            self.note(closed);
        }
        (!self.collector.is_empty()).then(|| self.take())
    }

    fn skipped(&self) -> u64 {
        self.skipped.count()
    }
}

#[cfg(test)]
mod tests {
    use super::pipe::CHUNK_BYTES;
    use super::*;
    use fogline_protocol::time::Monotonic;
    use std::io::Cursor;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NOW: Now = Now { mono: Monotonic::from_us(1_000_000), wall: Wall::from_us(1_700_000_000_000_000) };

    fn source(text: &[u8], config: StdinConfig) -> StdinSource {
        StdinSource::new(Cursor::new(text.to_vec()), config).unwrap()
    }

    fn all(source: &mut StdinSource) -> Vec<Readings> {
        let mut offers = Vec::new();
        loop {
            match source.step(NOW).unwrap() {
                Step::Offer(offer) => offers.push(offer.readings),
                Step::Wait(_) => {}
                Step::End => return offers,
            }
        }
    }

    #[test]
    fn lines_are_readings_and_others_are_counted() {
        let text = b"{\"ts_us\":5,\"sensor\":\"lane-1\",\"kind\":\"road\",\"fields\":{\"speed_kmh\":97.2}}\n\n\xff\xfe\nnot json\n\
            {\"ts_us\":5,\"sensor\":\"lane-1\",\"kind\":\"road\",\"fields\":{\"speed_kmh\":NaN}}\n\
            {\"ts_us\":6,\"sensor\":\"lane-1\",\"kind\":\"road\",\"fields\":{\"speed_kmh\":1}}";
        let mut source = source(text, StdinConfig::default());
        let offers = all(&mut source);
        let times: Vec<i64> = offers.iter().flat_map(|r| r.iter().map(|r| r.ts().us()).collect::<Vec<_>>()).collect();
        assert_eq!((times, source.skipped()), (vec![5, 6], 3));
    }

    #[test]
    fn what_a_line_leaves_out_is_filled_in() {
        let config = StdinConfig { sensor: Some("lane-9".to_owned()), kind: Some("road".to_owned()), raw: false };
        let text = b" {\"fields\":{\"speed_kmh\":1}}\n{\"kind\":\"rain\",\"fields\":{\"mm\":1}}\n{\"ts_us\":3,\"fields\":{\"a\":1}}\n{}\n";
        let mut source = source(text, config);
        let offers = all(&mut source);
        let found: Vec<_> = offers[0].iter().map(|r| (r.ts().us(), r.sensor(), r.kind())).collect();
        let now = NOW.wall.us();
        assert_eq!(found, [(now, "lane-9", "road"), (now, "lane-9", "rain"), (3, "lane-9", "road")]);
        assert_eq!(source.skipped(), 1);
    }

    #[test]
    fn without_defaults_what_is_missing_is_refused() {
        let mut source = source(b"{\"fields\":{\"speed_kmh\":1}}\n", StdinConfig::default());
        assert!(all(&mut source).is_empty());
        assert_eq!(source.skipped(), 1);
    }

    #[test]
    fn a_flood_of_lines_comes_in_bounded_offers() {
        let line = "{\"ts_us\":6,\"sensor\":\"lane-1\",\"kind\":\"road\",\"fields\":{\"speed_kmh\":1}}\n";
        let mut source = source(line.repeat(10_000).as_bytes(), StdinConfig::default());
        let offers = all(&mut source);
        assert_eq!(offers.iter().map(Readings::len).sum::<usize>(), 10_000);
        assert!(offers.iter().all(|readings| readings.len() <= super::super::collector::OFFER_READINGS_MAX));
    }

    /// An input that tells how much of it is left.
    struct Counted {
        text: std::io::Cursor<Vec<u8>>,
        left: Arc<AtomicUsize>,
    }

    impl Counted {
        fn new(text: Vec<u8>) -> (Arc<AtomicUsize>, Self) {
            let left = Arc::new(AtomicUsize::new(text.len()));
            (Arc::clone(&left), Self { text: std::io::Cursor::new(text), left })
        }
    }

    impl Read for Counted {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let count = self.text.read(into)?;
            self.left.fetch_sub(count, Ordering::AcqRel);
            Ok(count)
        }
    }

    #[test]
    fn what_was_taken_out_of_the_pipe_survives_a_stop() {
        let line = "{\"ts_us\":6,\"sensor\":\"lane-1\",\"kind\":\"road\",\"fields\":{\"speed_kmh\":1}}\n";
        let lines = 2 * CHUNK_BYTES / line.len();
        let text = line.repeat(lines).into_bytes();
        let (left, input) = Counted::new(text);
        let mut source = StdinSource::new(input, StdinConfig::default()).unwrap();
        // A stop that came before would leave the rest in the pipe, where it is as safe.
        while left.load(Ordering::Acquire) > 0 {
            std::thread::yield_now();
        }
        let mut taken = match source.step(NOW).unwrap() {
            Step::Offer(offer) => offer.readings.len(),
            Step::Wait(_) | Step::End => 0,
        };
        while let Some(offer) = source.finish(NOW) {
            taken += offer.readings.len();
        }
        assert_eq!((taken, source.skipped()), (lines, 0));
    }

    #[test]
    fn meters_are_averaged_and_the_open_window_survives_a_stop() {
        let row = |ts: i64| {
            format!("{{\"ts_us\":{ts},\"sensor\":\"m\",\"kind\":\"power\",\"fields\":{{\"power_w\":{ts}}}}}\n")
        };
        let (mut writer, reader) = pipe();
        for ts in [1_000_000, 3_000_000, 6_000_000] {
            writer.write_all(row(ts).as_bytes()).unwrap();
        }
        let mut source = StdinSource::new(reader, StdinConfig::default()).unwrap();
        let offer = loop {
            if let Step::Offer(offer) = source.step(NOW).unwrap() {
                break offer;
            }
        };
        assert_eq!(offer.readings.get(0).unwrap().number("power_w"), Some(2_000_000.0));
        // The third row may come in a later chunk than the first two.
        let rest = source.finish(NOW).unwrap().readings;
        assert_eq!(rest.get(0).unwrap().number("n"), Some(1.0));
        drop(writer);
    }

    fn pipe() -> (std::io::PipeWriter, std::io::PipeReader) {
        let (reader, writer) = std::io::pipe().unwrap();
        (writer, reader)
    }
}
