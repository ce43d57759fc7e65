//! The clock: set, kept right, and the same as the ingester's.

use super::finding::Findings;
use crate::analyst::api::Api;
use fogline_protocol::clock::SET_FROM;
use fogline_protocol::time::Wall;
use fogline_runtime::clock::wall;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// An HTTP server says its time to the second, so less than two are no difference.
const NO_DIFFERENCE_S: u64 = 2;
/// From here on averages and latencies of the agent are wrong, and its readings may count as from the future.
const DIFFERENCE_MAX_S: u64 = 5;

const SYNCHRONISE: &str = "synchronise it: timedatectl set-ntp true, or install chrony";

/// Looks at the clock.
pub(super) fn check(findings: &mut Findings, api: Option<&Api>) {
    set(findings, wall());
    synchronised(findings, synchronised_by());
    kept(findings, Path::new("/sys/class/rtc/rtc0").exists(), keeps_time_without_rtc());
    match api {
        Some(api) => compared(findings, SystemTime::now(), api.time()),
        None => findings.skip("clock, ingester's", "not compared: give --api with the ingester's address"),
    }
}

fn set(findings: &mut Findings, now: Wall) {
    let shown = crate::figures::instant(u64::try_from(now.us()).unwrap_or(0));
    if now < SET_FROM {
        let finding = format!("not set: it shows {shown}");
        findings.fail("clock", finding, "set it; readings wait up to --clock-hold for it, and then have no true time");
    } else {
        findings.ok("clock", format!("{shown} UTC"));
    }
}

/// Who keeps the clock right; none when nobody says that he does.
fn synchronised_by() -> Option<&'static str> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some("systemd-timesyncd");
    }
    // It asks the kernel (adjtimex), whoever serves it.
    let mut command = Command::new("timedatectl");
    command.args(["show", "--property=NTPSynchronized", "--value"]).stdin(Stdio::null()).stderr(Stdio::null());
    let yes = command.output().is_ok_and(|output| output.stdout.starts_with(b"yes"));
    if yes {
        return Some("the kernel says so");
    }
    let mut command = Command::new("chronyc");
    command.args(["-n", "tracking"]).stdin(Stdio::null()).stderr(Stdio::null());
    let normal = |text: &[u8]| String::from_utf8_lossy(text).lines().any(|line| line.ends_with(": Normal"));
    command.output().is_ok_and(|output| normal(&output.stdout)).then_some("chrony")
}

fn synchronised(findings: &mut Findings, by: Option<&str>) {
    match by {
        Some(by) => findings.ok("clock, synchronised", by),
        None => findings.warn("clock, synchronised", "nobody says that it is", SYNCHRONISE),
    }
}

/// Programs that keep the last time over a restart where no battery does.
fn keeps_time_without_rtc() -> bool {
    ["/var/lib/systemd/timesync/clock", "/etc/fake-hwclock.data", "/var/lib/chrony/drift"]
        .iter()
        .any(|path| Path::new(path).exists())
}

fn kept(findings: &mut Findings, has_rtc: bool, kept_otherwise: bool) {
    match (has_rtc, kept_otherwise) {
        (true, _) => findings.ok("clock, at boot", "a hardware clock"),
        (false, true) => findings.ok("clock, at boot", "no hardware clock; the last time is kept in a file"),
        (false, false) => findings.warn(
            "clock, at boot",
            "no hardware clock: a start without a network begins in the past",
            "leave --clock-hold at its 10m or longer, so that readings wait for the clock, or fit a hardware clock",
        ),
    }
}

fn compared(
    findings: &mut Findings,
    before: SystemTime,
    theirs: Result<Option<SystemTime>, crate::analyst::api::AnalystError>,
) {
    let check = "clock, ingester's";
    match theirs {
        Ok(Some(theirs)) => difference(findings, seconds(before), seconds(theirs)),
        Ok(None) => findings.skip(check, "the server does not say its time"),
        Err(error) => findings.fail(check, error.to_string(), "start the ingester, or correct --api"),
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn difference(findings: &mut Findings, ours: u64, theirs: u64) {
    let (by, word) = (ours.abs_diff(theirs), if ours > theirs { "ahead" } else { "behind" });
    let (check, finding) = ("clock, ingester's", format!("{by} s {word}"));
    if by <= NO_DIFFERENCE_S {
        findings.ok(check, format!("differs by less than {} s", NO_DIFFERENCE_S + 1));
    } else if by <= DIFFERENCE_MAX_S {
        findings.warn(check, finding, SYNCHRONISE);
    } else {
        findings.fail(check, finding, format!("{SYNCHRONISE}; and look at the ingester's clock"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;

    fn outcome(check: &str, look: impl FnOnce(&mut Findings)) -> Outcome {
        let mut findings = Findings::default();
        look(&mut findings);
        findings.of(check).outcome
    }

    #[test]
    fn a_clock_of_1970_fails_and_one_of_today_does_not() {
        assert_eq!(outcome("clock", |findings| set(findings, Wall::from_us(7_000_000))), Outcome::Fail);
        assert_eq!(outcome("clock", |findings| set(findings, wall())), Outcome::Ok);
    }

    #[test]
    fn what_keeps_the_clock_right_is_looked_for() {
        assert_eq!(outcome("clock, synchronised", |findings| synchronised(findings, None)), Outcome::Warn);
        assert_eq!(outcome("clock, synchronised", |findings| synchronised(findings, Some("x"))), Outcome::Ok);
        for (rtc, file, expected) in
            [(true, false, Outcome::Ok), (false, true, Outcome::Ok), (false, false, Outcome::Warn)]
        {
            assert_eq!(outcome("clock, at boot", |findings| kept(findings, rtc, file)), expected);
        }
    }

    #[test]
    fn a_difference_is_measured_in_both_directions() {
        for (ours, theirs, expected) in [
            (100, 101, Outcome::Ok),
            (104, 100, Outcome::Warn),
            (100, 104, Outcome::Warn),
            (100, 200, Outcome::Fail),
            (200, 100, Outcome::Fail),
        ] {
            let found = outcome("clock, ingester's", |findings| difference(findings, ours, theirs));
            assert_eq!(found, expected, "{ours} {theirs}");
        }
    }
}
