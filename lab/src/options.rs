//! What a run is made of.

use crate::fault::{self, Fault};
use crate::{LabError, Machine, Need};
use clap::ValueEnum;
use std::path::PathBuf;
use std::time::Duration;

/// Where the ingesters of a run store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum StoreKind {
    /// A SQLite file
    #[default]
    Sqlite,
    /// VictoriaMetrics, which takes what InfluxDB takes
    Victoria,
    /// InfluxDB 1.x
    Influxdb,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The program `fogline`, whose subcommands are started.
    pub program: PathBuf,
    /// What the schedule is drawn from.
    pub seed: u64,
    /// How long faults are played; healing and counting come after it.
    pub length: Duration,
    /// How many agents, 1 to 50.
    pub agents: usize,
    /// Readings a second of each, 0.1 to 1000.
    pub rate: f64,
    /// Brokers, 1 to 3: agents and ingesters know all of them, in order.
    pub brokers: usize,
    /// Ingesters, 1 to 3.
    pub ingesters: usize,
    /// Where they store.
    pub store: StoreKind,
    /// Names of faults; none: all that this machine and this store can play, but those that are only played when they are named.
    pub faults: Option<Vec<String>>,
    /// Keep the folder of the run though its verdict is good.
    pub keep: bool,
}

impl Options {
    /// Two minutes of all faults on a site of the usual size, which stores in SQLite.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>, seed: u64) -> Self {
        Self {
            program: program.into(),
            seed,
            length: Duration::from_secs(120),
            agents: 4,
            rate: 20.0,
            brokers: 1,
            ingesters: 1,
            store: StoreKind::Sqlite,
            faults: None,
            keep: false,
        }
    }
}

/// The faults of a run, and those that it cannot have.
#[derive(Debug)]
pub(crate) struct Selection {
    /// In the order that the schedule means.
    pub(crate) faults: Vec<&'static dyn Fault>,
    /// Their names, and why not.
    pub(crate) skipped: Vec<(&'static str, &'static str)>,
}

impl Options {
    /// The faults that are asked for, as far as they can be played.
    ///
    /// # Errors
    /// [`LabError::Options`] for a name that is no fault's.
    pub(crate) fn select(&self, machine: &Machine) -> Result<Selection, LabError> {
        let asked: Vec<&'static dyn Fault> = match &self.faults {
            None => fault::ALL.iter().copied().filter(|fault| fault.is_usual()).collect(),
            Some(names) => names.iter().map(|name| fault::find(name)).collect::<Result<_, _>>()?,
        };
        let mut selection = Selection { faults: Vec::new(), skipped: Vec::new() };
        for fault in asked {
            match fault.needs().iter().find_map(|need| self.lacks(*need, machine)) {
                None => selection.faults.push(fault),
                Some(why) => selection.skipped.push((fault.name(), why)),
            }
        }
        Ok(selection)
    }

    fn lacks(&self, need: Need, machine: &Machine) -> Option<&'static str> {
        match (need, self.store) {
            (Need::Database | Need::DurableDatabase | Need::ToughDatabase, StoreKind::Sqlite) => {
                Some("SQLite is no process of its own")
            }
            (Need::DurableDatabase, StoreKind::Victoria) => {
                Some("VictoriaMetrics keeps what it has answered in memory for some seconds")
            }
            (Need::ToughDatabase, StoreKind::Influxdb) => {
                Some("InfluxDB 1 loses what it has answered when it is started again after its disk was full")
            }
            _ => machine.lacks(need),
        }
    }
}
