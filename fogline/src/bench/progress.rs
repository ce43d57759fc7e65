//! What is shown while it is measured: on standard error, and on a terminal only.

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};
use std::time::Duration;

/// How often a spinner turns.
const TURN_EVERY: Duration = Duration::from_millis(120);

/// A bar that fills up to `length`, gone when it is dropped.
pub(crate) fn bar(what: &'static str, length: u64) -> ProgressBar {
    styled(what, length, "{msg:28} {wide_bar} {human_pos}/{human_len} {per_sec:>14}")
}

/// A bar of seconds, gone when it is dropped.
pub(crate) fn clock(what: &'static str, duration: Duration) -> ProgressBar {
    styled(what, duration.as_secs(), "{msg:28} {wide_bar} {pos}/{len} s")
}

/// Something whose length is not known, gone when it is dropped.
pub(crate) fn spinner(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what).with_finish(ProgressFinish::AndClear);
    bar.enable_steady_tick(TURN_EVERY);
    bar
}

fn styled(what: &'static str, length: u64, template: &str) -> ProgressBar {
    // The templates are constants; were one wrong, the plain bar would do.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length).with_message(what).with_style(style).with_finish(ProgressFinish::AndClear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_right() {
        for template in
            ["{msg:28} {wide_bar} {human_pos}/{human_len} {per_sec:>14}", "{msg:28} {wide_bar} {pos}/{len} s"]
        {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
