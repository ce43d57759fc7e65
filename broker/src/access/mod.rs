//! Who may do what at the broker.
//!
//! A client is somebody from the file of users: a name, a [`Role`], its regions, and what it proves itself with. Agents and
//! ingesters have random tokens, of which the file keeps the SHA-256; people have passwords (Argon2id); a verified client
//! certificate with the user's name is enough by itself. [`Access::login`] makes an [`Identity`] of what a client says, and
//! that answers at once whether it may publish, subscribe or receive.
//!
//! # Rules
//!
//! What a user may do is said by rules, one on each line, in the spirit of Mosquitto's `acl_file`:
//!
//! ```text
//! # Everybody with the role agent, in addition to the built-in rules.
//! role agent
//! allow write fogline/v1/%r/%u/up/#
//! deny  readwrite fogline/v1/north/peers/#
//!
//! # All that operators may do: the built-in rules for them are left out.
//! replace role operator
//! allow read fogline/v1/%r/+/up/#
//!
//! # One user, in addition to its role.
//! user anna
//! allow readwrite training/%c/#
//! ```
//!
//! - **Sections**: `role agent|ingest|operator|admin`, `anonymous`, `user NAME`; `replace` in front of one of a role.
//! - **Rules**: `allow|deny read|write|readwrite FILTER`. The filter is the rest of the line, and may have spaces.
//! - **Default deny**: what no rule allows is denied. **Deny wins**: over every allow, in whatever order.
//! - **`%u`** is the user's name, **`%c`** its client id, **`%r`** each of its regions (a rule with it is one rule for each; for
//!   the region `*` it is `+`, and so it stands alone between two `/`); `%%` is a percent sign.
//! - What is put in is never a wildcard or a level: with a client id that is empty, begins with `$` or has `/`, `+` or `#` in it
//!   an allowing rule with `%c` does not apply. A denying one takes it as it is, as it would otherwise allow more.
//! - Wildcards are those of MQTT 3.1.1, section 4.7: `#` matches the level above it too, and one in front matches no topic that
//!   begins with `$`.
//! - A **subscription** must be covered by what may be read, as a whole; of one that overlaps what is denied, the denied
//!   topics are not delivered, and one that is denied as a whole is refused. `$share/GROUP/FILTER` is judged as `FILTER`.
//!
//! The built-in rules are in `builtin.rules`, in the same language.
//!
//! # Changes
//!
//! The files may be changed at any time ([`Access::watch`], [`Access::reload`]). What is wrong in one of them keeps what that
//! file said before, and does not keep the other from being taken over: a user is removed also while the rules have errors.

mod buckets;
mod error;
pub(crate) mod export;
mod filter;
mod identity;
mod login;
mod name;
mod passwords;
mod refusals;
mod role;
pub(crate) mod rules;
pub(crate) mod secret;
mod state;
mod template;
mod throttle;
pub(crate) mod users;
pub(crate) mod users_file;
mod watch;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use tokio::sync::watch::{Receiver, Sender};

pub use error::AccessError;
pub use identity::Identity;
pub use login::{LoginRefused, LoginRequest};
pub use role::{Role, UnknownRole};
pub use state::AccessConfig;

use login::Logins;
use state::{Loaded, Stamps, State};

/// Whether a client that does not say who it is may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anonymous {
    /// It may not.
    Refused,
    /// It may do what the rules for `anonymous` say; if there is no file of users, everybody is anonymous, whatever name they
    /// give. Meant for loopback.
    Allowed,
}

/// Users and rules, and who is logging in. Cheap to clone: all clones are the same.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    config: AccessConfig,
    anonymous: Anonymous,
    state: RwLock<Arc<State>>,
    /// The files when they were last read; locked while they are, so that an older version never comes after a newer one.
    loaded: Mutex<Stamps>,
    generation: Sender<u64>,
    logins: Logins,
}

impl Access {
    /// Reads users and rules.
    ///
    /// # Errors
    /// All that is wrong in both files.
    pub fn open(config: AccessConfig, anonymous: Anonymous) -> Result<Self, AccessError> {
        let stamps = Stamps::of(&config);
        let loaded = Loaded::read(&config);
        let problems = loaded.problems();
        let (Ok(users), Ok(rules)) = (loaded.users, loaded.rules) else { return Err(AccessError::new(problems)) };
        let state = State { users, rules };
        state.warn_of_rules_for_nobody();
        Ok(Self(Arc::new(Inner {
            config,
            anonymous,
            state: RwLock::new(Arc::new(state)),
            loaded: Mutex::new(stamps),
            generation: Sender::new(0),
            logins: Logins::new(),
        })))
    }

    /// Reads the files again. Blocks for some milliseconds when there are thousands of users.
    ///
    /// # Errors
    /// All that is wrong in both files; what a file with errors said before stays in force, and the other one is taken over.
    pub fn reload(&self) -> Result<(), AccessError> {
        let mut stamps = self.0.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        *stamps = Stamps::of(&self.0.config);
        let loaded = Loaded::read(&self.0.config);
        let problems = loaded.problems();
        if loaded.users.is_ok() || loaded.rules.is_ok() {
            let old = self.state();
            let users = loaded.users.unwrap_or_else(|_| Arc::clone(&old.users));
            let rules = loaded.rules.unwrap_or_else(|_| Arc::clone(&old.rules));
            let state = State { users, rules };
            state.warn_of_rules_for_nobody();
            *self.0.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
            self.0.generation.send_modify(|generation| *generation += 1);
        }
        AccessError::check(problems)
    }

    /// A number that changes with the users or the rules: each connection then [refreshes](Self::refresh) its identity. To miss
    /// nothing, subscribe before the login.
    #[must_use]
    pub fn changes(&self) -> Receiver<u64> {
        self.0.generation.subscribe()
    }

    /// What the client may do now. `None` if its connection has to end: its user was removed or disabled, has another role or
    /// (if it came with one) another secret, or its client id has become another user's name.
    #[must_use]
    pub fn refresh(&self, identity: &Identity) -> Option<Identity> {
        let state = self.state();
        state.admit(state.renew(identity.proof())?, identity.client_id())
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.0.state.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut access = f.debug_struct("Access");
        access.field("config", &self.0.config).field("anonymous", &self.0.anonymous).finish_non_exhaustive()
    }
}
