//! The system under strike: real processes, the network between them, and the folder of the run.

mod agent;
mod broker;
mod ingester;

pub(crate) use agent::Agent;
use agent::World;
pub(crate) use broker::Broker;
pub(crate) use ingester::Ingester;

use crate::books::Books;
use crate::feed::Load;
use crate::namespace::Namespaces;
use crate::options::{Options, StoreKind};
use crate::process::{Program, describe};
use crate::store::Database;
use crate::{LabError, Machine, Need};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::Instant;

/// How long programs may take until they are ready; debug builds on a busy machine take seconds.
const READY_DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at them.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Which kind of process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// An agent.
    Agent,
    /// A broker.
    Broker,
    /// An ingester.
    Ingester,
    /// The database.
    Database,
}

/// A process of the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its kind.
    pub(crate) role: Role,
    /// Which of its kind, from 0.
    pub(crate) index: usize,
}

/// What the faults of a run need beyond processes, as far as this run has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fittings {
    /// Agents' queues and the ingester's files are on small disks, of so many MiB.
    pub(crate) disks: Option<(u64, u64)>,
    /// Agents are in a network of their own.
    pub(crate) namespaces: bool,
    /// Agents and ingesters live by a clock that can be set, by this library.
    pub(crate) faketime: Option<PathBuf>,
}

/// The system. Everything in it ends with it.
#[derive(Debug)]
pub(crate) struct Site {
    /// In the order of their names.
    pub(crate) agents: Vec<Agent>,
    /// The network of the agents, where packets can be lost. After them.
    pub(crate) namespaces: Option<Namespaces>,
    /// In the order in which agents and ingesters try them.
    pub(crate) brokers: Vec<Broker>,
    /// In the order of their names.
    pub(crate) ingesters: Vec<Ingester>,
    /// Where they store.
    pub(crate) database: Database,
    /// What ingesters knew that have lost their files.
    pub(crate) past: Books,
    /// Agents whose disks were changed under them, of whom nobody may expect that they remember; until it is taken notice of.
    pub(crate) forgetful: Vec<String>,
    /// Last, so that the processes are gone when it is removed.
    folder: TempDir,
}

/// A process that has ended though nobody told it to.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Which.
    pub(crate) part: Part,
    /// What it is called.
    pub(crate) name: String,
    /// How it ended.
    pub(crate) how: String,
}

/// Disks that hold a run's readings of its length, with room to spare: what fills them is the ballast.
const QUEUE_MIB: u64 = 24;
const STORE_MIB_BASE: u64 = 96;
const STORE_MIB_PER_MINUTE: u64 = 8;

impl Fittings {
    /// What the faults with these needs need.
    pub(crate) fn of(options: &Options, needs: &[Need], machine: &Machine) -> Self {
        let minutes = options.length.as_secs() / 60;
        let disks = (QUEUE_MIB, STORE_MIB_BASE + STORE_MIB_PER_MINUTE * minutes);
        Self {
            disks: needs.contains(&Need::SmallDisk).then_some(disks),
            namespaces: needs.contains(&Need::Namespaces),
            faketime: machine.faketime().filter(|_| needs.contains(&Need::FakeTime)).map(Path::to_owned),
        }
    }
}

impl Site {
    /// Puts it together; nothing runs yet but its network. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// What the machine did not give.
    pub(crate) fn build(options: &Options, fittings: &Fittings) -> Result<Self, LabError> {
        let folder = tempfile::Builder::new().prefix("fogline-lab-").tempdir();
        let folder = folder.map_err(|error| LabError::machine("a folder for the run", &error))?;
        let place = folder.path();
        let brokers =
            (0..options.sites).map(|index| Broker::new(options, index, place)).collect::<Result<Vec<_>, _>>()?;
        let ports: Vec<u16> = brokers.iter().map(|broker| broker.port).collect();
        let database = Database::new(options.store, place, fittings.disks.map(|(_, mib)| mib))?;
        let ingesters = (0..options.sites)
            .map(|index| Ingester::new(options, fittings, index, &ports, &database, place))
            .collect::<Result<_, _>>()?;
        let load = Load { rate: options.rate, stamped: options.store == StoreKind::Victoria };
        let namespaces = fittings.namespaces.then(Namespaces::make).transpose()?;
        let world = World { brokers: &ports, namespaces: namespaces.as_ref(), load, place };
        let agents =
            (0..options.agents).map(|index| Agent::new(options, fittings, index, &world)).collect::<Result<_, _>>()?;
        Ok(Self {
            agents,
            namespaces,
            brokers,
            ingesters,
            database,
            past: Books::default(),
            forgetful: Vec::new(),
            folder,
        })
    }

    /// Starts everything, and waits until it is ready.
    ///
    /// # Errors
    /// [`LabError::Program`] for what cannot be started or is not ready in time.
    pub(crate) async fn start(&mut self) -> Result<(), LabError> {
        for role in [Role::Database, Role::Broker, Role::Ingester, Role::Agent] {
            if role == Role::Ingester {
                self.database.prepare().await?;
            }
            for part in self.parts(role) {
                self.restart(part)?;
            }
            self.ready(role).await?;
        }
        Ok(())
    }

    async fn ready(&mut self, role: Role) -> Result<(), LabError> {
        let deadline = Instant::now() + READY_DEADLINE;
        for part in self.parts(role) {
            while !self.is_ready(part).await {
                let ended = self.program(part).and_then(|program| program.ended());
                let cause = match ended {
                    Some(status) => format!("ended with {} before it was ready", describe(status)),
                    None if Instant::now() >= deadline => format!("not ready within {READY_DEADLINE:?}"),
                    None => {
                        tokio::time::sleep(LOOK_EVERY).await;
                        continue;
                    }
                };
                let log = self.program(part).map(|program| program.log().to_owned()).unwrap_or_default();
                return Err(LabError::Program { program: self.name(part), cause, log });
            }
        }
        Ok(())
    }

    /// Whether a process does its work, as far as can be seen from outside.
    pub(crate) async fn is_ready(&self, part: Part) -> bool {
        match part.role {
            Role::Agent => match self.agents.get(part.index) {
                Some(agent) => crate::ask::agent(&agent.folder).await.is_some(),
                None => true,
            },
            Role::Broker => match self.brokers.get(part.index) {
                Some(broker) => crate::ask::listens(broker.port).await,
                None => true,
            },
            Role::Ingester => match self.ingesters.get(part.index) {
                Some(ingester) => {
                    crate::ask::http(ingester.http, "GET", "/healthz", "").await.is_ok_and(|(status, _)| status == 200)
                }
                None => true,
            },
            Role::Database => self.database.is_ready().await,
        }
    }

    /// The processes of a kind.
    pub(crate) fn parts(&self, role: Role) -> Vec<Part> {
        let count = match role {
            Role::Agent => self.agents.len(),
            Role::Broker => self.brokers.len(),
            Role::Ingester => self.ingesters.len(),
            Role::Database => usize::from(self.database.program().is_some()),
        };
        (0..count).map(|index| Part { role, index }).collect()
    }

    /// All processes, those that others need first.
    pub(crate) fn all(&self) -> Vec<Part> {
        [Role::Database, Role::Broker, Role::Ingester, Role::Agent]
            .into_iter()
            .flat_map(|role| self.parts(role))
            .collect()
    }

    /// What a process is called.
    pub(crate) fn name(&self, part: Part) -> String {
        let program = match part.role {
            Role::Agent => self.agents.get(part.index).map(|agent| &agent.program),
            Role::Broker => self.brokers.get(part.index).map(|broker| &broker.program),
            Role::Ingester => self.ingesters.get(part.index).map(|ingester| &ingester.program),
            Role::Database => self.database.program(),
        };
        program.map_or_else(String::new, |program| program.name().to_owned())
    }

    /// A process.
    pub(crate) fn program(&mut self, part: Part) -> Option<&mut Program> {
        match part.role {
            Role::Agent => self.agents.get_mut(part.index).map(|agent| &mut agent.program),
            Role::Broker => self.brokers.get_mut(part.index).map(|broker| &mut broker.program),
            Role::Ingester => self.ingesters.get_mut(part.index).map(|ingester| &mut ingester.program),
            Role::Database => self.database.program_mut(),
        }
    }

    /// Kills a process. What an agent has accepted until then goes into its ledger.
    ///
    /// # Errors
    /// [`LabError::File`] when an agent's queue cannot be read.
    pub(crate) fn kill(&mut self, part: Part) -> Result<(), LabError> {
        match (part.role, self.agents.get_mut(part.index)) {
            (Role::Agent, Some(agent)) => agent.kill(),
            _ => {
                self.program(part).map(Program::kill);
                Ok(())
            }
        }
    }

    /// Starts a process that is down. Does not wait until it is ready.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(crate) fn restart(&mut self, part: Part) -> Result<(), LabError> {
        match (part.role, self.agents.get_mut(part.index)) {
            (Role::Agent, Some(agent)) => agent.start(),
            _ => self.program(part).map_or(Ok(()), |program| program.start().map(drop)),
        }
    }

    /// The processes that have ended though nobody told them to. They count as down.
    ///
    /// # Errors
    /// [`LabError::File`] when the queue of an agent that has ended cannot be read.
    pub(crate) fn ended(&mut self) -> Result<Vec<Ended>, LabError> {
        let mut all = Vec::new();
        for part in self.all() {
            let Some(status) = self.program(part).and_then(Program::ended) else { continue };
            if let (Role::Agent, Some(agent)) = (part.role, self.agents.get_mut(part.index)) {
                agent.enter()?;
            }
            all.push(Ended { part, name: self.name(part), how: describe(status) });
        }
        Ok(all)
    }

    /// The folders in which ingesters keep their files, each once: ingesters that share a SQLite file share theirs.
    pub(crate) fn ingesters_folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.ingesters.iter().map(|ingester| ingester.folder.clone()).collect();
        folders.dedup();
        folders
    }

    /// The folder of the run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Keeps the folder of the run, with what is on small disks. Everything must have ended.
    ///
    /// # Errors
    /// [`LabError::File`] when that cannot be copied.
    pub(crate) fn keep(mut self) -> Result<PathBuf, LabError> {
        let folder = self.folder.path().to_owned();
        self.folder.disable_cleanup(true);
        for agent in &mut self.agents {
            agent.disk.take().map_or(Ok(()), crate::small_disk::SmallDisk::keep)?;
        }
        self.database.keep()?;
        for ingester in &mut self.ingesters {
            ingester.disk.take().map_or(Ok(()), crate::small_disk::SmallDisk::keep)?;
        }
        Ok(folder)
    }
}

/// `a` for the first.
fn letter(index: usize) -> char {
    ('a'..='z').nth(index).unwrap_or('z')
}

/// Where a program says what it has to say.
pub(crate) fn log(place: &Path, name: &str) -> Result<PathBuf, LabError> {
    let folder = place.join("logs");
    std::fs::create_dir_all(&folder).map_err(|error| LabError::file(&folder, &error))?;
    Ok(folder.join(format!("{name}.log")))
}

/// The brokers as a client's flag takes them.
fn addresses(links: &[crate::proxy::Proxy]) -> String {
    let addresses: Vec<String> = links.iter().map(|link| link.address().to_string()).collect();
    addresses.join(",")
}
