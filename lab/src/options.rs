//! What a run is made of.

use crate::fault::{self, Fault};
use crate::machine::program;
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

/// What the brokers of a run are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum BrokerKind {
    /// Fogline's own
    #[default]
    Fogline,
    /// Eclipse Mosquitto, with the limits of mosquitto-compat/mosquitto.conf
    Mosquitto,
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
    /// Sites, 1 to 3: each a broker and an ingester. Agents and ingesters know all brokers, in order, and ingesters share a store.
    pub sites: usize,
    /// What the brokers are.
    pub broker: BrokerKind,
    /// Where they store.
    pub store: StoreKind,
    /// Names of faults; none: all that this machine, this store and these sites can play.
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
            sites: 1,
            broker: BrokerKind::Fogline,
            store: StoreKind::Sqlite,
            faults: None,
            keep: false,
        }
    }
}

impl Options {
    /// A run of this fault alone, with what it needs that a run can have.
    ///
    /// # Errors
    /// [`LabError::Options`] when there is no such fault.
    pub(crate) fn set_for(&mut self, name: &str) -> Result<(), LabError> {
        let needs = fault::find(name)?.needs();
        let database = |need: &Need| matches!(need, Need::Database | Need::DurableDatabase | Need::ToughDatabase);
        if self.store == StoreKind::Sqlite && needs.iter().any(database) {
            let tough = needs.contains(&Need::ToughDatabase);
            self.store = if tough || program("influxd").is_none() { StoreKind::Victoria } else { StoreKind::Influxdb };
        }
        if needs.contains(&Need::Sites) {
            self.sites = self.sites.max(2);
        }
        self.faults = Some(vec![name.to_owned()]);
        Ok(())
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
            None => fault::ALL.to_vec(),
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
            (Need::Sites, _) => (self.sites < 2).then_some("it takes two sites (--sites 2)"),
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
