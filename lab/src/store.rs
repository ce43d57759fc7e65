//! Where ingesters store, and what it holds in the end.

use crate::LabError;
use crate::books::Held;
use crate::options::StoreKind;
use crate::process::Program;
use crate::small_disk::SmallDisk;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The database of a run.
#[derive(Debug)]
pub(crate) struct Database {
    kind: StoreKind,
    program: Option<Program>,
    port: Option<u16>,
    /// What its data are on, where that can be filled. After the process, which has files open on it.
    disk: Option<SmallDisk>,
}

impl Database {
    /// One without content, which does not run yet.
    ///
    /// # Errors
    /// [`LabError::NotInstalled`] when its server is not there.
    pub(crate) fn new(kind: StoreKind, _place: &Path) -> Result<Self, LabError> {
        Ok(Self { kind, program: None, port: None, disk: None })
    }

    /// Its port on loopback, if it is a process of its own.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The small disk that its data are on, if this run has one.
    pub(crate) fn disk(&self) -> Option<&SmallDisk> {
        self.disk.as_ref()
    }

    /// Its process, if it has one.
    pub(crate) fn program(&self) -> Option<&Program> {
        self.program.as_ref()
    }

    /// The same, to be struck.
    pub(crate) fn program_mut(&mut self) -> Option<&mut Program> {
        self.program.as_mut()
    }

    /// Whether it answers.
    pub(crate) async fn is_ready(&self) -> bool {
        match self.port {
            None => true,
            Some(port) => crate::ask::listens(port).await,
        }
    }

    /// Makes it ready for ingesters. It must run.
    pub(crate) fn prepare(&self) -> Result<(), LabError> {
        Ok(())
    }

    /// How an ingester is told of it, which reaches it at `address`.
    pub(crate) fn ingest_args(&self, _address: Option<SocketAddr>) -> Vec<String> {
        vec!["--store".to_owned(), "sqlite".to_owned()]
    }

    /// The file in which an ingester whose data is in `folder` keeps its books.
    pub(crate) fn books(&self, folder: &Path) -> PathBuf {
        folder.join(if self.kind == StoreKind::Sqlite { "fogline.db" } else { "state.db" })
    }

    /// The readings that it holds, by their agents.
    ///
    /// # Errors
    /// [`LabError::Store`] when it does not say.
    pub(crate) fn readings(&self, ingesters: &[&Path]) -> Result<BTreeMap<String, Held>, LabError> {
        let files: Vec<PathBuf> = ingesters.iter().map(|folder| self.books(folder)).collect();
        let mut held = BTreeMap::new();
        for file in files {
            crate::books::readings(&file, &mut held)?;
        }
        Ok(held)
    }
}
