//! The socket of a running agent: a line of JSON in, a line of JSON out, for the agent's own user only.

use super::report::StatusReport;
use anyhow::{Context, bail};
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
/// The longest question, in bytes.
const QUESTION_BYTES_MAX: u64 = 4096;
/// The longest answer, in bytes: all times of an hour to a thousandth, and all gaps that a queue keeps.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The most who ask at the same time.
const ASKERS_MAX: usize = 8;

/// Somebody who wants to know the status.
pub(crate) type Question = oneshot::Sender<StatusReport>;

/// A question, as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    request: String,
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
                    let answered = tokio::time::timeout(PATIENCE, answer(stream, questions)).await;
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
    tokio::io::BufReader::new(near.take(QUESTION_BYTES_MAX)).read_until(b'\n', &mut line).await?;
    let mut text = match serde_json::from_slice::<Written>(&line) {
        Ok(written) if written.request == "status" => {
            let (question, report) = oneshot::channel();
            questions.send(question).await?;
            serde_json::to_vec(&report.await?)?
        }
        Ok(_) | Err(_) => serde_json::to_vec(&Refusal { error: "ask {\"request\":\"status\"}".to_owned() })?,
    };
    text.push(b'\n');
    far.write_all(&text).await?;
    Ok(far.shutdown().await?)
}

/// Asks the agent behind the socket. Blocks, at most some seconds.
pub(super) fn ask(path: &Path) -> anyhow::Result<StatusReport> {
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"{\"request\":\"status\"}\n")?;
    let mut line = String::new();
    BufReader::new(stream.take(ANSWER_BYTES_MAX)).read_line(&mut line)?;
    match serde_json::from_str(&line) {
        Ok(report) => Ok(report),
        Err(error) => match serde_json::from_str::<Refusal>(&line) {
            Ok(refusal) => bail!("the agent says: {}", refusal.error),
            Err(_) => Err(error).context("the agent's answer is not understood"),
        },
    }
}
