//! What the system lets a process have.

use super::finding::Findings;
use rustix::process::{Resource, getrlimit};

/// Whether the process may have so many files and sockets open.
pub(super) fn open_files(findings: &mut Findings, wanted: u64) {
    // What the shell of this command has; a unit of systemd says LimitNOFILE.
    judge(findings, wanted, getrlimit(Resource::Nofile).maximum);
}

fn judge(findings: &mut Findings, wanted: u64, most: Option<u64>) {
    match most {
        Some(most) if most < wanted => findings.warn(
            "open files",
            format!("{most} at most, {wanted} may be needed"),
            "ulimit -Hn in the shell, LimitNOFILE= in the unit",
        ),
        Some(most) => findings.ok("open files", format!("{most} at most")),
        None => findings.ok("open files", "without a limit"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;

    #[test]
    fn too_few_are_told() {
        for (most, expected) in [(Some(255), Outcome::Warn), (Some(256), Outcome::Ok), (None, Outcome::Ok)] {
            let mut findings = Findings::default();
            judge(&mut findings, 256, most);
            assert_eq!(findings.of("open files").outcome, expected);
        }
    }
}
