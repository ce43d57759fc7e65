//! A site with a city, and what can be seen of it.

use crate::served::Served;
use fogline_tests::real::{Broker, Ingester, Kind, Program, Recipe, until};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use std::collections::BTreeSet;
use tempfile::TempDir;

pub(crate) struct City {
    pub(crate) folder: TempDir,
    pub(crate) broker: Broker,
    pub(crate) ingester: Ingester,
    pub(crate) api: Served,
    watch: Program,
}

impl City {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(Kind::under_test(), folder.path()).unwrap();
        let ingester = Ingester::start(&broker, &folder.path().join("ingest"));
        let watch = Recipe::ours("fogline").args(["city", "watch", "--json", "--broker", &broker.address()]);
        let watch = watch.args(broker.login("watch"));
        Self { watch: Program::start(watch), api: Served::start(), folder, broker, ingester }
    }

    fn recipe(&self, what: &str, client: &str) -> Recipe {
        let (api, broker) = (format!("http://{}", self.api.address), self.broker.address());
        Recipe::ours("fogline").args(["city", what, "--api", &api, "--broker", &broker]).args(self.broker.login(client))
    }

    /// A node in a process of its own, called `{name}-1`. Not waited for.
    pub(crate) fn joining(&self, name: &str) -> Program {
        let recipe = self.recipe("nodes", &format!("{name}-1")).args(["--count", "1", "--name", name, "--data-dir"]);
        Program::start(recipe.arg(self.folder.path()))
    }

    pub(crate) fn sensors(&self, count: u32) -> Program {
        let count = count.to_string();
        Program::start(
            self.recipe("sensors", "sensors").args(["--count", &count, "--rate", "5"]).ready_when("sensors ready"),
        )
    }

    /// What `watch` says now.
    pub(crate) fn now(&self) -> Value {
        let said = self.watch.output().text();
        let last = said.lines().rev().find_map(|line| serde_json::from_str(line).ok());
        last.unwrap_or(Value::Null)
    }

    fn nodes(&self) -> Vec<Value> {
        self.now()["nodes"].as_array().cloned().unwrap_or_default()
    }

    /// Waits until these nodes and no others are there, one of them coordinates, and all follow it; says which.
    pub(crate) fn agree(&self, names: &[&str]) -> String {
        let wanted: BTreeSet<String> = names.iter().map(|name| format!("{name}-1")).collect();
        until(&format!("{names:?} have one coordinator, not {}", self.now()), || {
            let nodes = self.nodes();
            let there: BTreeSet<String> = nodes.iter().map(|node| text(&node["id"])).collect();
            let in_charge = |node: &&Value| node["state"] == "coordinator";
            let coordinators: Vec<&Value> = nodes.iter().filter(in_charge).collect();
            let [coordinator] = coordinators.as_slice() else { return None };
            let one = text(&coordinator["id"]);
            let all_follow = nodes.iter().all(|node| text(&node["coordinator"]) == one);
            (there == wanted && all_follow).then(|| one.strip_suffix("-1").unwrap().to_owned())
        })
    }

    /// Waits until `count` sensors stream to nodes.
    pub(crate) fn sensors_stream(&self, count: u64) {
        until("sensors have nodes", || {
            let sensors: u64 = self.nodes().iter().filter_map(|node| node["sensors"].as_u64()).sum();
            (sensors >= count).then_some(())
        });
    }

    /// The stored averages: sensor, beginning of the window, time, and the agent that brought it.
    pub(crate) fn stored(&self) -> Vec<(String, i64, i64, String)> {
        let file = self.ingester.folder().join("fogline.db");
        let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
        let query = "SELECT sensor, CAST(json_extract(fields, '$.from_us') AS INTEGER), ts_us, agent FROM readings WHERE kind = 'city'";
        let mut statement = connection.prepare(query).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// Waits for so many averages of `sensor`, a node or `global`, in the store.
    pub(crate) fn stores(&self, sensor: &str, count: usize) {
        until(&format!("{count} averages of {sensor} in the store"), || {
            (self.stored().iter().filter(|row| row.0 == sensor).count() >= count).then_some(())
        });
    }

    /// No average is there twice, whoever brought it.
    pub(crate) fn nothing_is_there_twice(&self) {
        let stored = self.stored();
        let locals: Vec<_> = stored.iter().filter(|row| row.0 != "global").collect();
        let identities: BTreeSet<_> = locals.iter().map(|row| (&row.0, row.1, row.2)).collect();
        assert_eq!(identities.len(), locals.len(), "{locals:?}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Leaves in order.
pub(crate) fn leave(node: &mut Program) {
    assert!(node.terminate().success());
}
