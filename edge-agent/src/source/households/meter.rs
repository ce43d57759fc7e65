//! What a household's meter says, from a time of the simulation clock on.

use super::super::SourceError;
use super::super::lines::Lines;
use super::profile::Profile;
use super::recording::{Recording, Row, Section};
use super::span::Span;
use fogline_protocol::rng::Rng;
use fogline_protocol::time::Wall;
use fogline_protocol::window::{DECISION_WIDTH_S, window_start};
use std::sync::Arc;
use std::time::Duration;

/// What the powers of a copy are multiplied with: from a flat to a house with a heat pump.
const SCALES: (f64, f64) = (0.5, 2.0);

/// A meter.
#[derive(Debug)]
pub(super) enum Meter {
    Recorded(Replay),
    Simulated(Profile),
}

impl Meter {
    /// The next line of its recording or sample of its profile: none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Result<Row, String>>, SourceError> {
        match self {
            Self::Recorded(replay) => replay.next(),
            Self::Simulated(profile) => Ok(profile.next().map(Ok)),
        }
    }
}

/// A household that replays a recording. The first of a file is the file itself. The others begin somewhere else in it, and with its
/// beginning when they come to its end: each has every row once, at another time, with powers scaled.
#[derive(Debug)]
pub(super) struct Replay {
    recording: Arc<Recording>,
    /// Since when it is played by the simulation clock: what is earlier was taken before.
    from: Wall,
    parts: [Part; 2],
    part: usize,
    lines: Option<Lines<Section>>,
    scale: Option<f64>,
    /// Of the row before, as the file says it.
    before: Wall,
}

/// A piece of the file.
#[derive(Debug, Clone, Copy)]
struct Part {
    begin: u64,
    end: u64,
    /// How much earlier or later its rows are by the simulation clock, in microseconds.
    shift_us: i64,
}

impl Replay {
    /// The `copy`-th household, from 0, of a recording of which `span` is played, from `from` on by the simulation clock.
    pub(super) fn new(
        recording: Arc<Recording>,
        copy: u64,
        span: Span,
        seed: u64,
        from: Wall,
    ) -> Result<Self, SourceError> {
        let mut rng = Rng::new(seed);
        let width_us = i64::from(DECISION_WIDTH_S) * 1_000_000;
        let windows = u64::try_from(span.us() / width_us).unwrap_or(0);
        let phase_us = if copy == 0 { 0 } else { width_us * i64::try_from(rng.below(windows)).unwrap_or(0) };
        let scale = (copy > 0).then(|| (rng.between(SCALES.0, SCALES.1) * 1000.0).round() / 1000.0);
        let middle = Wall::from_us(span.from.us() + phase_us);
        let [begin, cut, end] = [recording.find(span.from)?, recording.find(middle)?, recording.find(span.to)?];
        let parts =
            [Part { begin: cut, end, shift_us: -phase_us }, Part { begin, end: cut, shift_us: span.us() - phase_us }];
        let mut replay = Self { recording, from, parts, part: 0, lines: None, scale, before: Wall::MIN };
        replay.seek()?;
        Ok(replay)
    }

    /// Skips what is before `from`, without reading it.
    fn seek(&mut self) -> Result<(), SourceError> {
        for part in &mut self.parts {
            let time = Wall::from_us(self.from.us().saturating_sub(part.shift_us));
            part.begin = self.recording.find(time)?.clamp(part.begin, part.end.max(part.begin));
        }
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Result<Row, String>>, SourceError> {
        while let Some(Part { begin, end, shift_us }) = self.parts.get(self.part).copied() {
            let lines = self.lines.get_or_insert_with(|| self.recording.lines(begin, end));
            match self.recording.next(lines)? {
                Some(Ok(row)) if row.ts < self.before => {
                    return Ok(Some(Err("it goes back in time: rows must be in the order of time".to_owned())));
                }
                Some(Ok(row)) => {
                    self.before = row.ts;
                    return Ok(Some(Ok(self.shifted(row, shift_us))));
                }
                Some(Err(why)) => return Ok(Some(Err(format!("{}: {why}", self.recording.path.display())))),
                None => {
                    (self.lines, self.before) = (None, Wall::MIN);
                    self.part += 1;
                }
            }
        }
        Ok(None)
    }

    fn shifted(&self, row: Row, shift_us: i64) -> Row {
        let Some(scale) = self.scale else { return row };
        // To a milliwatt, as the meters of the files measure. A meter's reading that jumps back at the end of the file is no one's.
        let powers = row.powers.map(|power| (power * scale * 1000.0).round() / 1000.0);
        Row { ts: Wall::from_us(row.ts.us() + shift_us), powers, energy: None }
    }
}

/// How long a window of the edge is.
pub(super) const WINDOW: Duration = Duration::from_secs(DECISION_WIDTH_S as u64);

/// The window in which a time is.
pub(super) fn window_of(time: Wall) -> Wall {
    window_start(time, DECISION_WIDTH_S)
}
