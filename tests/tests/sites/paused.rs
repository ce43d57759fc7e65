//! A leader that is paused for longer than its lease, and goes on as if it still led.

use crate::alone;
use crate::limits::{LimitWatch, in_force};
use crate::progress::{running_agent, until_more};
use fogline_tests::real::{Kind, Program, Shared, Sites, until};
use std::time::{Duration, Instant};

/// More than two leases.
const PAUSE: Duration = Duration::from_secs(8);

/// Pauses it where it holds no lock that others need: in the midst of a commit to a shared file it would keep them all from
/// writing until it goes on or is killed (docs/sites.md).
fn pause_between_commits(leader: &Program) {
    until("the leader is paused between two commits", || {
        leader.pause();
        until("all of it stands still", || stands_still(leader.id()).then_some(()));
        if writes(leader.id()) {
            leader.resume();
            return None;
        }
        Some(())
    });
}

/// A signal is there at once; threads come to it one by one.
fn stands_still(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().all(|thread| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        status.contains("State:\tT")
    })
}

/// Whether it has SQLite's lock of the one that writes: byte 120 of `fogline.db-shm`.
fn writes(pid: u32) -> bool {
    let pid = pid.to_string();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words[..], [_, "POSIX", _, "WRITE", owner, _, "120", ..] if owner == pid)
    })
}

#[test]
fn a_leader_that_was_paused_stands_down_and_changes_nothing() {
    let _alone = alone();
    let Some(sites) = Sites::start(Kind::under_test(), Shared::File) else { return };
    let mut agent = running_agent(&sites);
    let limits = LimitWatch::start(&agent);
    let (old, _) = until("a limit is in force", || in_force(&agent));
    assert_eq!(old.ingester.as_str(), "ingest-1");

    let paused = Instant::now();
    pause_between_commits(&sites.ingesters[0].program);
    sites.until_leads(1);
    let database = sites.ingesters[1].database();
    until_more("stored by the other", || {}, || database.stored("lane-1"));
    until("the pause is over", || (paused.elapsed() >= PAUSE).then_some(()));
    sites.ingesters[0].program.resume();

    sites.until_stands_by(0);
    let said = sites.ingesters[0].program.output();
    assert!(said.line_where("it leads no more", |line| line.contains("leads no more")).is_some());
    let newer = until("a limit of the new term is in force", || in_force(&agent).filter(|(term, _)| *term > old));
    assert_eq!(newer.0.ingester.as_str(), "ingest-2");
    until_more("stored after that", || {}, || database.stored("lane-1"));
    assert!(sites.ingesters[1].leads() && !sites.ingesters[0].leads());
    assert_eq!(sites.ingesters[1].metric("fogline_ingest_leads_total"), 1);

    let seen = limits.end();
    assert!(seen.len() > 1, "{seen:?}");
    assert!(agent.program.terminate().success());
    assert!(sites.audit(&[&agent]).passes().total.stored > 0);
}
