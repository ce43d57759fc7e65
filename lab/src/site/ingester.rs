//! An ingester.

use super::Fittings;
use crate::LabError;
use crate::clock::FakeClock;
use crate::options::{Options, StoreKind};
use crate::ports::free_port;
use crate::process::{Program, Recipe};
use crate::proxy::Proxy;
use crate::small_disk::SmallDisk;
use crate::store::Database;
use std::path::{Path, PathBuf};

/// The folder of a SQLite file that several ingesters share.
const SHARED: &str = "ingest";
/// What all ingesters call a database that each of them reaches through a proxy of its own.
const STORE_NAME: &str = "lab";

/// What an ingester has to know of the others. The first is the one that would lead.
fn place_among(options: &Options, index: usize) -> Vec<String> {
    if options.sites < 2 {
        return Vec::new();
    }
    let rank = ["--rank".to_owned(), (options.sites - index).to_string()];
    let shares = if options.store == StoreKind::Sqlite {
        vec!["--shared".to_owned()]
    } else {
        vec!["--store-name".to_owned(), STORE_NAME.to_owned()]
    };
    rank.into_iter().chain(shares).collect()
}

/// `fogline ingest`, and its network.
#[derive(Debug)]
pub(crate) struct Ingester {
    /// The process.
    pub(crate) program: Program,
    /// The port of its health, metrics and API.
    pub(crate) http: u16,
    /// Its data.
    pub(crate) folder: PathBuf,
    /// To each broker, in their order.
    pub(crate) links: Vec<Proxy>,
    /// To the database, if that is a process of its own.
    pub(crate) store_link: Option<Proxy>,
    /// Its wall clock, where that can be set.
    pub(crate) clock: Option<FakeClock>,
    /// What its data are on, where that can be filled. After the process, which has files open on it.
    pub(crate) disk: Option<SmallDisk>,
}

impl Ingester {
    /// The ingester with this index, which does not run yet.
    pub(crate) fn new(
        options: &Options,
        fittings: &Fittings,
        index: usize,
        brokers: &[u16],
        database: &Database,
        place: &Path,
    ) -> Result<Self, LabError> {
        let name = format!("ingest-{}", super::letter(index));
        let shared = options.sites > 1 && options.store == StoreKind::Sqlite;
        let folder = place.join(if shared { SHARED } else { name.as_str() });
        let http = free_port()?;
        // A disk that is shared is the first one's.
        let size = fittings.disks.filter(|_| !shared || index == 0);
        let disk = size.map(|(_, mib)| SmallDisk::mount(&folder, mib)).transpose()?;
        let links = brokers.iter().map(|port| Proxy::start(*port)).collect::<Result<Vec<_>, _>>()?;
        let store_link = database.port().map(Proxy::start).transpose()?;
        let clock = fittings.faketime.as_deref().map(|library| {
            let file = place.join(format!("{name}.clock"));
            FakeClock::new(library, file)
        });
        let clock = clock.transpose()?;
        let recipe = Recipe::new(&name, &options.program, super::log(place, &name)?)
            .args(["ingest", "--name", &name, "--http", &format!("127.0.0.1:{http}")])
            .args(["--broker", &super::addresses(&links)])
            .args([Path::new("--data-dir"), &folder])
            .args(database.ingest_args(store_link.as_ref().map(Proxy::address)))
            .args(place_among(options, index));
        let recipe = match &clock {
            Some(clock) => clock.shown_to(recipe),
            None => recipe,
        };
        Ok(Self { program: Program::new(recipe), http, folder, links, store_link, clock, disk })
    }
}
