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
    /// What waits for the client may have been put there under other rules.
    changed_since: bool,
}

impl Rights {
    /// `changes` must have been taken before the login.
    pub(super) fn new(identity: Identity, changes: watch::Receiver<u64>) -> Self {
        let user: Option<Arc<str>> = identity.user().map(Arc::from);
        let owner = user.clone().unwrap_or_else(|| identity.client_id().into());
        Self { identity, user, owner, changes, changed_since: false }
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

    /// Ends the subscriptions that the client may not have any more. What waits because of them is not delivered either.
    pub(super) fn restrict(&mut self, session: &mut Session) {
        self.changed_since = true;
        let ended: Vec<Box<str>> =
            session.filters().filter(|filter| !self.identity.may_subscribe(filter)).map(Box::from).collect();
        for filter in ended {
            session.unsubscribe(&filter);
        }
    }

    /// Whether a message that waits for the client may be delivered. One that came by a subscription granted under the rules in force needs
    /// less of a look.
    pub(super) fn may_receive(&self, topic: &str) -> bool {
        if self.changed_since { self.identity.may_receive(topic) } else { !self.identity.is_hidden(topic) }
    }
}
