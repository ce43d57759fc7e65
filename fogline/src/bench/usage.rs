//! What a process has used, as the system counts it.

use serde::Serialize;
use std::time::Duration;

/// Linux counts CPU time in these for programs, whatever its own clock does.
const TICKS_PER_SECOND: u64 = 100;

/// What a process has used since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// CPU time, its own and the system's for it.
    pub(crate) cpu: Duration,
    /// The most memory that it ever held, in bytes.
    pub(crate) peak_bytes: u64,
    /// Bytes that it made the system write to disks.
    pub(crate) written_bytes: u64,
}

impl Usage {
    /// That of a running process; what the system does not tell is zero.
    pub(crate) fn of(pid: u32) -> Self {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        Self::parse(&read("stat"), &read("status"), &read("io"))
    }

    fn parse(stat: &str, status: &str, io: &str) -> Self {
        // The name in brackets may hold anything, so what counts begins behind the last bracket.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let ticks: u64 = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Self {
            cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND),
            peak_bytes: number(status, "VmHWM:") * 1024,
            written_bytes: number(io, "write_bytes:"),
        }
    }

    /// What was used since `before`. The peak is that of the whole life.
    fn since(self, before: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(before.cpu),
            peak_bytes: self.peak_bytes,
            written_bytes: self.written_bytes.saturating_sub(before.written_bytes),
        }
    }
}

fn number(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What the processes of one kind have used while it was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct KindUsage {
    /// `broker`, `ingester` or `agent`.
    pub(crate) kind: &'static str,
    /// How many processes.
    pub(crate) processes: usize,
    /// CPU time of all of them, in milliseconds.
    pub(crate) cpu_ms: u64,
    /// The same as a part of one core, in thousandths.
    pub(crate) cpu_per_mille: u64,
    /// The most memory that one of them ever held.
    pub(crate) peak_bytes: u64,
    /// Bytes that all of them made the system write to disks.
    pub(crate) written_bytes: u64,
}

impl KindUsage {
    /// Adds up what processes used between two moments, given in the same order.
    pub(crate) fn between(kind: &'static str, before: &[Usage], after: &[Usage], elapsed: Duration) -> Self {
        let used: Vec<Usage> = after.iter().zip(before).map(|(after, before)| after.since(*before)).collect();
        let cpu: Duration = used.iter().map(|usage| usage.cpu).sum();
        let per_mille = cpu.as_micros() * 1000 / elapsed.as_micros().max(1);
        Self {
            kind,
            processes: used.len(),
            cpu_ms: u64::try_from(cpu.as_millis()).unwrap_or(u64::MAX),
            cpu_per_mille: u64::try_from(per_mille).unwrap_or(u64::MAX),
            peak_bytes: used.iter().map(|usage| usage.peak_bytes).max().unwrap_or(0),
            written_bytes: used.iter().map(|usage| usage.written_bytes).sum(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "42 (a) b) S 1 42 42 0 -1 4194560 1500 0 3 0 250 150 0 0 20 0 4 0 12345 1000000 2000";

    #[test]
    fn a_process_is_read() {
        let status = "Name:\ta\nVmHWM:\t   15360 kB\nVmRSS:\t 100 kB\n";
        let usage = Usage::parse(STAT, status, "rchar: 1\nwrite_bytes: 8192\ncancelled_write_bytes: 0\n");
        assert_eq!(usage, Usage { cpu: Duration::from_secs(4), peak_bytes: 15 << 20, written_bytes: 8192 });
        assert_eq!(Usage::parse("", "", ""), Usage::default());
    }

    #[test]
    fn this_process_has_used_something() {
        assert!(Usage::of(std::process::id()).peak_bytes > 0);
    }

    #[test]
    fn processes_of_a_kind_are_added_up() {
        let usage =
            |seconds, peak_bytes, written_bytes| Usage { cpu: Duration::from_secs(seconds), peak_bytes, written_bytes };
        let (before, after) = ([usage(1, 10, 100), usage(0, 30, 0)], [usage(2, 10, 150), usage(1, 40, 7)]);
        let sum = KindUsage::between("agent", &before, &after, Duration::from_secs(4));
        assert_eq!((sum.processes, sum.cpu_ms, sum.cpu_per_mille), (2, 2000, 500));
        assert_eq!((sum.peak_bytes, sum.written_bytes), (40, 57));
    }
}
