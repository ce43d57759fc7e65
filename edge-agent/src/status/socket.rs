//! The socket of a running agent: a line of JSON in, a line of JSON out, for the agent's own user only.

use super::report::StatusReport;
use anyhow::{Context, bail};
use fogline_protocol::ids::Seq;
use serde::{Deserialize, Serialize};
use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long an order may take: to drop ten million readings takes some seconds.
const ORDER_PATIENCE: Duration = Duration::from_secs(60);
/// The longest question, in bytes: readings that `queue replay` hands over, of at most 8 KiB each.
const QUESTION_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// The longest answer, in bytes: all times of an hour to a thousandth, and all gaps that a queue keeps.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most who ask at the same time.
const ASKERS_MAX: usize = 8;

/// Somebody who wants to know something, or wants something done.
#[derive(Debug)]
pub(crate) enum Question {
    /// The status, with so many of the newest readings.
    Status { tuples: usize, asker: oneshot::Sender<StatusReport> },
    /// What the agent alone may do to its queue.
    Order(Order, oneshot::Sender<OrderReport>),
}

/// What an agent is asked to do to its queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "lowercase")]
pub(crate) enum Order {
    /// Append readings as new ones.
    Append {
        /// Each as it would travel.
        readings: Vec<serde_json::Value>,
    },
    /// Drop readings for good.
    Purge {
        /// The last of them.
        through: Seq,
    },
}

/// What became of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OrderReport {
    /// How many readings it was done to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) done: Option<u64>,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// There was no room; there may be later.
    #[serde(default)]
    pub(crate) busy: bool,
}

/// A question, as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    request: String,
    /// How many of the newest readings are wanted.
    #[serde(default)]
    tuples: usize,
}

/// An answer to what is no question.
#[derive(Debug, Serialize, Deserialize)]
struct Refusal {
    error: String,
}

/// Answers on the socket at `path` until the task is aborted, by handing questions on. A socket that is there is one that
/// was left over: the queue's lock says that no other agent has this directory.
pub(crate) fn serve(path: &Path, questions: mpsc::Sender<Question>) -> std::io::Result<JoinHandle<()>> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(tokio::spawn(accept(listener, questions)))
}

async fn accept(listener: UnixListener, questions: mpsc::Sender<Question>) {
    let askers = Arc::new(Semaphore::new(ASKERS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&askers).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let questions = questions.clone();
                tokio::spawn(async move {
                    let answered = tokio::time::timeout(ORDER_PATIENCE, answer(stream, questions)).await;
                    drop(permit);
                    if !matches!(answered, Ok(Ok(()))) {
                        tracing::debug!(?answered, "a question about the status was not answered");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the status socket takes no questions for a while");
                tokio::time::sleep(PATIENCE).await;
            }
        }
    }
}

async fn answer(mut stream: UnixStream, questions: mpsc::Sender<Question>) -> anyhow::Result<()> {
    let (near, mut far) = stream.split();
    let mut line = Vec::new();
    let mut near = tokio::io::BufReader::new(near.take(QUESTION_BYTES_MAX));
    tokio::time::timeout(PATIENCE, near.read_until(b'\n', &mut line)).await??;
    let order = serde_json::from_slice::<Order>(&line);
    let mut text = match (serde_json::from_slice::<Written>(&line), order) {
        (Ok(written), _) if written.request == "status" => {
            let (asker, report) = oneshot::channel();
            questions.send(Question::Status { tuples: written.tuples, asker }).await?;
            serde_json::to_vec(&report.await?)?
        }
        (_, Ok(order)) => {
            let (asker, report) = oneshot::channel();
            questions.send(Question::Order(order, asker)).await?;
            serde_json::to_vec(&report.await?)?
        }
        (_, Err(_)) => serde_json::to_vec(&Refusal { error: "ask {\"request\":\"status\"}".to_owned() })?,
    };
    text.push(b'\n');
    far.write_all(&text).await?;
    Ok(far.shutdown().await?)
}

/// Has the agent behind the socket do something. Blocks, at most a minute.
pub(crate) fn give_order(path: &Path, order: &Order) -> anyhow::Result<OrderReport> {
    let mut question = serde_json::to_vec(order)?;
    question.push(b'\n');
    Ok(serde_json::from_str(&exchange(path, &question, ORDER_PATIENCE)?)?)
}

/// One line there, one line back.
fn exchange(path: &Path, question: &[u8], patience: Duration) -> anyhow::Result<String> {
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(question)?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    Ok(line)
}

/// Asks the agent behind the socket. Blocks, at most some seconds.
pub(super) fn ask(path: &Path, tuples: usize) -> anyhow::Result<StatusReport> {
    let mut question = serde_json::to_vec(&Written { request: "status".to_owned(), tuples })?;
    question.push(b'\n');
    let line = exchange(path, &question, PATIENCE)?;
    match serde_json::from_str(&line) {
        Ok(report) => Ok(report),
        Err(error) => match serde_json::from_str::<Refusal>(&line) {
            Ok(refusal) => bail!("the agent says: {}", refusal.error),
            Err(_) => Err(error).context("the agent's answer is not understood"),
        },
    }
}
