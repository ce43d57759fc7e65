//! Two brokers: the agent uses the one behind which an ingester answers, and finds it soon.

use crate::through_both_brokers;
use fogline_tests::real::{Agent, AgentRecipe, Broker, Ingester, Kind, Watcher, until};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

through_both_brokers!(
    a_killed_broker_is_left_within_eight_seconds,
    a_broker_without_an_ingester_is_left_after_the_patience,
    the_first_broker_is_returned_to_when_that_is_preferred,
);

/// From the SIGKILL of a broker to the next acknowledgement, with the defaults.
const RESUMED_WITHIN: Duration = Duration::from_secs(8);
/// The shortest patience that may be set: nobody likes to wait.
const PATIENCE: Duration = Duration::from_secs(3);
/// What chance adds to it, and a slow machine.
const A_BIT: Duration = Duration::from_secs(3);

/// Two brokers of a kind, each with a folder of its own.
fn brokers(kind: Kind, folder: &Path) -> Option<(Broker, Broker)> {
    let start = |name: &str| {
        let folder = folder.join(name);
        std::fs::create_dir(&folder).unwrap();
        Broker::start(kind, &folder)
    };
    start("first").zip(start("second"))
}

fn agent(first: &Broker, second: &Broker, folder: &Path, args: &[&str]) -> Agent {
    let recipe = AgentRecipe::new(first, "lane-1", &folder.join("lane-1"));
    recipe.watches_a_road("20").args(["--broker", &second.address()]).args(args).start()
}

fn acknowledged(status: &Value) -> u64 {
    status.get("acknowledged").and_then(Value::as_u64).unwrap_or(0)
}

/// Waits until something is acknowledged over the broker at this place, counted from 1.
fn until_acknowledged_at(agent: &Agent, place: u64) -> u64 {
    let at = |status: &Value| status.pointer("/live/broker/place").and_then(Value::as_u64) == Some(place);
    let before = until("the agent is there", || agent.status().filter(&at));
    until("readings are acknowledged there", || {
        let status = agent.status().filter(&at)?;
        Some(acknowledged(&status)).filter(|count| *count > acknowledged(&before))
    })
}

fn a_killed_broker_is_left_within_eight_seconds(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut first, second)) = brokers(kind, folder.path()) else { return };
    let ingester = Ingester::start(&second, &folder.path().join("ingest"));
    // Nobody reads at the first broker, and the agent is there: a long patience keeps it, until the broker dies.
    let agent = agent(&first, &second, folder.path(), &["--failover-after", "1h"]);
    until("the agent is at the first broker", || {
        agent.status().filter(|status| status.pointer("/live/broker/place").and_then(Value::as_u64) == Some(1))
    });
    let killed = Instant::now();
    first.program.kill();
    until("readings are acknowledged", || agent.status().filter(|status| acknowledged(status) > 0));
    let resumed = killed.elapsed();
    println!("acknowledged {resumed:?} after the broker was killed");
    assert!(resumed < RESUMED_WITHIN, "{resumed:?}");
    assert!(ingester.database().stored("lane-1") > 0);
}

fn a_broker_without_an_ingester_is_left_after_the_patience(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some((first, second)) = brokers(kind, folder.path()) else { return };
    let _ingester = Ingester::start(&second, &folder.path().join("ingest"));
    let begun = Instant::now();
    let agent = agent(&first, &second, folder.path(), &["--failover-after", "3s"]);
    until_acknowledged_at(&agent, 2);
    let moved = begun.elapsed();
    println!("acknowledged {moved:?} after the start, with a patience of {PATIENCE:?}");
    assert!(moved >= PATIENCE && moved < PATIENCE + A_BIT, "{moved:?}");
    let status = agent.status().unwrap();
    let live = |pointer: &str| status.pointer(pointer).cloned();
    assert_eq!(live("/live/broker/address"), Some(Value::from(second.address())));
    assert_eq!((live("/live/moves"), live("/live/broker/of")), (Some(Value::from(1)), Some(Value::from(2))));
    assert!(agent.program.output().text().contains("moving to another broker"));
    // Who asks the broker that was left is not told that the agent is there.
    let Some(watcher) = Watcher::start(&first, "fogline/v1/north/lane-1/up/status") else { return };
    let gone = watcher.message("fogline/v1/north/lane-1/up/status", "online");
    assert_eq!((&gone["online"], &gone["connection"]), (&Value::from(false), &serde_json::json!([1, 1])));
}

fn the_first_broker_is_returned_to_when_that_is_preferred(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let Some((first, second)) = brokers(kind, folder.path()) else { return };
    let _ingester = Ingester::start(&second, &folder.path().join("ingest"));
    let patience = ["--failover-after", "3s", "--prefer-primary-after", "10s"];
    let agent = agent(&first, &second, folder.path(), &patience);
    until_acknowledged_at(&agent, 2);
    let at = |place: u64| {
        agent.status().filter(|status| status.pointer("/live/broker/place").and_then(Value::as_u64) == Some(place))
    };
    until("the agent tries the first broker again", || at(1));
    // Nobody answers there.
    until_acknowledged_at(&agent, 2);
}
