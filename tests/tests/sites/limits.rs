//! The limit in force on an agent, watched all the time.

use fogline_agent::status;
use fogline_protocol::ids::Term;
use fogline_tests::real::Agent;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A limit is in force for seconds.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Term and number of a limit.
type Place = (Term, u64);

/// Looks at an agent's limit until it is asked what it saw.
pub(crate) struct LimitWatch {
    over: Arc<AtomicBool>,
    looking: JoinHandle<Vec<Place>>,
}

impl LimitWatch {
    pub(crate) fn start(agent: &Agent) -> Self {
        let (over, folder) = (Arc::new(AtomicBool::new(false)), agent.folder().to_owned());
        let ends = Arc::clone(&over);
        let looking = std::thread::spawn(move || {
            let mut seen: Vec<Place> = Vec::new();
            while !ends.load(Ordering::Relaxed) {
                let now = status::ask(&folder).ok().and_then(|report| place(&report));
                seen.extend(now.filter(|now| seen.last() != Some(now)));
                std::thread::sleep(LOOK_EVERY);
            }
            seen
        });
        Self { over, looking }
    }

    /// All that were in force, which never went back.
    pub(crate) fn end(self) -> Vec<Place> {
        self.over.store(true, Ordering::Relaxed);
        let seen = self.looking.join().unwrap();
        println!("limits in force: {seen:?}");
        assert!(seen.is_sorted(), "a limit went back: {seen:?}");
        seen
    }
}

/// That of the limit in force now.
pub(crate) fn in_force(agent: &Agent) -> Option<Place> {
    place(&status::ask(agent.folder()).ok()?)
}

fn place(report: &status::StatusReport) -> Option<Place> {
    let limit = report.in_force.iter().find(|decision| decision.key == "limit")?;
    Some((limit.term.clone(), limit.seq))
}
