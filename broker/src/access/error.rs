//! What is wrong with the files of users and rules.

use std::fmt;

/// More would hide the first ones, and a file that is something else altogether is wrong in every line.
const MAX_SHOWN: usize = 20;

/// Everything that is wrong with the users and the rules, each with file, line and remedy. Never shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessError(Vec<String>);

impl AccessError {
    pub(crate) fn new(problems: Vec<String>) -> Self {
        Self(problems)
    }

    /// `Ok` if there is nothing to report.
    pub(crate) fn check(problems: Vec<String>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self(problems)) }
    }

    /// One sentence for each problem, in the order they were found; never empty.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [only] = self.0.as_slice() {
            return f.write_str(only);
        }
        write!(f, "{} problems with users and rules:", self.0.len())?;
        self.0.iter().take(MAX_SHOWN).try_for_each(|problem| write!(f, "\n  - {problem}"))?;
        match self.0.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  - and {more} more"),
        }
    }
}

impl std::error::Error for AccessError {}
