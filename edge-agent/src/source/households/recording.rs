//! A recorded household: a file of rows in the order of time, of which any time can be found without reading all of it.

use super::super::SourceError;
use super::super::csv::layout::{HOUSEHOLD_HEADER, HouseholdRow, household_row};
use super::super::csv::position::Head;
use super::super::lines::{Lines, Place};
use fogline_protocol::time::Wall;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest row: seven numbers. Each household has a buffer of four rows, so that a thousand of them stay within 4 MB.
pub(super) const ROW_MAX_BYTES: usize = 1024;
/// Below this a search goes on row by row.
const SCAN_BYTES: u64 = 2 * 1024;
/// How much of the end is read to find the last row.
const TAIL_BYTES: u64 = 4 * 1024;

/// A file, opened once, however many households replay it.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) path: PathBuf,
    file: Arc<File>,
    /// Where the first row begins, and where the last one ends.
    first_row: u64,
    length: u64,
    /// The times of the first row and of the last.
    pub(super) first: Wall,
    pub(super) last: Wall,
    /// Tells it from another file.
    pub(super) name: String,
}

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    /// When; of the simulation clock once it is shifted.
    pub(super) ts: Wall,
    /// In all and per phase, in W.
    pub(super) powers: [f64; 4],
    /// The meter's reading in kWh, of a meter that has one.
    pub(super) energy: Option<f64>,
}

/// The bytes of a file from a place to another.
#[derive(Debug)]
pub(super) struct Section {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Read for Section {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let room = into.len().min(left);
        let count = self.file.read_at(into.get_mut(..room).unwrap_or_default(), self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Recording {
    /// # Errors
    /// When it cannot be read, is no household file, or has no rows.
    pub(super) fn open(path: &Path) -> Result<Self, SourceError> {
        let failed = |error| SourceError::File { path: path.to_owned(), error };
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let name = Head::read(&mut file).map_err(failed)?.name();
        let unknown = Wall::MIN;
        let (file, first_row) = (Arc::new(file), 0);
        let mut recording =
            Self { path: path.to_owned(), file, first_row, length, first: unknown, last: unknown, name };
        recording.first_row = recording.read_header()?;
        recording.first = recording.time_from(recording.first_row)?.ok_or_else(|| recording.no_rows())?;
        recording.last = recording.read_last()?.ok_or_else(|| recording.no_rows())?;
        Ok(recording)
    }

    /// Its rows from a byte to another. `from` is where a row begins.
    pub(super) fn lines(&self, from: u64, end: u64) -> Lines<Section> {
        let section = Section { file: Arc::clone(&self.file), at: from, end };
        // The number of a line in the middle is not known; nobody asks.
        Lines::bounded(section, Place { byte: from, line: 1 }, ROW_MAX_BYTES)
    }

    /// Where the first row begins that is not before `time`; the end when there is none.
    pub(super) fn find(&self, time: Wall) -> Result<u64, SourceError> {
        // Rows that begin before `low` are before `time`.
        let (mut low, mut high) = (self.first_row, self.length);
        while high - low > SCAN_BYTES {
            let middle = low + (high - low) / 2;
            let mut lines = self.lines(middle, self.length);
            // The rest of the row in the middle of which this is.
            self.next(&mut lines)?;
            let next = lines.place().byte;
            match self.row_from(&mut lines)?.filter(|_| next < high) {
                Some(row) if row.ts < time => low = next,
                Some(_) | None => high = middle,
            }
        }
        let mut lines = self.lines(low, self.length);
        loop {
            let place = lines.place().byte;
            match self.next(&mut lines)? {
                None => return Ok(self.length),
                Some(Ok(row)) if row.ts >= time => return Ok(place),
                Some(Ok(_) | Err(_)) => {}
            }
        }
    }

    /// The next line: a row, or why it is none. None at the end.
    pub(super) fn next(&self, lines: &mut Lines<Section>) -> Result<Option<Result<Row, String>>, SourceError> {
        let failed = |error| SourceError::File { path: self.path.clone(), error };
        let line = lines.next().map_err(failed)?;
        Ok(line.map(|line| line.text.map_or_else(|| Err("the line is too long".to_owned()), parse)))
    }

    /// The next line that is a row.
    fn row_from(&self, lines: &mut Lines<Section>) -> Result<Option<Row>, SourceError> {
        while let Some(line) = self.next(lines)? {
            if let Ok(row) = line {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn time_from(&self, byte: u64) -> Result<Option<Wall>, SourceError> {
        let row = self.row_from(&mut self.lines(byte, self.length))?;
        Ok(row.map(|row| row.ts))
    }

    fn read_header(&self) -> Result<u64, SourceError> {
        let mut lines = self.lines(0, self.length);
        for _ in 0..2 {
            let failed = |error| SourceError::File { path: self.path.clone(), error };
            let line = lines.next().map_err(failed)?;
            if line.and_then(|line| line.text).is_some_and(|text| text.trim_ascii() == HOUSEHOLD_HEADER.as_bytes()) {
                return Ok(lines.place().byte);
            }
        }
        Err(self.format(format!("not a household file, whose first or second line is `{HOUSEHOLD_HEADER}`")))
    }

    fn read_last(&self) -> Result<Option<Wall>, SourceError> {
        let mut lines = self.lines(self.length.saturating_sub(TAIL_BYTES).max(self.first_row), self.length);
        let mut last = None;
        while let Some(line) = self.next(&mut lines)? {
            last = line.ok().map(|row| row.ts).or(last);
        }
        Ok(last)
    }

    fn no_rows(&self) -> SourceError {
        self.format("there are no rows in it".to_owned())
    }

    fn format(&self, problem: String) -> SourceError {
        SourceError::Format { path: self.path.clone(), problem }
    }
}

fn parse(text: &[u8]) -> Result<Row, String> {
    let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
    let HouseholdRow { ts, powers, energy } = household_row(text).map_err(|error| error.to_string())?;
    Ok(Row { ts, powers, energy: Some(energy) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;

    /// A row every two seconds, with lines between them that are none.
    fn recording(rows: i64) -> (tempfile::TempDir, Recording) {
        let mut text = format!("household\n{HOUSEHOLD_HEADER}\n");
        for row in 0..rows {
            writeln!(text, "d,{},7,{row},0,0,0", 1_000_000 + row * 2000).unwrap();
            if row % 3 == 0 {
                text.push_str("no row\n");
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("house.csv");
        std::fs::write(&path, text).unwrap();
        let recording = Recording::open(&path).unwrap();
        (folder, recording)
    }

    #[test]
    fn any_time_is_found_in_files_of_any_size() {
        for rows in [1, 2, 100, 10_000] {
            let (_folder, recording) = recording(rows);
            let ms = |ms: i64| Wall::from_us(ms * 1000);
            assert_eq!((recording.first, recording.last), (ms(1_000_000), ms(1_000_000 + (rows - 1) * 2000)));
            for row in [0, 1, rows / 3, rows / 2, rows - 1].into_iter().filter(|row| (0..rows).contains(row)) {
                for early_ms in [0, 1, 1999] {
                    let place = recording.find(ms(1_000_000 + row * 2000 - early_ms)).unwrap();
                    let found = recording.row_from(&mut recording.lines(place, recording.length)).unwrap().unwrap();
                    assert_eq!((found.powers[0] * 1000.0).round(), row as f64, "{rows} rows, {early_ms} ms early");
                }
            }
            assert_eq!(recording.find(ms(1_000_001 + (rows - 1) * 2000)).unwrap(), recording.length);
            assert_eq!(recording.find(Wall::MIN).unwrap(), recording.first_row);
        }
    }

    #[test]
    fn what_is_no_recording_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        assert!(matches!(Recording::open(&path), Err(SourceError::File { .. })));
        for text in ["", "a\nb\nc\n", &format!("t\n{HOUSEHOLD_HEADER}\n"), &format!("{HOUSEHOLD_HEADER}\nno row\n")] {
            std::fs::write(&path, text).unwrap();
            assert!(matches!(Recording::open(&path), Err(SourceError::Format { .. })), "{text:?}");
        }
    }
}
