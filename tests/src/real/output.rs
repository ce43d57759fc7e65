//! What a program says.

use super::wait::PATIENCE;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// The lines of a program, standard output and standard error together, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Output {
    heard: Arc<(Mutex<Heard>, Condvar)>,
}

#[derive(Debug, Default)]
struct Heard {
    lines: Vec<String>,
    /// Streams that are being read.
    open: usize,
}

impl Output {
    /// Reads a stream to its end, on a thread of its own.
    pub(super) fn read(&self, stream: impl Read + Send + 'static) {
        let (heard, changed) = &*self.heard;
        heard.lock().unwrap().open += 1;
        changed.notify_all();
        let output = self.clone();
        std::thread::spawn(move || {
            let (heard, changed) = &*output.heard;
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                heard.lock().unwrap().lines.push(String::from_utf8_lossy(&line).into_owned());
                changed.notify_all();
            }
            heard.lock().unwrap().open -= 1;
            changed.notify_all();
        });
    }

    /// The first line that is `wanted`, as soon as it comes. None when the program ends without it. `what` says what is
    /// waited for to whoever reads the failure.
    pub fn line_where(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let (heard, changed) = &*self.heard;
        let deadline = Instant::now() + PATIENCE;
        let mut heard = heard.lock().unwrap();
        let mut seen = 0;
        loop {
            if let Some(line) = heard.lines.iter().skip(seen).find(|line| wanted(line)) {
                return Some(line.clone());
            }
            seen = heard.lines.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if heard.open == 0 {
                return None;
            }
            if left.is_zero() {
                let said = heard.lines.join("\n");
                drop(heard);
                panic!("no line came: {what}, in\n{said}");
            }
            heard = changed.wait_timeout(heard, left).unwrap().0;
        }
    }

    /// Everything up to now.
    #[must_use]
    pub fn text(&self) -> String {
        self.heard.0.lock().unwrap().lines.join("\n")
    }

    /// Everything, when the program has ended.
    #[must_use]
    pub fn whole(&self) -> String {
        let (heard, changed) = &*self.heard;
        let (heard, waited) =
            changed.wait_timeout_while(heard.lock().unwrap(), PATIENCE, |heard| heard.open > 0).unwrap();
        assert!(!waited.timed_out(), "somebody still holds the program's output open");
        heard.lines.join("\n")
    }
}
