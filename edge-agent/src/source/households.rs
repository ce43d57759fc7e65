//! Households, many in one process: recordings that they replay, or a profile of the day, by a simulation clock that may run faster
//! than real time.
//!
//! The clock goes from window to window of five seconds. When a window is over, each household in turn gives its average (or, raw, its
//! rows); so the position is the window, and how many households have given theirs. A start from there neither loses nor repeats
//! one, however many households there are.

mod meter;
mod position;
mod profile;
mod recording;
mod span;

use super::averaging::AVERAGED_KIND;
use super::collector::Collector;
use super::csv::{Pace, Times, pace::Pacer};
use super::lines::Place;
use super::skipped::Skipped;
use super::{Offer, Source, SourceError, Step};
use fogline_protocol::queue::SourcePosition;
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::rng::Rng;
use fogline_protocol::time::{Monotonic, Now, Wall};
use meter::{Meter, Replay, WINDOW, window_of};
use position::{Position, identity};
use profile::Profile;
use recording::{Recording, Row};
use span::Span;
use std::path::PathBuf;
use std::sync::Arc;

/// The name under which the position is kept.
pub(crate) const KEY: &str = "households";
/// The most lines of one step, so that a stop is noticed.
const LINES_PER_STEP: usize = 4096;

/// Which households, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct HouseholdsConfig {
    /// Recordings, in the format of [`LayoutConfig::Household`](super::csv::LayoutConfig::Household); none: simulated households.
    pub files: Vec<PathBuf>,
    /// How many, 1 to 1000. They take turns with the files.
    pub households: u32,
    /// The sensors are called `{sensor}-1`, `{sensor}-2` and so on.
    pub sensor: String,
    /// How fast the simulation clock runs.
    pub pace: Pace,
    /// With which times readings are queued.
    pub times: Times,
    /// Where the clock begins; none: with the first row, or, without files, now.
    pub from: Option<Wall>,
    /// Where it ends, excluded; none: after the last row, or, without files, never.
    pub to: Option<Wall>,
    /// The same seed gives the same households.
    pub seed: u64,
    /// Queue readings as they are, and not their averages.
    pub raw: bool,
    /// Forget the saved position and begin with `from`.
    pub from_start: bool,
}

/// A household.
#[derive(Debug)]
struct Home {
    sensor: String,
    meter: Meter,
    /// The row that belongs to a later window.
    next: Option<Row>,
    ended: bool,
}

/// Households that are being played.
#[derive(Debug)]
pub struct HouseholdsSource {
    homes: Vec<Home>,
    /// The position is kept where the data has times of its own.
    identity: Option<String>,
    to: Option<Wall>,
    pacer: Pacer,
    /// The window that is given now, from which household on, and how many of that one's rows of it were given.
    at: Position,
    /// So many rows were given before the start.
    given: u64,
    collector: Collector,
    scratch: Readings,
    skipped: Skipped,
    ended: bool,
}

impl HouseholdsSource {
    /// Opens the files and goes on at `saved`, the position that the queue holds for this source. When that speaks of other files,
    /// times or a different seed, it begins with the first window.
    ///
    /// # Errors
    /// When a file cannot be read or is no household file, when none has a row between `from` and `to`, or when the position is not
    /// understood.
    pub fn open(config: &HouseholdsConfig, saved: Option<&str>, now: Wall) -> Result<Self, SourceError> {
        let recordings = config.files.iter().map(|path| Recording::open(path).map(Arc::new));
        let recordings: Vec<Arc<Recording>> = recordings.collect::<Result<_, _>>()?;
        let span = span_of(config, &recordings)?;
        let live = span.is_none() && config.from.is_none();
        let from = span.map_or_else(|| config.from.unwrap_or(window_of(now - WINDOW)), |span| span.from);
        let to = span.map_or(config.to, |span| Some(span.to));
        let identity = (!live).then(|| identity(config, &recordings, from, to));
        let saved = saved.filter(|_| !config.from_start).zip(identity.as_deref());
        let at = saved.map_or(Ok(None), |(saved, identity)| Position::resume(saved, identity))?;
        let at = at.unwrap_or(Position::first(window_of(from)));
        let window = Wall::from_us(at.window_us);
        let homes = (0..config.households).map(|number| {
            // Those that have given this window go on with the next.
            let begin = if u64::from(number) < at.home { window + WINDOW } else { window };
            home(config, &recordings, span, number, begin.max(from), to)
        });
        Ok(Self {
            homes: homes.collect::<Result<_, _>>()?,
            identity,
            to,
            pacer: Pacer::new(config.pace, config.times),
            given: at.rows,
            at: Position { rows: 0, ..at },
            collector: Collector::new(config.raw),
            scratch: Readings::new(),
            skipped: Skipped::new(),
            ended: false,
        })
    }

    /// Gives windows that are over until the offer is full. None when it is better to ask again.
    fn play(&mut self, now: Now) -> Result<Option<Step>, SourceError> {
        let mut lines = LINES_PER_STEP;
        while !self.ended {
            let over = self.pacer.due(Wall::from_us(self.at.window_us) + WINDOW, now);
            if over > now.mono {
                return Ok(Some(self.offer_or(Step::Wait(over))));
            }
            if !self.play_window(&mut lines, now.mono)? {
                return Ok(self.collector.is_full().then(|| self.offer_or(Step::End)));
            }
            self.next_window();
        }
        Ok(Some(self.offer_or(Step::End)))
    }

    /// Gives what is left of the window. False when the offer is full, or the step long enough.
    fn play_window(&mut self, lines: &mut usize, now: Monotonic) -> Result<bool, SourceError> {
        let end = Wall::from_us(self.at.window_us) + WINDOW;
        while let Some(home) = usize::try_from(self.at.home).ok().and_then(|index| self.homes.get_mut(index)) {
            if self.collector.is_full() || *lines == 0 {
                return Ok(false);
            }
            *lines -= 1;
            home.look(&mut self.skipped)?;
            match home.next.take_if(|row| row.ts < end) {
                Some(row) => {
                    self.at.rows += 1;
                    if self.at.rows > self.given {
                        row.reading(&home.sensor, &mut self.scratch);
                        let added = self.scratch.get(0).map(|row| self.collector.add(row, Place::START, now));
                        note(&mut self.skipped, added.unwrap_or(Ok(())));
                    }
                }
                None if home.next.is_none() && !home.ended => {}
                None => {
                    note(&mut self.skipped, self.collector.close_all());
                    (self.at.home, self.at.rows, self.given) = (self.at.home + 1, 0, 0);
                }
            }
        }
        Ok(true)
    }

    /// The next window in which something is.
    fn next_window(&mut self) {
        let next = self.homes.iter().filter_map(|home| home.next.map(|row| row.ts)).min();
        let after = Wall::from_us(self.at.window_us) + WINDOW;
        let silent = self.homes.iter().all(|home| home.ended && home.next.is_none());
        self.ended = silent || self.to.is_some_and(|to| after >= to);
        let next = next.filter(|_| self.homes.iter().all(|home| home.ended || home.next.is_some()));
        self.at = Position::first(next.map_or(after, window_of).max(after));
    }

    /// What is collected, or else this.
    fn offer_or(&mut self, step: Step) -> Step {
        if self.collector.is_empty() {
            return step;
        }
        let mut readings = self.collector.take();
        if self.pacer.changes_times() {
            for index in 0..readings.len() {
                if let Some(ts) = readings.get(index).map(|reading| reading.ts()) {
                    readings.set_ts(index, self.pacer.time(ts));
                }
            }
        }
        let position = self
            .identity
            .as_ref()
            .map(|identity| SourcePosition { source: KEY.to_owned(), position: self.at.to_json(identity) });
        Step::Offer(Offer { readings, position, ..Offer::default() })
    }
}

impl Home {
    /// Looks at the next line, if the row before is taken.
    fn look(&mut self, skipped: &mut Skipped) -> Result<(), SourceError> {
        if self.next.is_some() || self.ended {
            return Ok(());
        }
        match self.meter.next()? {
            Some(Ok(row)) => self.next = Some(row),
            Some(Err(why)) => {
                skipped.note(0, b"", &why);
            }
            None => self.ended = true,
        }
        Ok(())
    }
}

impl Row {
    fn reading(&self, sensor: &str, into: &mut Readings) {
        let [power, power1, power2, power3] = self.powers.map(Value::Number);
        let fields = [
            ("power_w", power),
            ("power1_w", power1),
            ("power2_w", power2),
            ("power3_w", power3),
            ("energy_kwh", Value::Number(self.energy.unwrap_or_default())),
        ];
        let count = if self.energy.is_some() { fields.len() } else { fields.len() - 1 };
        into.clear();
        // The name was checked when the households were set up, and a row's numbers are finite.
        into.push(self.ts, sensor, AVERAGED_KIND, fields.get(..count).unwrap_or_default()).ok();
    }
}

impl Source for HouseholdsSource {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        Ok(self.play(now)?.unwrap_or(Step::Wait(now.mono)))
    }

    fn skipped(&self) -> u64 {
        self.skipped.count()
    }
}

fn note(skipped: &mut Skipped, added: Result<(), fogline_protocol::reading::ReadingError>) {
    if let Err(error) = added {
        skipped.note(0, b"", &error);
    }
}

/// What is played of the recordings; none without any.
fn span_of(config: &HouseholdsConfig, recordings: &[Arc<Recording>]) -> Result<Option<Span>, SourceError> {
    let first = recordings.iter().map(|recording| recording.first).min();
    let last = recordings.iter().map(|recording| recording.last).max();
    let Some((first, last)) = first.zip(last) else { return Ok(None) };
    let from = config.from.unwrap_or(window_of(first));
    let to = config.to.unwrap_or(window_of(last) + WINDOW);
    let holds = |recording: &Arc<Recording>| recording.find(from).and_then(|begin| Ok(begin < recording.find(to)?));
    let found = recordings.iter().map(holds).collect::<Result<Vec<bool>, _>>()?;
    if found.contains(&true) {
        return Ok(Some(Span { from, to }));
    }
    let [first, last] = [first, last].map(crate::calendar::utc);
    let problem = format!("no row from `from` to `to` in any file: they go from {first} to {last}");
    let path = recordings.first().map(|recording| recording.path.clone()).unwrap_or_default();
    Err(SourceError::Format { path, problem })
}

fn home(
    config: &HouseholdsConfig,
    recordings: &[Arc<Recording>],
    span: Option<Span>,
    number: u32,
    begin: Wall,
    to: Option<Wall>,
) -> Result<Home, SourceError> {
    let files = u32::try_from(recordings.len()).unwrap_or(1).max(1);
    let seed = Rng::new(config.seed ^ (u64::from(number) << 32)).next_u64();
    let recording = usize::try_from(number % files).ok().and_then(|index| recordings.get(index));
    let meter = match (recording, span) {
        (Some(recording), Some(span)) => {
            let copy = u64::from(number / files);
            Meter::Recorded(Replay::new(Arc::clone(recording), copy, span, seed, begin)?)
        }
        _ => Meter::Simulated(Profile::new(seed, begin, to)),
    };
    Ok(Home { sensor: format!("{}-{}", config.sensor, number + 1), meter, next: None, ended: false })
}

#[cfg(test)]
mod tests;
