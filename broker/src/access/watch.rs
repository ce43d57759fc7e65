//! Taking over what was changed in the files.

use std::{sync::PoisonError, time::Duration};

use tokio::{task::spawn_blocking, time::sleep};

use super::{Access, state::Stamps};

/// A user that was removed is out within this time; looking costs some microseconds.
const POLL_EVERY: Duration = Duration::from_secs(2);
/// An editor that writes in place is done by then: half a file may well be a valid one with fewer users.
const SETTLES_WITHIN: Duration = Duration::from_millis(200);

impl Access {
    /// Looks at the files every two seconds, [reloads](Self::reload) them when they were changed, and logs what came of it.
    /// Never ends; dropping it is harmless.
    pub async fn watch(&self) {
        loop {
            sleep(POLL_EVERY).await;
            self.0.logins.refusals.flush();
            let Some(seen) = self.changed_stamps().await else { continue };
            sleep(SETTLES_WITHIN).await;
            if self.changed_stamps().await.as_ref() == Some(&seen) {
                self.reload_and_log().await;
            }
        }
    }

    async fn changed_stamps(&self) -> Option<Stamps> {
        let access = self.clone();
        let look = move || {
            let stamps = Stamps::of(&access.0.config);
            (*access.0.loaded.lock().unwrap_or_else(PoisonError::into_inner) != stamps).then_some(stamps)
        };
        spawn_blocking(look).await.ok().flatten()
    }

    async fn reload_and_log(&self) {
        let access = self.clone();
        match spawn_blocking(move || access.reload()).await {
            Ok(Ok(())) => tracing::info!(users = self.state().users.len(), "users and rules reloaded"),
            Ok(Err(error)) => {
                tracing::error!(%error, "a file with errors was not taken over: what it said before stays")
            }
            Err(error) => tracing::error!(%error, "users and rules could not be reloaded"),
        }
    }
}
