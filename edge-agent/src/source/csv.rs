//! Recordings in CSV files, played at any pace, resumed without loss or repetition.

mod cells;
mod instant;
pub(super) mod layout;
pub(super) mod pace;
pub(super) mod position;

pub use instant::TimeUnit;
pub use layout::LayoutConfig;
pub use pace::{Pace, Times};

use super::collector::Collector;
use super::lines::{Lines, Place};
use super::skipped::Skipped;
use super::{Offer, Source, SourceError, Step};
use fogline_protocol::queue::SourcePosition;
use fogline_protocol::reading::{ReadingError, Readings};
use fogline_protocol::time::Now;
use layout::{HOUSEHOLD_HEADER, Layout, RowError};
use pace::Pacer;
use position::{Head, Position};
use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::path::PathBuf;

/// The most lines of one step, so that a stop is noticed when no line is a reading.
const LINES_PER_STEP: usize = 4096;

/// Which file, and how it is played.
#[derive(Debug, Clone, PartialEq)]
pub struct CsvConfig {
    /// The file. The path as given is the name under which the position is kept.
    pub path: PathBuf,
    /// What its columns mean.
    pub layout: LayoutConfig,
    /// The sensor of its readings. Must be a name.
    pub sensor: String,
    /// How fast.
    pub pace: Pace,
    /// With which times.
    pub times: Times,
    /// Queue readings as they are where they would be averaged.
    pub raw: bool,
    /// Forget the saved position and begin with the first row.
    pub from_start: bool,
}

impl CsvConfig {
    /// The name under which the position is kept.
    #[must_use]
    pub fn source_key(&self) -> String {
        format!("csv:{}", self.path.display())
    }

    fn file_error(&self, error: std::io::Error) -> SourceError {
        SourceError::File { path: self.path.clone(), error }
    }

    fn format_error(&self, problem: impl Into<String>) -> SourceError {
        SourceError::Format { path: self.path.clone(), problem: problem.into() }
    }
}

/// A recording that is being played.
///
/// The position of an offer is where the first row begins that is not wholly in this or an earlier offer: a row that waits for
/// its time, or the first row of a window that is still open. A replay that goes on there neither loses nor repeats one.
#[derive(Debug)]
pub struct CsvSource {
    config: CsvConfig,
    key: String,
    layout: Layout,
    head: Head,
    lines: Lines<File>,
    pacer: Pacer,
    /// Holds the row that waits for its time, if one does.
    scratch: Readings,
    waiting: Option<Place>,
    collector: Collector,
    skipped: Skipped,
    offered: Place,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    LastOffer,
    Ended,
}

impl CsvSource {
    /// Opens the file and goes on at `saved`, the position that the queue holds for [`CsvConfig::source_key`]. When that
    /// speaks of another file that had the same path, the replay begins with the first row.
    ///
    /// # Errors
    /// [`SourceError::File`] when it cannot be read, [`SourceError::Format`] when its columns are not the expected ones, when it is
    /// shorter than what was read of it, or when it is no regular file.
    pub fn open(config: CsvConfig, saved: Option<&str>) -> Result<Self, SourceError> {
        let mut file = File::open(&config.path).map_err(|error| config.file_error(error))?;
        let metadata = file.metadata().map_err(|error| config.file_error(error))?;
        if !metadata.is_file() {
            return Err(
                config.format_error("not a regular file: a pipe has no position to go on from, use the source stdin")
            );
        }
        let head = Head::read(&mut file).map_err(|error| config.file_error(error))?;
        file.rewind().map_err(|error| config.file_error(error))?;
        let (layout, first_row) = read_header(&config, &file)?;
        let place = resume_at(&config, &head, saved, metadata.len())?.unwrap_or(first_row);
        file.seek(SeekFrom::Start(place.byte)).map_err(|error| config.file_error(error))?;
        Ok(Self {
            key: config.source_key(),
            layout,
            head,
            lines: Lines::new(file, place),
            pacer: Pacer::new(config.pace, config.times),
            scratch: Readings::new(),
            waiting: None,
            collector: Collector::new(config.raw),
            skipped: Skipped::new(),
            offered: place,
            state: State::Reading,
            config,
        })
    }

    /// Takes rows until the offer is full, or a row is not due yet, or the file ends.
    fn take_rows(&mut self, now: Now) -> Result<Option<Step>, SourceError> {
        for _ in 0..LINES_PER_STEP {
            if self.collector.is_full() {
                return Ok(Some(self.offer()));
            }
            if self.waiting.is_none() && !self.read_row()? {
                self.state = State::LastOffer;
                return Ok(None);
            }
            let (Some(place), Some(row)) = (self.waiting, self.scratch.get(0)) else { continue };
            let due = self.pacer.due(row.ts(), now);
            if due > now.mono {
                return Ok(Some(if self.collector.is_empty() { Step::Wait(due) } else { self.offer() }));
            }
            let added = self.collector.add(row, place, now.mono);
            self.waiting = None;
            self.note(place, added);
        }
        Ok(Some(Step::Wait(now.mono)))
    }

    /// Puts the next row into `scratch`. A line that is no row leaves nothing there. False at the end.
    fn read_row(&mut self) -> Result<bool, SourceError> {
        let Some(line) = self.lines.next().map_err(|error| self.config.file_error(error))? else {
            return Ok(false);
        };
        self.scratch.clear();
        let parsed = line.text.ok_or(RowError::TooLong).and_then(|text| {
            // An empty line, at the end above all, is nobody's mistake.
            if text.is_empty() {
                Ok(false)
            } else {
                self.layout.parse(text, &self.config.sensor, &mut self.scratch).map(|()| true)
            }
        });
        match parsed {
            Ok(true) => self.waiting = Some(line.place),
            Ok(false) => {}
            Err(error) => {
                self.skipped.note(line.place.line, line.text.unwrap_or_default(), &error);
            }
        }
        Ok(true)
    }

    fn note(&mut self, place: Place, added: Result<(), ReadingError>) {
        if let Err(error) = added {
            self.skipped.note(place.line, b"", &error);
        }
    }

    fn offer(&mut self) -> Step {
        let place = self.collector.first_row().or(self.waiting).unwrap_or_else(|| self.lines.place());
        self.offered = place;
        let mut readings = self.collector.take();
        if self.pacer.changes_times() {
            for index in 0..readings.len() {
                if let Some(ts) = readings.get(index).map(|reading| reading.ts()) {
                    readings.set_ts(index, self.pacer.time(ts));
                }
            }
        }
        // A struct of numbers and a text always becomes JSON.
        let position = serde_json::to_string(&self.head.position(place)).unwrap_or_default();
        Step::Offer(Offer {
            readings,
            position: Some(SourcePosition { source: self.key.clone(), position }),
            ..Offer::default()
        })
    }
}

impl Source for CsvSource {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        if self.state == State::Reading
            && let Some(step) = self.take_rows(now)?
        {
            return Ok(step);
        }
        if self.state == State::Ended {
            return Ok(Step::End);
        }
        self.state = State::Ended;
        let closed = self.collector.close_all();
        self.note(self.lines.place(), closed);
        let moved = self.offered != self.lines.place();
        Ok(if moved || !self.collector.is_empty() { self.offer() } else { Step::End })
    }

    fn skipped(&self) -> u64 {
        self.skipped.count()
    }
}

/// Reads up to the header, and fits the layout to it. Gives the place of the first row.
fn read_header(config: &CsvConfig, file: &File) -> Result<(Layout, Place), SourceError> {
    let mut lines = Lines::new(file, Place::START);
    let mut title_lines = match &config.layout {
        LayoutConfig::Household => 1,
        LayoutConfig::Columns { title_lines, .. } => *title_lines,
    };
    loop {
        let line = lines.next().map_err(|error| config.file_error(error))?;
        let line = line.ok_or_else(|| config.format_error("the file ends before its header"))?;
        let text = line.text.and_then(|text| std::str::from_utf8(text).ok()).map(str::trim);
        // The household files may come without their title.
        if title_lines == 0 || (config.layout == LayoutConfig::Household && text == Some(HOUSEHOLD_HEADER)) {
            let header = text.ok_or_else(|| config.format_error("the header is not UTF-8, or longer than 16 KiB"))?;
            let layout = Layout::new(&config.layout, header).map_err(|problem| config.format_error(problem))?;
            return Ok((layout, lines.place()));
        }
        title_lines -= 1;
    }
}

/// Where to go on; none: with the first row.
fn resume_at(config: &CsvConfig, head: &Head, saved: Option<&str>, length: u64) -> Result<Option<Place>, SourceError> {
    let Some(saved) = saved.filter(|_| !config.from_start) else { return Ok(None) };
    let saved: Position = serde_json::from_str(saved).map_err(|error| {
        config.format_error(format!("its saved position is not understood ({error}): begin again with from_start"))
    })?;
    let Some(place) = head.place(&saved) else {
        tracing::warn!(path = %config.path.display(), "another file than before has this path: it is read from its first row");
        return Ok(None);
    };
    if place.byte > length {
        let problem =
            format!("{length} bytes long, but {} were read of it before: begin again with from_start", place.byte);
        return Err(config.format_error(problem));
    }
    tracing::info!(path = %config.path.display(), line = place.line, "the replay goes on where it stopped");
    Ok(Some(place))
}

#[cfg(test)]
mod tests;
