//! Commands that speak, hang, fail and leave children behind.

use super::*;
use crate::settings::keys::{Keys, Problems};
use crate::source::{Source, Step};
use crate::tuning::Tunings;
use fogline_protocol::time::{Monotonic, Now, Wall};
use rustix::process::{Pid, test_kill_process};
use std::path::Path;
use std::time::Instant as Std;

fn config(text: &str) -> ExecConfig {
    let problems = Problems::default();
    let mut keys = Keys::new("sources[0]", text.parse().unwrap(), &problems);
    let config = super::read(&mut keys, &mut ShapeConfig::default());
    keys.finish();
    assert_eq!(problems.into_inner(), Vec::<String>::new());
    config
}

fn start(text: &str) -> FeedSource {
    open("exec", config(text), Tunings::new().reader("exec")).unwrap()
}

/// Values until there are so many, however long a busy machine takes.
fn values(source: &mut FeedSource, count: usize) -> Vec<f64> {
    let deadline = Std::now() + Duration::from_secs(60);
    let mut values = Vec::new();
    while values.len() < count {
        assert!(Std::now() < deadline, "only {values:?}");
        if let Step::Offer(offer) = source.step(Now { mono: Monotonic::ZERO, wall: Wall::MIN }).unwrap() {
            values.extend(offer.readings.iter().filter_map(|reading| reading.number("value")));
        }
    }
    values
}

#[test]
fn a_command_is_asked_at_intervals() {
    let folder = tempfile::tempdir().unwrap();
    let command =
        format!("echo x >> {0}/runs; wc -l < {0}/runs; echo >&2 bad; echo no number", folder.path().display());
    let mut source = start(&format!("command = '{command}'\nevery = '100ms'"));
    assert_eq!(values(&mut source, 3), [1.0, 2.0, 3.0]);
    assert!(source.skipped() >= 2);
}

#[test]
fn a_command_that_goes_on_running_is_started_again_when_it_dies() {
    let mut source =
        start("command = ['sh', '-c', 'echo 1; echo \"{\\\"value\\\": 2}\"; printf 3; exit 7']\nfollow = true");
    assert_eq!(values(&mut source, 6), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
}

/// The process of this number lives, and is no zombie.
fn lives(pid: i32) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok()) && !state.contains(") Z ")
}

fn pid_in(path: &Path) -> i32 {
    let deadline = Std::now() + Duration::from_secs(60);
    loop {
        match std::fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text.trim().parse().unwrap(),
            _ => assert!(Std::now() < deadline, "{} is not written", path.display()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn dies(pid: i32) {
    let deadline = Std::now() + Duration::from_secs(60);
    while lives(pid) {
        assert!(Std::now() < deadline, "{pid} was not killed");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children_and_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child");
    let command =
        format!("[ -e {0} ] && echo 5 && exit; sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait", path.display());
    let mut source = start(&format!("command = '{command}'\nevery = '100ms'\ntimeout = '2s'"));
    assert_eq!(values(&mut source, 1), [5.0]);
    dies(pid_in(&path));
}

#[test]
fn a_source_that_stops_takes_its_command_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child");
    let command = format!("sleep 1000 & echo $! > {}; echo 1; wait", path.display());
    let mut source = start(&format!("command = '{command}'\nfollow = true"));
    assert_eq!(values(&mut source, 1), [1.0]);
    let child = pid_in(&path);
    assert!(lives(child));
    drop(source);
    dies(child);
}

#[test]
fn a_flood_comes_in_bounded_offers_and_nothing_is_lost() {
    let mut source = start("command = 'seq 1 20000; sleep 1000'\nfollow = true");
    let found = values(&mut source, 20_000);
    assert!(found.iter().zip(1..).all(|(value, number)| *value == f64::from(number)));
}
