//! The recordings of households.

use super::account::Account;
use std::path::PathBuf;

/// A file of the recordings, read here independently of the program that replays it.
#[derive(Debug)]
pub struct Household {
    /// Where it is.
    pub path: PathBuf,
    /// All its rows.
    pub rows: Vec<Row>,
}

/// What a row says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Milliseconds since 1970.
    pub ts_ms: i64,
    /// Milliwatts.
    pub power_mw: i64,
}

impl Household {
    /// One of the files beside the repository. Says so and gives none where they are not.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/households");
        let path = folder.join(name);
        let Ok(text) = std::fs::read_to_string(&path) else {
            eprintln!("skipped: the household recordings are not there ({name} in ../shared/data/households)");
            return None;
        };
        let rows = text.lines().skip(2).map(row).collect();
        Some(Self { path: path.canonicalize().unwrap(), rows })
    }

    /// What a store must hold of it.
    #[must_use]
    pub fn account(&self) -> Account {
        let times = || self.rows.iter().map(|row| row.ts_ms * 1000);
        let count = i64::try_from(self.rows.len()).unwrap();
        Account {
            readings: count,
            distinct: count,
            power_mw: self.rows.iter().map(|row| row.power_mw).sum(),
            first_us: times().min(),
            last_us: times().max(),
        }
    }
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.split(',').collect();
    Row { ts_ms: cells[1].parse().unwrap(), power_mw: cells[3].parse().unwrap() }
}
