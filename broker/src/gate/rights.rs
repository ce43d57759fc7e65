//! What the client of a connection may do, and what happens when that changes.

use std::sync::Arc;

use tokio::sync::watch;

use super::Gate;
use crate::{access::Identity, session::Session};

/// Who the client is, under the rules that are in force.
#[derive(Debug)]
pub(super) struct Rights {
    pub(super) identity: Identity,
    /// `None` for somebody who gave no name.
    pub(super) user: Option<Arc<str>>,
    /// To whom retained messages are counted: the user, or who has no name by its client id.
    pub(super) owner: Arc<str>,
    changes: watch::Receiver<u64>,
}

impl Rights {
    /// `changes` must have been taken before the login.
    pub(super) fn new(identity: Identity, changes: watch::Receiver<u64>) -> Self {
        let user: Option<Arc<str>> = identity.user().map(Arc::from);
        let owner = user.clone().unwrap_or_else(|| identity.client_id().into());
        Self { identity, user, owner, changes }
    }

    /// Completes when users or rules have changed. Cancel safe.
    pub(super) async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The broker ends.
            std::future::pending::<()>().await;
        }
    }

    /// Takes over what the client may do now. False if it has to go.
    pub(super) fn refresh(&mut self, gate: &Gate) -> bool {
        match gate.access.refresh(&self.identity) {
            Some(identity) => {
                self.identity = identity;
                true
            }
            None => false,
        }
    }

    /// Ends the subscriptions that the client may not have any more.
    pub(super) fn restrict(&self, session: &mut Session) {
        let ended: Vec<Box<str>> =
            session.filters().filter(|filter| !self.identity.may_subscribe(filter)).map(Box::from).collect();
        for filter in ended {
            session.unsubscribe(&filter);
        }
    }
}
