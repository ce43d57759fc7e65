//! The file of settings, every key read by itself, so that one that is wrong does not hide the next.

use super::lines::Lines;
use super::nearest::{expected, nearest, unknown};
use super::{Settings, SettingsError, flags, table};
use std::collections::BTreeMap;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

/// What a file says, where it says it, and what of it cannot be used.
#[derive(Debug)]
pub struct SettingsFile<T> {
    /// What can be read of it.
    pub settings: T,
    /// As it was given.
    path: Option<String>,
    /// The line of each key.
    lines: BTreeMap<String, usize>,
    /// Line and text.
    problems: Vec<(usize, String)>,
}

impl<T: Settings> SettingsFile<T> {
    /// Reads a file, or nothing.
    #[must_use]
    pub fn read(path: Option<&Path>) -> Self {
        let Some(path) = path else { return Self::empty(None) };
        let file = Self::empty(Some(path.display().to_string()));
        match std::fs::read_to_string(path) {
            Ok(text) => file.parsed(&text),
            Err(error) => {
                let problem = format!("{error}; give a readable file with --config, or leave it out");
                Self { problems: vec![(0, problem)], ..file }
            }
        }
    }

    fn empty(path: Option<String>) -> Self {
        Self { settings: T::default(), path, lines: BTreeMap::new(), problems: Vec::new() }
    }

    /// Ok when all of the file could be read, and `others`, what the values of all settings together are refused for, is empty.
    /// A problem begins with the key that it speaks of; `flags` are the settings that go before the file.
    ///
    /// # Errors
    /// All problems together: those of the file with their lines, in the order of these.
    pub fn check(self, flags: &T, others: Vec<String>) -> Result<(), SettingsError> {
        let above = table(flags);
        let Self { path, lines, mut problems, .. } = self;
        let mut elsewhere = Vec::new();
        for problem in others {
            match place(&problem, |key| lines.get(key).copied().filter(|_| !above.contains_key(key))) {
                Some(line) => problems.push((line, problem)),
                None => elsewhere.push(problem),
            }
        }
        problems.sort_by_key(|(line, _)| *line);
        let path = path.unwrap_or_default();
        let located = problems.into_iter().map(|(line, problem)| match line {
            0 => format!("{path}: {problem}"),
            line => format!("{path}:{line}: {problem}"),
        });
        SettingsError::check(located.chain(elsewhere).collect())
    }

    fn parsed(mut self, text: &str) -> Self {
        let lines = Lines::of(text);
        let (read, errors) = DeTable::parse_recoverable(text);
        let line = |error: &Error, otherwise: usize| error.span().map_or(otherwise, |span| lines.at(span.start));
        // What the parser makes of a line that is no TOML says nothing of the key there.
        let mut broken: Vec<usize> = Vec::new();
        for error in &errors {
            broken.push(line(error, 1));
            self.problems.push((line(error, 1), format!("not TOML: {}", error.message())));
        }
        let span = read.span();
        for (key, value) in read.into_inner() {
            let (name, at) = (key.get_ref().to_string(), lines.at(key.span().start));
            if broken.contains(&at) {
                continue;
            }
            self.lines.insert(name.clone(), at);
            index(&name, value.get_ref(), &lines, &mut self.lines);
            let one = Spanned::new(span.clone(), DeTable::from_iter([(key, value)]));
            match T::deserialize(Deserializer::from(one)) {
                Ok(setting) => self.settings = std::mem::take(&mut self.settings).or(setting),
                // Some errors of flattened structs speak of the whole file.
                Err(error) => self.problems.push((line(&error, at).max(at), refusal::<T>(&name, error.message()))),
            }
        }
        self
    }
}

/// Where the parts of a value are: `sources[1].every` of the second table `[[sources]]`.
fn index(path: &str, value: &DeValue<'_>, lines: &Lines, found: &mut BTreeMap<String, usize>) {
    match value {
        DeValue::Array(list) => {
            for (place, part) in list.iter().enumerate() {
                let path = format!("{path}[{place}]");
                found.insert(path.clone(), lines.at(part.span().start));
                index(&path, part.get_ref(), lines, found);
            }
        }
        DeValue::Table(table) => {
            for (key, part) in table {
                let path = format!("{path}.{}", key.get_ref());
                found.insert(path.clone(), lines.at(key.span().start));
                index(&path, part.get_ref(), lines, found);
            }
        }
        _ => {}
    }
}

/// Where the first key is that a problem begins with. Problems may speak of one of a list (`broker`) under the list's key, and of a part
/// that is not there (`sources[1].type`) under what it is missing in.
fn place(problem: &str, line: impl Fn(&str) -> Option<usize>) -> Option<usize> {
    let subject = problem.split(": ").next().unwrap_or_default();
    let mut path = subject;
    while let Some(end) = path.rfind(['.', '[']) {
        if let Some(line) = line(path) {
            return Some(line);
        }
        path = path.get(..end)?;
    }
    let words = subject.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'));
    words.filter(|word| !word.is_empty()).find_map(|word| line(word).or_else(|| line(&format!("{word}s"))))
}

/// What is wrong with a key, and what would be right.
fn refusal<T: Settings>(key: &str, message: &str) -> String {
    let flags = flags::<T>();
    if let Some(stranger) = unknown(message) {
        let own = flags.iter().map(|flag| flag.get_id().as_str()).chain(T::TABLES.iter().map(|(name, _)| *name));
        let known: Vec<&str> = if stranger == key { own.collect() } else { expected(message).collect() };
        return match nearest(stranger, known) {
            Some(meant) => format!("{stranger}: there is no such key; did you mean {meant}?"),
            None => format!("{stranger}: there is no such key; take it out, --print-config shows all there are"),
        };
    }
    let described = flags.iter().find(|flag| flag.get_id() == key).and_then(|flag| {
        let value = flag.get_value_names()?.first()?;
        Some(format!("; give {value}: {}", flag.get_help()?))
    });
    format!("{key}: {message}{}", described.unwrap_or_default())
}

#[cfg(test)]
mod tests;
