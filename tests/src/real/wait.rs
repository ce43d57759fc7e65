//! Waiting for a condition.

use std::time::{Duration, Instant};

/// Longer than anything here takes on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Between two questions: short against what is waited for, long against what a question costs.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks until there is an answer, and gives it. `what` is what is waited for, in words for whoever reads the failure.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        std::thread::sleep(PAUSE);
    }
}
