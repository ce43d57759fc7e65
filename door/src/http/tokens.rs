//! The tokens in force.

use super::token::file::{TokenFileError, load};
use super::token::{Caller, Entry, whose};
use crate::stamp::Stamp;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// How often the file is looked at.
const WATCH_PERIOD: Duration = Duration::from_secs(2);

/// What the file of tokens held when it could last be used.
pub(super) struct Tokens {
    path: PathBuf,
    in_force: RwLock<Arc<[Entry]>>,
    /// The file as it was before it was read.
    first: Stamp,
}

impl Tokens {
    pub(super) fn load(path: PathBuf) -> Result<Self, TokenFileError> {
        let first = Stamp::of(&path);
        let entries = load(&path)?;
        if entries.is_empty() {
            tracing::warn!(tokens = %path.display(), "there are no tokens in the file: nobody is let in");
        }
        Ok(Self { path, in_force: RwLock::new(entries.into()), first })
    }

    /// Whose token it is.
    pub(super) fn whose(&self, token: &str) -> Option<Caller> {
        let entries = Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner));
        whose(&entries, token)
    }

    /// Reads the file when it has changed. One that cannot be used changes nothing, and is named in the log once.
    /// Never ends.
    pub(super) async fn watch(&self) {
        let mut read = self.first;
        loop {
            tokio::time::sleep(WATCH_PERIOD).await;
            let now = Stamp::of(&self.path);
            if now == read {
                continue;
            }
            read = now;
            match load(&self.path) {
                Ok(entries) => {
                    tracing::info!(tokens = %self.path.display(), count = entries.len(), "tokens read again");
                    *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = entries.into();
                }
                Err(error) => tracing::error!(%error, "the old tokens stay in force"),
            }
        }
    }
}
