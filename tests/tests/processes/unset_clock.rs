//! A device without a battery for its clock starts in 1970. What its agent reads waits until somebody sets the clock, and is
//! stored with the times at which it was taken.

use fogline_tests::real::{Agent, FakeClock, Kind, Site, until};
use serde_json::Value;

const SECOND_US: i64 = 1_000_000;
/// What the clock shows when the agent starts: five minutes after the start of 1970.
const STARTS_AT_US: i64 = 300 * SECOND_US;
/// Readings a second, and how many one run of the agent takes: ten seconds.
const RATE: &str = "20";
const COUNT: i64 = 200;
/// How many have to wait before something happens: two seconds, so that a run of the agent is longer than the tolerance.
const HELD: i64 = 40;
/// How far a time may be off: an agent on a busy machine is interrupted between its looks at its two clocks.
const TOLERANCE_US: i64 = SECOND_US;

#[test]
fn readings_wait_until_the_clock_is_set() {
    let Some(mut scene) = Scene::start() else { return };
    let waited = scene.until_held(HELD);
    scene.clock.set(0);
    scene.agent.finished();
    scene.all_are_right(COUNT, &waited);
}

#[test]
fn readings_wait_although_the_agent_is_killed() {
    let Some(mut scene) = Scene::start() else { return };
    scene.until_held(HELD);
    scene.agent.program.kill();
    let killed_us = FakeClock::right_us();
    let left = queued(&scene.agent);
    scene.agent.program.restart();
    let waited = scene.until_held(left + HELD);
    scene.clock.set(0);
    scene.agent.finished();

    scene.all_are_right(left + COUNT, &waited);
    let until_killed = scene.stored_until(killed_us + TOLERANCE_US);
    assert!(until_killed >= left, "{until_killed} are stored as taken before the kill, {left} were");
    let before = scene.stored_until(killed_us - TOLERANCE_US);
    assert!(before <= left, "{before} are stored as taken before the kill, {left} were");
}

/// An agent in 1970, a broker and an ingester.
struct Scene {
    // First, so that it is gone before its folder is.
    agent: Agent,
    site: Site,
    clock: FakeClock,
    began_us: i64,
}

/// Readings that wait for the clock.
struct Waited {
    readings: i64,
    /// When they had been taken.
    until_us: i64,
}

impl Scene {
    /// None where libfaketime is not installed and need not be.
    fn start() -> Option<Self> {
        let site = Site::start(Kind::Embedded)?;
        let clock = FakeClock::new(site.path("clock"))?;
        let began_us = FakeClock::right_us();
        let behind = (began_us - STARTS_AT_US) / SECOND_US;
        clock.set(-behind);
        let limits = ["--count".to_owned(), COUNT.to_string(), "--until".to_owned(), "acknowledged".to_owned()];
        let agent = site.agent("lane-1").watches_a_road(RATE).args(limits).lives_by(&clock).start();
        Some(Self { agent, site, clock, began_us })
    }

    /// Waits until so many readings are held back from an ingester that could take them.
    fn until_held(&self, wanted: i64) -> Waited {
        let (status, readings) = until("readings wait for the clock of an agent that the ingester answers", || {
            let status = self.agent.status()?;
            let heard = status.pointer("/live/connected")? == true && status.pointer("/live/ingester")? == "ok";
            let held = status.pointer("/live/clock/held")?.as_i64().filter(|held| heard && *held >= wanted)?;
            Some((status, held))
        });
        let until_us = FakeClock::right_us();
        assert_eq!(status.pointer("/live/clock/set"), Some(&Value::Bool(false)), "{status}");
        assert_eq!(status.pointer("/live/in_flight"), Some(&Value::from(0)), "{status}");
        assert_eq!(self.site.ingester.database().stored("lane-1"), 0, "{status}");
        // Nobody knows yet how old they are.
        assert_eq!(status.pointer("/queue/oldest_us"), Some(&Value::Null), "{status}");
        Waited { readings, until_us }
    }

    /// All readings are stored once, within the time of the test, and those that waited were restamped.
    fn all_are_right(&self, readings: i64, waited: &Waited) {
        let ended_us = FakeClock::right_us();
        let stored = self.site.ingester.database().account("lane-1");
        assert_eq!((stored.readings, stored.distinct), (readings, readings));
        let [first, last] = [stored.first_us, stored.last_us].map(|time| time.expect("readings are stored"));
        assert!(first >= self.began_us - TOLERANCE_US && last <= ended_us + TOLERANCE_US, "{stored:?}");
        let until_set = self.stored_until(waited.until_us + TOLERANCE_US);
        assert!(until_set >= waited.readings, "{until_set} are stored as taken while {} were held", waited.readings);

        let restamped = self.site.ingester.metric("fogline_ingest_readings_restamped_total");
        let restamped = i64::try_from(restamped).unwrap();
        assert!((waited.readings..=readings).contains(&restamped), "{restamped} were restamped");
        assert_eq!(self.site.ingester.metric("fogline_ingest_readings_unset_total"), 0);
        let audited = self.site.audit(&[&self.agent]).passes();
        assert_eq!(i64::try_from(audited.total.stored).unwrap(), readings, "{audited}");
    }

    /// How many are stored as taken until then.
    fn stored_until(&self, until_us: i64) -> i64 {
        self.site.ingester.database().taken_until("lane-1", until_us)
    }
}

/// What is in the queue of an agent.
fn queued(agent: &Agent) -> i64 {
    agent.queued().and_then(|queued| i64::try_from(queued).ok()).expect("the agent has a queue")
}
