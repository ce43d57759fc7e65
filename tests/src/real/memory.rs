//! How much memory a process takes.

/// The resident memory of a process in bytes; 0 when it has ended.
#[must_use]
pub fn resident_bytes(process: u32) -> u64 {
    line(process, "VmRSS:")
}

/// The most that its resident memory ever was, in bytes; 0 when it has ended.
#[must_use]
pub fn peak_bytes(process: u32) -> u64 {
    line(process, "VmHWM:")
}

fn line(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
