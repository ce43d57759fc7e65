//! What a user is for.

use std::{fmt, str::FromStr};

/// What a user is for; the rules of a role say what its users may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Sends the readings of one place, and takes its decisions.
    Agent,
    /// Stores readings and sends decisions.
    Ingest,
    /// A person or a program that looks on.
    Operator,
    /// A person who may do everything.
    Admin,
    /// Somebody who gave no name, where that is allowed.
    Anonymous,
}

impl Role {
    /// The roles that a user can be given.
    pub(crate) const OF_USERS: [Self; 4] = [Self::Agent, Self::Ingest, Self::Operator, Self::Admin];

    /// The word for it in files and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Ingest => "ingest",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Anonymous => "anonymous",
        }
    }

    /// Agents and ingesters: programs of Fogline that have a topic of their own, named for them, and so connect under
    /// their own name only.
    #[must_use]
    pub fn is_machine(self) -> bool {
        matches!(self, Self::Agent | Self::Ingest)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that is no role of users.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role: give agent, ingest, operator or admin")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, UnknownRole> {
        Self::OF_USERS.into_iter().find(|role| role.name() == word).ok_or_else(|| UnknownRole(word.to_owned()))
    }
}
