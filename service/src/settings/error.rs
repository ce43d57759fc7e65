//! What is wrong with settings.

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
