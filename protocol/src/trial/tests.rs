use super::*;
use crate::ids::{Name, Term};
use proptest::prelude::*;
use serde_json::json;

const LASTS: Duration = Duration::from_secs(120);

fn at(s: u64) -> Now {
    Now { mono: Monotonic::from_us(s * 1_000_000), wall: Wall::from_us(i64::try_from(s).unwrap() * 1_000_000) }
}

fn sampling(ms: u64) -> Sensing {
    Sensing { sampling_ms: Some(ms), window_ms: None }
}

fn decision(seq: u64, directive: u64, ms: u64) -> Decision {
    let term = Term { counter: 1, ingester: Name::new("ingest-1").unwrap() };
    let body = json!({ "sampling_ms": ms, "directive": directive, "by": "operator" });
    Decision { key: KEY.to_owned(), term, seq, decided_us: 7, ttl_ms: 1000, body }
}

/// An agent: what its disk holds, what it works with, what it said.
struct Agent {
    trial: Trial,
    disk: Vec<SavedDecision>,
    works_with: Sensing,
    asked: bool,
    said: Vec<(u64, Outcome)>,
    disk_fails: bool,
}

impl Agent {
    fn new() -> Self {
        Self::start(Vec::new())
    }

    fn start(disk: Vec<SavedDecision>) -> Self {
        let works_with = Sensing { sampling_ms: Some(1), window_ms: Some(1) };
        let trial = Trial::new(&disk, LASTS);
        Self { trial, disk, works_with, asked: false, said: Vec::new(), disk_fails: false }
    }

    fn settle(&mut self, now: u64) {
        while let Some(step) = self.trial.poll_step() {
            match step {
                Step::Save(_) if self.disk_fails => self.trial.save_failed(at(now).mono),
                Step::Save(saved) => {
                    self.disk = vec![saved];
                    self.trial.saved(at(now));
                }
                Step::Apply(sensing) => self.works_with = sensing,
                Step::Ask => self.asked = true,
                Step::Answer(decision, outcome, _) => self.said.push((decision.seq, outcome)),
            }
        }
    }

    fn receive(&mut self, decision: Decision, now: u64) {
        self.trial.receive(decision, at(now).wall);
        self.settle(now);
    }

    fn hears(&mut self, now: u64) {
        if std::mem::take(&mut self.asked) {
            self.trial.heard();
        }
        self.settle(now);
    }

    /// What it works with, if it has said that this was applied.
    fn take_applied(&mut self) -> Option<Sensing> {
        let applied = self.said.last().is_some_and(|(_, outcome)| *outcome == Outcome::Applied);
        self.said.clear();
        applied.then_some(self.works_with)
    }

    fn passes(&mut self, now: u64) {
        self.trial.handle_timeout(at(now).mono);
        self.settle(now);
    }

    /// The process dies, with what is on its disk, and starts again.
    fn killed(self, now: u64) -> Self {
        let mut next = Self::start(self.disk);
        next.settle(now);
        next
    }
}

#[test]
fn what_an_ingester_answered_to_is_kept() {
    let mut agent = Agent::new();
    agent.settle(0);
    assert_eq!(agent.works_with, Sensing::default());
    agent.receive(decision(1, 1, 500), 0);
    assert_eq!((agent.works_with, agent.said.len(), agent.asked), (sampling(500), 0, true), "it is tried first");
    agent.receive(decision(1, 1, 500), 1);
    assert_eq!(agent.said, [], "and not answered meanwhile");
    agent.hears(2);
    assert_eq!(agent.said, [(1, Outcome::Applied)]);
    agent.passes(1000);
    let mut agent = agent.killed(1001);
    assert_eq!((agent.works_with, agent.trial.poll_timeout()), (sampling(500), None));
    agent.receive(decision(1, 1, 500), 1002);
    assert_eq!(agent.said, [(1, Outcome::Applied)], "also to one that asks again");
}

#[test]
fn what_nobody_answers_to_is_rolled_back_to_the_last_good_one() {
    let mut agent = Agent::new();
    agent.receive(decision(1, 1, 500), 0);
    agent.hears(1);
    agent.receive(decision(2, 2, 700), 10);
    assert_eq!(agent.works_with, sampling(700));
    agent.passes(129);
    assert_eq!(agent.works_with, sampling(700));
    agent.passes(130);
    assert_eq!((agent.works_with, agent.said.last()), (sampling(500), Some(&(2, Outcome::RolledBack))));
    agent.trial.heard();
    agent.passes(140);
    let report = agent.trial.report();
    assert_eq!(
        (report.set, report.in_force, report.rolled_back),
        (Some((sampling(700), Phase::RolledBack)), sampling(500), 1)
    );
    let mut agent = agent.killed(200);
    assert_eq!(agent.works_with, sampling(500));
    agent.receive(decision(2, 2, 700), 201);
    agent.receive(decision(3, 2, 700), 202);
    assert_eq!(agent.said, [(2, Outcome::RolledBack), (3, Outcome::RolledBack)], "a directive is tried once");
    agent.receive(decision(4, 3, 700), 203);
    assert_eq!(agent.works_with, sampling(700), "and another one again");
}

#[test]
fn starts_are_counted_before_it_is_applied_again() {
    let mut agent = Agent::new();
    agent.receive(decision(1, 1, 500), 0);
    for start in 1..=STARTS_MAX {
        agent = Agent::start(agent.disk);
        let first = agent.trial.poll_step();
        assert_eq!(first, Some(Step::Apply(Sensing::default())), "start {start}");
        agent.settle(1);
        assert_eq!(agent.works_with, sampling(500), "start {start}");
    }
    let agent = agent.killed(2);
    assert_eq!((agent.works_with, agent.said), (Sensing::default(), vec![(1, Outcome::RolledBack)]));
}

#[test]
fn a_start_that_could_not_be_counted_applies_nothing() {
    let mut agent = Agent::new();
    agent.receive(decision(1, 1, 500), 0);
    let mut agent = Agent::start(agent.disk);
    agent.disk_fails = true;
    agent.settle(1);
    assert_eq!(agent.works_with, Sensing::default());
    agent.disk_fails = false;
    assert_eq!(agent.trial.poll_timeout(), Some(at(2).mono));
    agent.passes(2);
    assert_eq!(agent.works_with, sampling(500));
}

#[test]
fn what_it_was_started_with_needs_no_trial() {
    let mut agent = Agent::new();
    agent.receive(decision(1, 1, 500), 0);
    agent.hears(1);
    let cleared = Decision { body: json!({}), ..decision(2, 0, 1) };
    agent.receive(cleared, 2);
    assert_eq!((agent.works_with, agent.said.last()), (Sensing::default(), Some(&(2, Outcome::Applied))));
}

#[test]
fn what_cannot_be_is_refused_and_what_is_older_too() {
    let mut agent = Agent::new();
    agent.receive(decision(5, 1, 1), 0);
    assert_eq!((agent.works_with, agent.said.last()), (Sensing::default(), Some(&(5, Outcome::Refused))));
    agent.receive(decision(6, 2, 500), 1);
    agent.hears(2);
    agent.receive(decision(5, 3, 700), 3);
    assert_eq!((agent.works_with, agent.said.last()), (sampling(500), Some(&(5, Outcome::Superseded))));
}

#[test]
fn a_newer_one_takes_the_place_of_one_that_is_tried() {
    let mut agent = Agent::new();
    agent.receive(decision(1, 1, 500), 0);
    agent.receive(decision(2, 2, 700), 60);
    assert_eq!(agent.works_with, sampling(700));
    agent.passes(130);
    assert_eq!(agent.works_with, sampling(700), "it has a time of its own");
    agent.passes(180);
    assert_eq!(agent.works_with, Sensing::default(), "what was only tried is not gone back to");
}

proptest! {
    /// Whatever happens: without an answer that came after it was applied, nothing but the last good one is in force after
    /// as many starts and as much time as a trial may last; and what was answered as applied is in force.
    #[test]
    fn no_configuration_stays_unheard(steps in prop::collection::vec((0_u8..5, 1_u64..60), 1..60)) {
        let (mut agent, mut now, mut seq, mut good) = (Agent::new(), 0, 0, Sensing::default());
        let mut tried_since = None;
        for (step, wait) in steps {
            now += wait;
            match step {
                0 if agent.disk_fails => {}
                0 => {
                    agent.passes(now);
                    good = agent.take_applied().unwrap_or(good);
                    seq += 1;
                    agent.receive(decision(seq, seq, 100 + seq), now);
                    tried_since = Some(now);
                }
                1 if agent.asked => {
                    agent.hears(now);
                    tried_since = None;
                }
                2 => {
                    agent = agent.killed(now);
                    tried_since = tried_since.map(|_| now);
                }
                3 => agent.disk_fails = !agent.disk_fails,
                _ => agent.passes(now),
            }
            if let Some(applied) = agent.take_applied() {
                good = applied;
                tried_since = None;
            }
            if tried_since.is_some_and(|since| now >= since + LASTS.as_secs()) {
                agent.passes(now);
                prop_assert_eq!(agent.works_with, good);
            }
        }
    }
}
