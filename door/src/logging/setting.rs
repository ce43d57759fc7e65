//! The setting `log` of a program: what is logged, which may change while the program runs.

use super::LogArgs;
use std::sync::OnceLock;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::{EnvFilter, Registry};

/// Set once logging is, unless flags or `RUST_LOG` say what is logged: they go before the settings.
pub(super) static REPLACE: OnceLock<Handle<EnvFilter, Registry>> = OnceLock::new();

/// What the setting `log` stands for: a level, under which the libraries are quieter, or a filter. What is wrong is added to
/// `problems`.
pub fn check(setting: Option<&str>, problems: &mut Vec<String>) {
    if let Err(error) = filter(setting) {
        problems.push(format!(
            "log: {error}; give error, warn, info, debug, trace, or a filter such as info,rumqttc=debug"
        ));
    }
}

/// Logs from now on what the setting `log` says, unless flags or `RUST_LOG` say it.
pub fn apply(setting: Option<&str>) {
    let Some(handle) = REPLACE.get() else { return };
    let Ok(filter) = filter(setting) else { return };
    if let Err(error) = handle.reload(filter) {
        tracing::warn!(%error, "what is logged stays as it was");
    }
}

fn filter(setting: Option<&str>) -> Result<EnvFilter, ParseError> {
    let (quiet, verbose) = match setting {
        None | Some("info") => (0, 0),
        Some("debug") => (0, 1),
        Some("trace") => (0, 2),
        Some("warn") => (1, 0),
        Some("error") => (2, 0),
        Some(filter) => return EnvFilter::try_new(filter),
    };
    EnvFilter::try_new(LogArgs { verbose, quiet, log_format: None }.directives())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_a_level_or_a_filter() {
        let problems = |setting| {
            let mut problems = Vec::new();
            check(setting, &mut problems);
            problems
        };
        for good in [None, Some("warn"), Some("debug"), Some("info,rumqttc=debug")] {
            assert_eq!(problems(good), Vec::<String>::new());
        }
        assert!(problems(Some("a=b=c"))[0].starts_with("log: "));
    }
}
