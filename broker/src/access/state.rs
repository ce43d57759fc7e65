//! The users and rules in force.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    identity::{Identity, Proof},
    rules::Rules,
    users::Users,
    users_file::{MAX_BYTES as MAX_USERS_BYTES, read_bounded},
};

/// Hundreds of bytes for each of the most rules.
const MAX_RULES_BYTES: u64 = 1024 * 1024;

/// Where users and rules are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessConfig {
    /// The file of users; without one nobody can log in.
    pub users: Option<PathBuf>,
    /// The file of rules, on top of the built-in ones.
    pub rules: Option<PathBuf>,
}

/// What is in force.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) users: Arc<Users>,
    pub(crate) rules: Arc<Rules>,
}

/// What the files say, or what is wrong with each.
pub(crate) struct Loaded {
    pub(crate) users: Result<Arc<Users>, Vec<String>>,
    pub(crate) rules: Result<Arc<Rules>, Vec<String>>,
}

impl State {
    /// The client's rights, if it may connect under this client id.
    pub(crate) fn admit(&self, proof: Proof, client_id: &str) -> Option<Identity> {
        let own = proof.user().is_some_and(|user| &*user.name == client_id);
        let machine = proof.user().is_some_and(|user| user.role.is_machine());
        // Nobody takes over the session of another user.
        let free = !machine && self.users.get(client_id).is_none();
        (own || free).then(|| Identity::new(proof, client_id, &self.rules))
    }

    /// The proof with the user as it is now; `None` if it proves nothing any more.
    pub(crate) fn renew(&self, proof: &Proof) -> Option<Proof> {
        let Some(old) = proof.user() else { return Some(proof.clone()) };
        let user = self.users.get(&old.name).filter(|user| !user.disabled && user.role == old.role)?;
        match proof {
            Proof::Secret(_) if user.secret == old.secret => Some(Proof::Secret(Arc::clone(user))),
            Proof::Certificate(_) => Some(Proof::Certificate(Arc::clone(user))),
            Proof::Secret(_) | Proof::Open => None,
        }
    }

    /// A user that was removed may keep its rules, so this is no error.
    pub(crate) fn warn_of_rules_for_nobody(&self) {
        for name in self.rules.named_users().filter(|name| self.users.get(name).is_none()) {
            tracing::warn!(user = name, "the rules name a user that is not among the users");
        }
    }
}

impl Loaded {
    pub(crate) fn read(config: &AccessConfig) -> Self {
        let users = config.users.as_deref().map_or_else(
            || Ok(Users::default()),
            |path| {
                warn_if_public(path);
                read(path, MAX_USERS_BYTES, "create it with `fogline-broker user add`", Users::parse)
            },
        );
        let rules = config.rules.as_deref().map_or_else(
            || Rules::over_builtin(None),
            |path| read(path, MAX_RULES_BYTES, "name a file of rules", |text| Rules::over_builtin(Some(text))),
        );
        Self { users: users.map(Arc::new), rules: rules.map(Arc::new) }
    }

    /// All problems of both files.
    pub(crate) fn problems(&self) -> Vec<String> {
        let users = self.users.as_ref().err().into_iter().flatten();
        users.chain(self.rules.as_ref().err().into_iter().flatten()).cloned().collect()
    }
}

fn read<T>(
    path: &Path,
    max_bytes: u64,
    remedy: &str,
    parse: impl FnOnce(&str) -> Result<T, Vec<String>>,
) -> Result<T, Vec<String>> {
    let place = path.display();
    let text = read_bounded(path, max_bytes).map_err(|error| vec![format!("{place}: {error}; {remedy}")])?;
    parse(&text).map_err(|problems| problems.into_iter().map(|problem| format!("{place}: {problem}")).collect())
}

#[cfg(unix)]
fn warn_if_public(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0) {
        let place = path.display();
        tracing::warn!(%place, "everybody on this machine can read or write the users: chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_public(_: &Path) {}

/// What tells that a file is not the one that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamps(Vec<Option<(SystemTime, u64, u64)>>);

impl Stamps {
    pub(crate) fn of(config: &AccessConfig) -> Self {
        let files = [&config.users, &config.rules].into_iter().flatten();
        Self(files.map(|path| fs::metadata(path).ok().and_then(|metadata| stamp(&metadata))).collect())
    }
}

/// The number of the file is another one when it was replaced within the clock's step.
fn stamp(metadata: &fs::Metadata) -> Option<(SystemTime, u64, u64)> {
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(metadata);
    #[cfg(not(unix))]
    let number = 0;
    Some((metadata.modified().ok()?, metadata.len(), number))
}
