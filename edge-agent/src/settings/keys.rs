//! Reading a TOML table key by key, so that everything that is wrong with it is told at once, each by its path:
//! `sources[2].registers[0].type`.

use serde::de::DeserializeOwned;
use std::cell::RefCell;
use toml::{Table, Value};

/// Where problems are gathered, by all tables of a file.
pub(crate) type Problems = RefCell<Vec<String>>;

/// A table that is being read. Keys that were not asked for when it is [finished](Keys::finish) are problems.
pub(crate) struct Keys<'p> {
    path: String,
    table: Table,
    /// What was asked for, for the message about keys that nobody knows.
    known: Vec<String>,
    problems: &'p Problems,
}

impl<'p> Keys<'p> {
    pub(crate) fn new(path: impl Into<String>, table: Table, problems: &'p Problems) -> Self {
        Self { path: path.into(), table, known: Vec::new(), problems }
    }

    /// The value of a key, if it is given and can be read.
    pub(crate) fn get<T: DeserializeOwned>(&mut self, key: &str) -> Option<T> {
        let value = self.take(key)?;
        match T::deserialize(value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error.message());
                None
            }
        }
    }

    /// The same where it must be given: `remedy` says what for.
    pub(crate) fn require<T: DeserializeOwned>(&mut self, key: &str, remedy: &str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key.to_owned());
            self.problem(key, &format!("missing, {remedy}"));
            return None;
        }
        self.get(key)
    }

    /// A finite number, whole or not.
    pub(crate) fn number(&mut self, key: &str) -> Option<f64> {
        #[derive(serde::Deserialize)]
        #[serde(untagged, expecting = "a number")]
        enum Number {
            Float(f64),
            Whole(i64),
        }
        let number = match self.get::<Number>(key)? {
            Number::Float(number) => number,
            #[expect(clippy::cast_precision_loss, reason = "numbers of people are below 2^53")]
            Number::Whole(number) => number as f64,
        };
        if !number.is_finite() {
            self.problem(key, "give a finite number");
            return None;
        }
        Some(number)
    }

    /// A number that must be within a range.
    pub(crate) fn within<T>(&mut self, key: &str, range: std::ops::RangeInclusive<T>) -> Option<T>
    where
        T: DeserializeOwned + PartialOrd + std::fmt::Display,
    {
        let value = self.get::<T>(key)?;
        if !range.contains(&value) {
            self.problem(key, &format!("{value}, give {} to {}", range.start(), range.end()));
            return None;
        }
        Some(value)
    }

    /// The tables of an array below a key.
    pub(crate) fn tables(&mut self, key: &str) -> Vec<Keys<'p>> {
        let tables = self.get::<Vec<Table>>(key).unwrap_or_default();
        let path = |index| format!("{}.{key}[{index}]", self.path);
        tables.into_iter().enumerate().map(|(index, table)| Keys::new(path(index), table, self.problems)).collect()
    }

    /// The named tables below a key, as in `[sources.fields.temperature_c]`.
    pub(crate) fn named_tables(&mut self, key: &str) -> Vec<(String, Keys<'p>)> {
        let tables = self.get::<std::collections::BTreeMap<String, Table>>(key).unwrap_or_default();
        let path = |name: &str| format!("{}.{key}.{name}", self.path);
        tables.into_iter().map(|(name, table)| (name.clone(), Keys::new(path(&name), table, self.problems))).collect()
    }

    /// Takes a value as it is.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.known.push(key.to_owned());
        self.table.remove(key)
    }

    /// Something is wrong with a key. The text says what to do.
    pub(crate) fn problem(&self, key: &str, text: &str) {
        self.problems.borrow_mut().push(format!("{}.{key}: {}", self.path, text.trim_end()));
    }

    /// How many problems there are by now, of all tables.
    pub(crate) fn problems(&self) -> usize {
        self.problems.borrow().len()
    }

    /// Ends the reading: what is left nobody knows.
    pub(crate) fn finish(mut self) {
        self.known.sort();
        self.known.dedup();
        let known = self.known.join(", ");
        for key in self.table.keys() {
            self.problem(key, &format!("unknown key, known are {known}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_told_by_its_path() {
        let problems = Problems::default();
        let table: Table =
            "a = 'x'\nc = 400\nz = 1\n[[rows]]\nt = 1\n[[rows]]\nt = 'y'\n[named.k]\nq = 1".parse().unwrap();
        let mut keys = Keys::new("sources[2]", table, &problems);
        assert_eq!(keys.get::<u8>("a"), None);
        assert_eq!(keys.require::<u8>("b", "give a number"), None);
        assert_eq!(keys.within("c", 1_u16..=300), None);
        for mut row in keys.tables("rows") {
            row.number("t");
            row.finish();
        }
        for (_, named) in keys.named_tables("named") {
            named.finish();
        }
        keys.finish();
        let found = problems.into_inner();
        let paths: Vec<&str> = found.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        let expected = [
            "sources[2].a",
            "sources[2].b",
            "sources[2].c",
            "sources[2].rows[1].t",
            "sources[2].named.k.q",
            "sources[2].z",
        ];
        assert_eq!(paths, expected, "{found:?}");
    }
}
