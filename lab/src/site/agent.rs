//! An agent, and its sensor.

use super::Fittings;
use crate::LabError;
use crate::clock::FakeClock;
use crate::feed::{Feed, Load};
use crate::ledger::Ledger;
use crate::namespace::Namespaces;
use crate::options::Options;
use crate::process::{Program, Recipe};
use crate::proxy::Proxy;
use crate::queue;
use crate::service::Gaps;
use crate::small_disk::SmallDisk;
use std::path::{Path, PathBuf};
use std::process::ChildStdin;

/// The region of all agents: their readings are averaged together, and each gets the limits that follow.
pub(crate) const REGION: &str = "north";

/// What agents are put into.
pub(super) struct World<'a> {
    /// The ports of the brokers, in their order.
    pub(super) brokers: &'a [u16],
    /// Their network, if it is one of their own.
    pub(super) namespaces: Option<&'a Namespaces>,
    /// What their sensors write.
    pub(super) load: Load,
    /// The folder of the run.
    pub(super) place: &'a Path,
}

impl World<'_> {
    /// A connection to each broker.
    fn links(&self) -> Result<Vec<Proxy>, LabError> {
        let link = |port: &u16| match self.namespaces {
            None => Proxy::start(*port),
            Some(spaces) => Proxy::serve(spaces.listener()?, *port),
        };
        self.brokers.iter().map(link).collect()
    }
}

/// `fogline agent run`, fed by the lab.
#[derive(Debug)]
pub(crate) struct Agent {
    /// The process.
    pub(crate) program: Program,
    /// Its name.
    pub(crate) name: String,
    /// Its data.
    pub(crate) folder: PathBuf,
    /// To each broker, in their order.
    pub(crate) links: Vec<Proxy>,
    /// Its wall clock, where that can be set.
    pub(crate) clock: Option<FakeClock>,
    /// How many of its readings were acknowledged when that was asked last, and when none were.
    pub(crate) served: (u64, Gaps),
    /// What it has accepted.
    pub(crate) ledger: Ledger,
    load: Load,
    feed: Option<Feed>,
    /// What a feed will write into.
    waiting: Option<ChildStdin>,
    /// The sequence number that its queue was to give next when the process was started.
    before: u64,
    /// What its queue is on, where that can be filled. After the process, which has files open on it.
    pub(crate) disk: Option<SmallDisk>,
}

impl Agent {
    /// The agent with this index, which does not run yet.
    pub(super) fn new(
        options: &Options,
        fittings: &Fittings,
        index: usize,
        world: &World<'_>,
    ) -> Result<Self, LabError> {
        let (name, place) = (format!("lane-{}", index + 1), world.place);
        let folder = place.join(&name);
        let disk = fittings.disks.map(|(mib, _)| SmallDisk::mount(&folder, mib)).transpose()?;
        let links = world.links()?;
        let clock =
            fittings.faketime.as_deref().map(|library| FakeClock::new(library, place.join(format!("{name}.clock"))));
        let clock = clock.transpose()?;
        let recipe = Recipe::new(&name, &options.program, super::log(place, &name)?)
            .args(["agent", "run", "--region", REGION, "--name", &name, "--broker", &super::addresses(&links)])
            .args(["--source", "stdin", "--kind", "road", "--sensor", "lane", "--raw"])
            .args([Path::new("--data-dir"), &folder])
            .fed();
        let recipe = match &clock {
            Some(clock) => clock.shown_to(recipe),
            None => recipe,
        };
        let recipe = match world.namespaces {
            Some(spaces) => spaces.at_the_edge(recipe),
            None => recipe,
        };
        let (program, ledger) = (Program::new(recipe), Ledger::default());
        Ok(Self {
            program,
            name,
            folder,
            links,
            clock,
            served: (0, Gaps::new()),
            ledger,
            load: world.load,
            feed: None,
            waiting: None,
            before: 1,
            disk,
        })
    }

    /// Starts it, and its sensor where that had stopped. Does nothing when it runs.
    ///
    /// # Errors
    /// [`LabError::Program`] when it cannot be started, [`LabError::File`] when its queue cannot be read.
    pub(crate) fn start(&mut self) -> Result<(), LabError> {
        if self.program.is_up() {
            return Ok(());
        }
        // A damaged one says so only when the agent has mended it: its sensor waits until then.
        let before = queue::next(&self.folder).ok();
        self.waiting = self.program.start()?;
        before.map_or(Ok(()), |before| self.feed_from(before))
    }

    /// Its sensor begins to speak. `before` is the sequence number that the queue gives next.
    fn feed_from(&mut self, before: u64) -> Result<(), LabError> {
        self.before = before;
        if let Some(stdin) = self.waiting.take() {
            let feed = Feed::start(stdin, self.ledger.accepted(), self.load);
            self.feed = Some(feed.map_err(|error| LabError::machine("a thread for a sensor", &error))?);
        }
        Ok(())
    }

    /// Whether its sensor waits until the agent has mended its queue.
    pub(crate) fn is_mending(&self) -> bool {
        self.waiting.is_some()
    }

    /// The agent answers: its queue is whole, and nothing changes it before the sensor speaks.
    ///
    /// # Errors
    /// [`LabError::File`] when its queue cannot be read.
    pub(crate) fn mended(&mut self) -> Result<(), LabError> {
        let before = queue::next_of_running(&self.folder)?;
        self.feed_from(before)
    }

    /// Kills it, and enters what it has accepted into its ledger.
    ///
    /// # Errors
    /// [`LabError::File`] when its queue cannot be read.
    pub(crate) fn kill(&mut self) -> Result<(), LabError> {
        if self.program.kill() { self.enter() } else { Ok(()) }
    }

    /// Its sensor falls silent. What is in the pipe is still the agent's.
    pub(crate) fn silence(&self) {
        if let Some(feed) = &self.feed {
            feed.stop();
        }
    }

    /// The process has ended: enters what it has accepted into its ledger.
    ///
    /// # Errors
    /// [`LabError::File`] when its queue cannot be read.
    pub(crate) fn enter(&mut self) -> Result<(), LabError> {
        self.waiting = None;
        let Some(feed) = self.feed.take() else { return Ok(()) };
        feed.stop();
        let written = feed.written();
        self.ledger.ended(written, self.before, queue::next(&self.folder)?);
        Ok(())
    }
}
