//! Why a run could not be played to its end. What a run *found* is in its [account](crate::Account).

use std::path::{Path, PathBuf};

/// Why the lab could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Correct the option.
    #[error("{0}")]
    Options(String),
    /// Install the server, or choose another.
    #[error("{name} is not installed: install it, or leave out the option that asks for it")]
    NotInstalled {
        /// The server's program.
        name: &'static str,
    },
    /// Look at the program and its log.
    #[error("{program}: {cause}; its log is {}", log.display())]
    Program {
        /// Which.
        program: String,
        /// What went wrong.
        cause: String,
        /// What it said.
        log: PathBuf,
    },
    /// A file or folder of the run.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system or SQLite said.
        cause: String,
    },
    /// The machine gave no port, namespace, thread or the like.
    #[error("{what}: {cause}")]
    Machine {
        /// What was asked for.
        what: String,
        /// What the system said.
        cause: String,
    },
    /// The store does not say what it holds.
    #[error("the store does not say what it holds: {0}")]
    Store(String),
    /// Ctrl-C or SIGTERM.
    #[error("interrupted: everything that was started is ended")]
    Interrupted,
}

impl LabError {
    /// The error of a file.
    pub(crate) fn file(path: &Path, cause: &dyn std::fmt::Display) -> Self {
        Self::File { path: path.to_owned(), cause: cause.to_string() }
    }

    /// The error of something that the machine should give.
    pub(crate) fn machine(what: impl Into<String>, cause: &dyn std::fmt::Display) -> Self {
        Self::Machine { what: what.into(), cause: cause.to_string() }
    }
}
