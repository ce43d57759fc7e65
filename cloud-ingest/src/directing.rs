//! What operators decide, from the API to the node and back.

use fogline_protocol::directive::{Directive, DirectiveChange, DirectiveRefusal};
use fogline_protocol::node::SiteInput;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The most questions that wait for the node: people ask them one by one.
const WAITING_MAX: usize = 64;
/// For how long a question is waited for: a commit, and one that stands by keeps it. Less than a client of ours waits.
const ANSWER_WITHIN: Duration = Duration::from_millis(2500);

/// What became of a question.
type Outcome = Result<Directive, DirectiveRefusal>;

/// Asks.
#[derive(Debug, Clone)]
pub(crate) struct Directing(mpsc::Sender<(DirectiveChange, oneshot::Sender<Outcome>)>);

/// Why nobody knows what became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DirectingError {
    /// It was not taken.
    #[error("{WAITING_MAX} decisions are waiting: ask again in a moment")]
    Busy,
    /// It may have been kept.
    #[error(
        "it is not known whether it was kept: the store or the one that stands by is slow, or another ingester takes the lead; see GET /api/v1/directives, and ask again"
    )]
    Unknown,
}

impl Directing {
    /// The two ends.
    pub(crate) fn new() -> (Self, Asked) {
        let (sender, questions) = mpsc::channel(WAITING_MAX);
        (Self(sender), Asked { questions, tickets: 0, waiting: BTreeMap::new() })
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&self, change: DirectiveChange) -> Result<Outcome, DirectingError> {
        let (done, answer) = oneshot::channel();
        self.0.try_send((change, done)).map_err(|_| DirectingError::Busy)?;
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) | Err(_) => Err(DirectingError::Unknown),
        }
    }
}

/// What is asked, and who waits.
#[derive(Debug)]
pub(crate) struct Asked {
    questions: mpsc::Receiver<(DirectiveChange, oneshot::Sender<Outcome>)>,
    tickets: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Outcome>>,
}

impl Asked {
    /// The next question. Cancel-safe; for ever when nobody can ask.
    pub(crate) async fn next(&mut self) -> SiteInput {
        let Some((change, done)) = self.questions.recv().await else { return std::future::pending().await };
        self.tickets += 1;
        self.waiting.retain(|_, waits| !waits.is_closed());
        self.waiting.insert(self.tickets, done);
        SiteInput::Direct { ticket: self.tickets, change }
    }

    /// The node's answer.
    pub(crate) fn answered(&mut self, ticket: u64, outcome: Outcome) {
        if let Some(done) = self.waiting.remove(&ticket) {
            // Whoever asked may have left; it is kept all the same.
            done.send(outcome).ok();
        }
    }

    /// The node leads no more: nobody will answer.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
    }
}
