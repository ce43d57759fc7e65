//! Settings files: TOML, every key read by itself, so that one that is wrong does not hide the next.

mod security;

pub use security::SecuritySettings;

use serde::de::DeserializeOwned;
use std::path::Path;

/// What can be read of a file; what cannot is added to `problems`, each with its remedy. `or` gives the first settings
/// where they are set, and the second elsewhere.
pub fn read_file<T: DeserializeOwned + Default>(path: &Path, or: impl Fn(T, T) -> T, problems: &mut Vec<String>) -> T {
    let place = path.display();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, or, |problem| problems.push(format!("{place}: {problem}"))),
        Err(error) => {
            problems.push(format!("{place}: {error}; give a readable file with --config, or leave it out"));
            T::default()
        }
    }
}

fn parse<T: DeserializeOwned + Default>(text: &str, or: impl Fn(T, T) -> T, mut report: impl FnMut(String)) -> T {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            report(format!("not TOML: {}", error.to_string().trim_end()));
            return T::default();
        }
    };
    table.into_iter().fold(T::default(), |known, (key, value)| {
        match toml::Table::from_iter([(key.clone(), value)]).try_into::<T>() {
            Ok(setting) => or(known, setting),
            Err(error) => {
                report(format!("{key}: {}", error.message()));
                known
            }
        }
    })
}

/// Everything that is wrong with a set of settings, each with its remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct SettingsError(Vec<String>);

impl SettingsError {
    /// Ok when there is nothing to report.
    ///
    /// # Errors
    /// All problems together.
    pub fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// One sentence for each problem, in the order in which they were found; never empty.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        port: Option<u16>,
        name: Option<String>,
    }

    fn or(a: Settings, b: Settings) -> Settings {
        Settings { port: a.port.or(b.port), name: a.name.or(b.name) }
    }

    #[test]
    fn every_bad_key_is_reported_and_the_good_ones_are_kept() {
        let mut problems = Vec::new();
        let read = parse("port = -1\nnmae = 'x'\nname = 'y'\n", or, |problem| problems.push(problem));
        assert_eq!(read, Settings { port: None, name: Some("y".into()) });
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems.iter().any(|problem| problem.contains("unknown field `nmae`")));
    }

    #[test]
    fn a_file_that_is_not_there_says_what_to_do() {
        let mut problems = Vec::new();
        read_file(Path::new("/no/such/file.toml"), or, &mut problems);
        assert!(problems[0].contains("--config"), "{problems:?}");
    }
}
