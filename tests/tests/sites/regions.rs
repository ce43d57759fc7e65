//! Ingesters that divide regions: one is added while readings flow, and taken away again.

use crate::alone;
use crate::limits::{LimitWatch, in_force};
use crate::progress::{RATE, acknowledged, until_more};
use fogline_tests::real::{Agent, AgentRecipe, Audit, Broker, Influxd, Ingester, IngesterRecipe, Kind, until};
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// From the moment an ingester lets a region go to the first acknowledgement by the next one: a lease, a hello, and a machine
/// that has other work.
const MOVED_WITHIN: Duration = Duration::from_secs(30);

/// How the one that has everything ends, when it is to have less.
#[derive(Clone, Copy)]
enum End {
    InOrder,
    Killed,
}

/// What is divided: all of it, and the two parts; and a region of each part.
struct Parts {
    all: [&'static str; 2],
    parts: [[&'static str; 2]; 2],
    regions: [&'static str; 2],
}

const BY_NAME: Parts = Parts {
    all: ["--region", "a7,north"],
    parts: [["--region", "a7"], ["--region", "north"]],
    regions: ["a7", "north"],
};

/// `a7` is in the first of two shares, `north` is in the second.
const BY_SHARE: Parts =
    Parts { all: ["--share", "1/1"], parts: [["--share", "1/2"], ["--share", "2/2"]], regions: ["a7", "north"] };

/// A broker, and ingesters that each have a folder.
struct World {
    broker: Broker,
    /// Where they write, and where that is read; none: each into its own file.
    influx: Option<(String, String)>,
    folder: TempDir,
}

impl World {
    fn start(influx: Option<(String, String)>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(Kind::under_test(), folder.path())?;
        Some(Self { broker, influx, folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn ingester(&self, name: &str, takes: [&str; 2]) -> IngesterRecipe {
        let recipe = IngesterRecipe::new(name, &[&self.broker], &self.path(name)).args(takes);
        match &self.influx {
            Some((write, _)) => recipe.args(["--store", "influxdb", "--influxdb-url", write]),
            None => recipe,
        }
    }

    fn agent(&self, region: &str) -> Agent {
        let name = format!("lane-{region}");
        let agent = AgentRecipe::of_region(region, &self.broker, &name, &self.path(&name)).watches_a_road(RATE).start();
        until("readings are acknowledged", || (acknowledged(&agent) > 0).then_some(()));
        agent
    }

    fn audit(&self, ingesters: [&Ingester; 2], agents: &[Agent; 2]) -> Audit {
        let audit = agents.iter().fold(Audit::of_all(ingesters), Audit::and);
        match &self.influx {
            Some((_, read)) => audit.in_influxdb(read.clone()),
            None => audit,
        }
    }
}

fn stop(ingester: &mut Ingester, how: End) {
    match how {
        End::InOrder => assert!(ingester.program.terminate().success()),
        End::Killed => ingester.program.kill(),
    }
}

fn waits(ingester: &Ingester) -> Option<()> {
    (ingester.try_metric("fogline_ingest_waits_for_rival") == Some(1)).then_some(())
}

/// The ingester of the limit in force on an agent.
fn decided_by(agent: &Agent) -> Option<String> {
    in_force(agent).map(|(term, _)| term.ingester.to_string())
}

/// Both parts move on: readings of both agents are acknowledged after the act.
fn moves_on(what: &str, agents: &[Agent; 2], act: impl FnOnce() -> Ingester) -> Ingester {
    let mut started = None;
    let both = || (acknowledged(&agents[0]), acknowledged(&agents[1]));
    let took = until_more(what, || started = Some(act()), || both().0);
    assert!(took < MOVED_WITHIN, "{what}: {took:?}");
    let before = both().1;
    until(what, || (both().1 > before).then_some(()));
    started.unwrap()
}

/// One ingester has two regions. A second one takes one of them, and is taken away again, while both regions' agents send.
fn a_second_ingester_comes_and_goes(world: &World, parts: &Parts, how: End) -> ([Ingester; 2], [Agent; 2]) {
    let mut first = world.ingester("ingest-1", parts.all).start();
    let mut agents = parts.regions.map(|region| world.agent(region));
    let limits = agents.each_ref().map(LimitWatch::start);
    until("limits are in force", || agents.iter().all(|agent| agent.limit().is_some()).then_some(()));

    // It may be started first: it waits until its part is free.
    let mut second = world.ingester("ingest-2", parts.parts[1]).start_guarded();
    until("the second one waits for the first", || waits(&second));
    until("the first one knows of it", || (first.metric("fogline_ingest_rivals") == 1).then_some(()));
    assert!(first.leads());
    let mut first = moves_on("acknowledged by two", &agents, || {
        stop(&mut first, how);
        world.ingester("ingest-1", parts.parts[0]).start()
    });
    until("both lead", || (first.leads() && second.leads()).then_some(()));
    until("no rival is left", || (first.metric("fogline_ingest_rivals") == 0).then_some(()));
    until("the second one decides", || (decided_by(&agents[1])? == "ingest-2").then_some(()));
    assert_eq!(decided_by(&agents[0]).unwrap(), "ingest-1");

    // And away again: the one that goes first.
    let first = moves_on("acknowledged by one", &agents, || {
        stop(&mut second, how);
        stop(&mut first, End::InOrder);
        world.ingester("ingest-1", parts.all).start()
    });
    until("the first one decides again", || (decided_by(&agents[1])? == "ingest-1").then_some(()));
    for watch in limits {
        watch.end();
    }
    agents.iter_mut().for_each(|agent| assert!(agent.program.terminate().success()));
    ([first, second], agents)
}

fn over_influxdb(parts: &Parts, how: End) {
    let _alone = alone();
    let Some(server) = Influxd::start() else { return };
    let translator = server.translator();
    let Some(world) = World::start(Some((translator.url(), server.api().url()))) else { return };
    let ([first, second], agents) = a_second_ingester_comes_and_goes(&world, parts, how);
    let account = world.audit([&first, &second], &agents).passes();
    assert!(account.total.stored > 0 && account.total.duplicates == 0 && account.total.dropped == 0, "{account}");
}

#[test]
fn a_region_moves_to_a_second_ingester_and_back() {
    over_influxdb(&BY_NAME, End::InOrder);
}

#[test]
fn a_share_moves_to_a_second_ingester_and_back_although_they_are_killed() {
    over_influxdb(&BY_SHARE, End::Killed);
}

#[test]
fn databases_of_their_own_hold_a_part_each() {
    let _alone = alone();
    let Some(world) = World::start(None) else { return };
    let ([first, second], agents) = a_second_ingester_comes_and_goes(&world, &BY_SHARE, End::InOrder);
    let account = world.audit([&first, &second], &agents).account();
    // What was stored by one and not acknowledged in time is sent to the other one too, and is in both.
    println!("{} of {} readings are in both databases", account.total.duplicates, account.total.stored);
    assert!(account.total.lost == 0 && account.total.unknown == 0 && account.total.dropped == 0, "{account}");
    let of = |ingester: &Ingester, agent: &str| ingester.database().stored(agent);
    assert!(of(&first, "lane-a7") > 0 && of(&first, "lane-north") > 0);
    assert!(of(&second, "lane-north") > 0, "what it took while it was there");
    assert_eq!(of(&second, "lane-a7"), 0);
    let alone = Audit::of(&second).and(&agents[1]).account();
    assert!(!alone.passed && alone.total.lost > 0, "one database alone holds a part: {alone}");
}
