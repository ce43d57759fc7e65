//! Says when the broker is ready, and notices when it is dead.

use std::time::{Duration, Instant};

use fogline_service::notify::Heart;
use tokio::sync::oneshot;

use crate::{
    config::BrokerConfig,
    error::Failure,
    patience::Patience,
    probe::{Probe, ProbeError},
};

/// The first message goes round within milliseconds; a machine that cannot do it in this time is not fit to serve.
const READY_DEADLINE: Duration = Duration::from_secs(10);
/// A round trip on loopback takes a millisecond; this is for a machine that is overloaded, not for a slow network.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// The router starts within milliseconds, so a first failure is soon out of date.
const PAUSE_BEFORE_READY: Duration = Duration::from_millis(20);
/// After a failure the next attempt comes sooner than the interval, so that death is known at the deadline.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Repeats round trips: says `ready` after the first that succeeds, and returns when there were none for too long.
pub(crate) async fn watch(mut probe: Probe, config: BrokerConfig, ready: oneshot::Sender<()>) -> Failure {
    let (mut ready, mut heart) = (Some(ready), Heart::new());
    let mut patience = Patience::new(READY_DEADLINE);
    let timeout = ATTEMPT_TIMEOUT.min(config.watchdog_deadline);
    loop {
        let started = Instant::now();
        let pause = match probe.round_trip(timeout).await {
            Ok(()) => {
                if let Some(ready) = ready.take() {
                    announce(ready);
                    patience = Patience::new(config.watchdog_deadline);
                }
                patience.success();
                // That a message went round is what a service manager wants to know.
                heart.beat(|| "carries messages".to_owned());
                config.watchdog_interval
            }
            Err(error) => {
                if let Some(silent_for) = patience.failure(started, Instant::now()) {
                    return Failure::Unresponsive { silent_for, last: error.to_string() };
                }
                pause_after(&error, ready.is_some(), config.watchdog_interval)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

fn announce(ready: oneshot::Sender<()>) {
    if ready.send(()).is_err() {
        tracing::debug!("nobody waits for readiness any more");
    }
}

fn pause_after(error: &ProbeError, starting: bool, interval: Duration) -> Duration {
    if starting {
        tracing::debug!(%error, "not ready yet");
        PAUSE_BEFORE_READY
    } else {
        tracing::warn!(%error, "no round trip through the broker");
        PAUSE_AFTER_FAILURE.min(interval)
    }
}
