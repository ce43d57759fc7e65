//! Where ingesters store, and what it holds in the end.

mod influxd;
mod translator;
mod victoria;

use crate::LabError;
use crate::books::Held;
use crate::options::StoreKind;
use crate::process::Program;
use crate::small_disk::SmallDisk;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use translator::Translator;

/// The bucket or database of the run.
const BUCKET: &str = "fogline";
/// The measurement of the readings: what agents of the lab see is a road.
const KIND: &str = "road";

/// The database of a run.
#[derive(Debug)]
pub(crate) struct Database {
    kind: StoreKind,
    server: Option<Server>,
}

/// A database that is a process of its own.
#[derive(Debug)]
struct Server {
    program: Program,
    /// Where it listens on loopback.
    port: u16,
    /// Before it, where it does not speak as ingesters do.
    translator: Option<Translator>,
    /// What its data are on, where that can be filled. After the process, which has files open on it.
    disk: Option<SmallDisk>,
}

impl Database {
    /// One without content, which does not run yet, on a small disk of `disk_mib` MiB if that is given. Must be called on a Tokio
    /// runtime.
    ///
    /// # Errors
    /// [`LabError::NotInstalled`] when its server is not there, and what the machine did not give.
    pub(crate) fn new(kind: StoreKind, place: &Path, disk_mib: Option<u64>) -> Result<Self, LabError> {
        let folder = place.join("database");
        let log = crate::site::log(place, "database")?;
        let disk = || disk_mib.map(|mib| SmallDisk::mount(&folder, mib)).transpose();
        let server = match kind {
            StoreKind::Sqlite => None,
            StoreKind::Victoria => {
                let (disk, (recipe, port)) = (disk()?, victoria::recipe(&folder, log)?);
                Some(Server { program: Program::new(recipe), port, translator: None, disk })
            }
            StoreKind::Influxdb => {
                let (disk, (recipe, port)) = (disk()?, influxd::recipe(&folder, place, log)?);
                let translator = Some(Translator::start(port)?);
                Some(Server { program: Program::new(recipe), port, translator, disk })
            }
        };
        Ok(Self { kind, server })
    }

    /// The port on loopback to which ingesters write, if it is a process of its own.
    pub(crate) fn port(&self) -> Option<u16> {
        let server = self.server.as_ref()?;
        Some(server.translator.as_ref().map_or(server.port, Translator::port))
    }

    /// The URL at which it is asked, if it is a process of its own.
    pub(crate) fn url(&self) -> Option<String> {
        self.server.as_ref().map(|server| format!("http://127.0.0.1:{}", server.port))
    }

    /// The small disk that its data are on, if this run has one.
    pub(crate) fn disk(&self) -> Option<&SmallDisk> {
        self.server.as_ref()?.disk.as_ref()
    }

    /// Its process, if it has one.
    pub(crate) fn program(&self) -> Option<&Program> {
        self.server.as_ref().map(|server| &server.program)
    }

    /// The same, to be struck.
    pub(crate) fn program_mut(&mut self) -> Option<&mut Program> {
        self.server.as_mut().map(|server| &mut server.program)
    }

    /// Whether it answers.
    pub(crate) async fn is_ready(&self) -> bool {
        match (&self.server, self.kind) {
            (None, _) | (_, StoreKind::Sqlite) => true,
            (Some(server), StoreKind::Victoria) => victoria::is_ready(server.port).await,
            (Some(server), StoreKind::Influxdb) => influxd::is_ready(server.port).await,
        }
    }

    /// Makes it ready for ingesters. It must run.
    ///
    /// # Errors
    /// [`LabError::Store`] when it does not do what it is asked for.
    pub(crate) async fn prepare(&self) -> Result<(), LabError> {
        match (&self.server, self.kind) {
            (Some(server), StoreKind::Influxdb) => influxd::make(server.port).await,
            _ => Ok(()),
        }
    }

    /// It ended: what is on its small disk goes below it.
    ///
    /// # Errors
    /// [`LabError::File`] when it cannot be copied.
    pub(crate) fn keep(&mut self) -> Result<(), LabError> {
        let disk = self.server.as_mut().and_then(|server| server.disk.take());
        disk.map_or(Ok(()), SmallDisk::keep)
    }

    /// How an ingester is told of it, which reaches it at `address`.
    pub(crate) fn ingest_args(&self, address: Option<SocketAddr>) -> Vec<String> {
        let words: Vec<String> = match address {
            None => ["--store", "sqlite"].map(str::to_owned).to_vec(),
            Some(address) => {
                let url = format!("http://{address}");
                vec!["--store".to_owned(), "influxdb".to_owned(), "--influxdb-url".to_owned(), url]
            }
        };
        words
    }

    /// The file in which an ingester whose data is in `folder` keeps its books.
    pub(crate) fn books(&self, folder: &Path) -> PathBuf {
        folder.join(if self.kind == StoreKind::Sqlite { "fogline.db" } else { "state.db" })
    }

    /// The readings that it holds of these agents. A server must run, ingesters must not.
    ///
    /// # Errors
    /// [`LabError::Store`] when it does not say.
    pub(crate) async fn readings(
        &self,
        ingesters: &[&Path],
        agents: &[&str],
    ) -> Result<BTreeMap<String, Held>, LabError> {
        let mut held = BTreeMap::new();
        match (&self.server, self.kind) {
            (None, _) | (_, StoreKind::Sqlite) => {
                for folder in ingesters {
                    crate::books::readings(&self.books(folder), &mut held)?;
                }
            }
            (Some(server), StoreKind::Victoria) => victoria::readings(server.port, agents, &mut held).await?,
            (Some(server), StoreKind::Influxdb) => influxd::readings(server.port, agents, &mut held).await?,
        }
        Ok(held)
    }
}

/// The number that a reading carries: databases make it a number with a fraction.
fn number(value: &serde_json::Value) -> Option<u64> {
    let text = value.as_f64().map(|number| format!("{number:.0}"))?;
    text.parse().ok()
}

/// A text within a URL or a form.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
