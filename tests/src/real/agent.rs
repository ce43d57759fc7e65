//! An agent.

use super::broker::Broker;
use super::clock::FakeClock;
use super::program::{Program, Recipe};
use super::wait::until;
use serde_json::Value;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How an agent is started.
#[derive(Debug, Clone)]
pub struct AgentRecipe {
    recipe: Recipe,
    folder: PathBuf,
}

impl AgentRecipe {
    /// An agent of the region `north`, with its queue in `folder`.
    #[must_use]
    pub fn new(broker: &Broker, name: &str, folder: &Path) -> Self {
        Self::of_region("north", broker, name, folder)
    }

    /// An agent of another region.
    #[must_use]
    pub fn of_region(region: &str, broker: &Broker, name: &str, folder: &Path) -> Self {
        let recipe = Recipe::ours("fogline-agent")
            .args(["run", "--region", region, "--name", name, "--broker", &broker.address(), "--data-dir"])
            .arg(folder)
            .args(broker.login(name));
        Self { recipe, folder: folder.to_owned() }
    }

    /// Replays a recording as it is, so many times as fast, and ends when all of it is acknowledged.
    #[must_use]
    pub fn replays(self, file: &Path, pace: &str) -> Self {
        self.args(["--source", "csv", "--raw", "--until", "acknowledged", "--pace", pace, "--file"]).args([file])
    }

    /// Reads the speeds of cars, so many a second.
    #[must_use]
    pub fn watches_a_road(self, rate: &str) -> Self {
        self.args(["--source", "simulate", "--kind", "road", "--rate", rate])
    }

    /// Sends the readings of a file, one a line, and ends when all are acknowledged.
    #[must_use]
    pub fn reads(self, file: &Path) -> Self {
        let recipe = self.recipe.args(["--source", "stdin", "--until", "acknowledged"]).input(file);
        Self { recipe, ..self }
    }

    /// With more arguments.
    #[must_use]
    pub fn args<S: Into<OsString>>(self, args: impl IntoIterator<Item = S>) -> Self {
        Self { recipe: self.recipe.args(args), ..self }
    }

    /// Lives by this clock.
    #[must_use]
    pub fn lives_by(self, clock: &FakeClock) -> Self {
        Self { recipe: clock.shown_to(self.recipe), ..self }
    }

    /// Starts it.
    #[must_use]
    pub fn start(self) -> Agent {
        Agent { program: Program::start(self.recipe), folder: self.folder }
    }
}

/// `fogline-agent run`.
#[derive(Debug)]
pub struct Agent {
    /// The process.
    pub program: Program,
    folder: PathBuf,
}

impl Agent {
    /// Where its queue is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What `fogline-agent status --json` says, whether the agent runs or not; none while it has no queue yet.
    #[must_use]
    pub fn status(&self) -> Option<Value> {
        let (status, output) =
            Recipe::ours("fogline-agent").args(["status", "--json", "--data-dir"]).arg(&self.folder).run();
        status.success().then(|| serde_json::from_str(&output).expect("the status is JSON"))
    }

    /// The body of a decision that is in force on it.
    #[must_use]
    pub fn in_force(&self, key: &str) -> Option<Value> {
        in_force(&self.status()?, key)?.get("body").cloned()
    }

    /// The limit in km/h that is in force on it.
    #[must_use]
    pub fn limit(&self) -> Option<f64> {
        limit_in(&self.status()?)
    }

    /// How many readings are in its queue.
    #[must_use]
    pub fn queued(&self) -> Option<u64> {
        self.status()?.pointer("/queue/readings")?.as_u64()
    }

    /// Waits for the end of an agent that stops of its own accord when its work is done.
    pub fn finished(&mut self) {
        let status = self.program.ended();
        assert!(status.success(), "the agent ended with {status}");
    }

    /// Waits until a limit is in force on it.
    #[must_use]
    pub fn until_limited(&self) -> f64 {
        until("a limit is in force on the agent", || self.limit())
    }
}

/// The value of the register `limit` among the decisions in force.
fn limit_in(status: &Value) -> Option<f64> {
    in_force(status, "limit")?.pointer("/body/limit_kmh")?.as_f64()
}

fn in_force<'a>(status: &'a Value, key: &str) -> Option<&'a Value> {
    let all = status.get("in_force")?.as_array()?;
    all.iter().find(|decision| decision.get("key").and_then(Value::as_str) == Some(key))
}
