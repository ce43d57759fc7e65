//! A part of the demo that runs in a task of its own and can be stopped and started again.

use anyhow::Context;
use std::future::Future;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A part finishes what it has begun when it stops: a commit, a goodbye to the broker. A disk that takes longer than this
/// is broken.
const STOP_WITHIN: Duration = Duration::from_secs(20);

/// A running part.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

/// Completes when a part is to stop.
pub(crate) type Stop = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

impl Part {
    /// Starts a part: `run` gets what tells it to stop.
    pub(crate) fn spawn<F>(name: impl Into<String>, run: impl FnOnce(Stop) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel::<()>();
        // A part whose owner is gone stops too.
        let stopped: Stop = Box::pin(async move { stopped.await.unwrap_or_default() });
        Self { name: name.into(), stop, task: tokio::spawn(run(stopped)) }
    }

    /// True when it has ended by itself.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Ends it where it stands, as far as a part of a process can be: what it would do at a stop it does not do, nobody is told, and
    /// connections break. A commit that its store has begun is finished, or not, as with a process that dies.
    pub(crate) async fn kill(self) {
        let Self { stop, task, .. } = self;
        task.abort();
        // It was cancelled, or had ended by itself.
        task.await.ok();
        drop(stop);
    }

    /// Makes it stop, and waits until it has.
    ///
    /// # Errors
    /// What ended it, or that it does not end.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        // It may have ended by itself.
        self.stop.send(()).ok();
        let name = self.name;
        let ended = tokio::time::timeout(STOP_WITHIN, self.task).await;
        ended
            .with_context(|| format!("{name} does not stop"))?
            .with_context(|| format!("{name} crashed"))?
            .context(name)
    }
}

/// Waits for what a part says when it is ready; if it ends first, for why.
///
/// # Errors
/// Why it could not start.
pub(crate) async fn ready<T>(part: Part, said: oneshot::Receiver<T>) -> anyhow::Result<(Part, T)> {
    match said.await {
        Ok(value) => Ok((part, value)),
        Err(_) => {
            let name = part.name.clone();
            part.stop().await?;
            anyhow::bail!("{name} ended before it was ready")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_stops_when_it_is_told_to() {
        let part = Part::spawn("sleeper", |stop| async move {
            stop.await;
            Ok(())
        });
        assert!(!part.has_ended());
        part.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_killed_part_does_nothing_more() {
        let (say, said) = oneshot::channel();
        let part = Part::spawn("sleeper", |stop| async move {
            stop.await;
            say.send(()).ok();
            Ok(())
        });
        part.kill().await;
        assert!(said.await.is_err(), "it has stopped in order");
    }

    #[tokio::test]
    async fn a_part_that_cannot_start_says_why() {
        let (say, said) = oneshot::channel::<u8>();
        let part = Part::spawn("broker", |_| async move {
            drop(say);
            anyhow::bail!("the port is taken")
        });
        let error = ready(part, said).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "broker: the port is taken");
    }
}
