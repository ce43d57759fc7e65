//! The sensor of an agent: writes numbered readings into its standard input, at an even rate.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What a feed writes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Load {
    /// Readings a second.
    pub(crate) rate: f64,
    /// Whether the sensor stamps its readings, in milliseconds that never repeat; otherwise the agent's clock does.
    pub(crate) stamped: bool,
}

/// A thread that writes until its agent is gone or it is stopped.
#[derive(Debug)]
pub(crate) struct Feed {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Writes the readings from number `first` on.
    ///
    /// # Errors
    /// The system's, when it gives no thread.
    pub(crate) fn start(stdin: ChildStdin, first: u64, load: Load) -> std::io::Result<Self> {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&written));
        let work = move || run(stdin, first, load, &stopped, &counted);
        let thread = std::thread::Builder::new().name("feed".to_owned()).spawn(work)?;
        Ok(Self { stop, written, thread: Some(thread) })
    }

    /// Lets it end with the line that it is at. It ends at once when the agent reads, or is gone.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Waits for its end and gives how many readings it has written, whole: those that the pipe took. Only when it was stopped
    /// or its agent is gone.
    pub(crate) fn written(mut self) -> u64 {
        if let Some(thread) = self.thread.take() {
            // A feed has nothing that could panic.
            thread.join().ok();
        }
        self.written.load(Ordering::Acquire)
    }
}

fn run(mut stdin: ChildStdin, first: u64, load: Load, stop: &AtomicBool, written: &AtomicU64) {
    let (begin, mut line, mut stamp) = (Instant::now(), Vec::new(), 0);
    for number in first.. {
        let due = begin + Duration::from_secs_f64((number - first) as f64 / load.rate);
        while !stop.load(Ordering::Acquire) && Instant::now() < due {
            std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        }
        stamp = now_ms().max(stamp + 1);
        write_line(&mut line, number, load.stamped.then_some(stamp));
        // A pipe takes a line of this length whole or not at all.
        if stop.load(Ordering::Acquire) || stdin.write_all(&line).is_err() {
            return;
        }
        written.fetch_add(1, Ordering::AcqRel);
    }
}

fn write_line(line: &mut Vec<u8>, number: u64, stamp_ms: Option<u64>) {
    line.clear();
    let speed = speed_kmh(number);
    // Writing into a Vec cannot fail.
    match stamp_ms {
        Some(ms) => writeln!(line, r#"{{"ts_us":{ms}000,"fields":{{"speed_kmh":{speed:.1},"n":{number}}}}}"#).ok(),
        None => writeln!(line, r#"{{"fields":{{"speed_kmh":{speed:.1},"n":{number}}}}}"#).ok(),
    };
}

/// Speeds that go up and down within some minutes, so that limits change.
fn speed_kmh(number: u64) -> f64 {
    95.0 + 25.0 * (number as f64 / 400.0).sin()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    #[test]
    fn readings_are_numbered_and_counted() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let load = Load { rate: 1000.0, stamped: true };
        let feed = Feed::start(child.stdin.take().unwrap(), 7, load).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut numbers = Vec::new();
        for line in lines.by_ref().take(20) {
            let value: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            numbers.push(value["fields"]["n"].as_u64().unwrap());
        }
        feed.stop();
        let written = feed.written();
        let rest = u64::try_from(lines.count()).unwrap();
        assert_eq!(numbers, (7..27).collect::<Vec<_>>());
        assert_eq!(written, 20 + rest);
        assert!(child.wait().unwrap().success());
    }

    #[test]
    fn a_feed_ends_with_its_agent() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let feed = Feed::start(child.stdin.take().unwrap(), 0, Load { rate: 500.0, stamped: false }).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        feed.written();
    }
}
