//! A session whose client is away.

use std::{pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{Session, Will, registry::Seat};
use crate::gate::Gate;

/// Longest that a session is kept for a client that is away: a device that comes back after more starts anew.
pub(crate) const MAX_EXPIRY_SECONDS: u32 = 7 * 24 * 3600;

/// Keeps a session until its client is back, its time is over, or more waits for it than may. A session that ends otherwise than
/// by its client is known to the client by "session present" being 0, so that nothing is missed unseen.
pub(crate) async fn sleep(gate: Arc<Gate>, mut seat: Seat, mut session: Session) {
    if gate.metrics.asleep.get() >= gate.limits().connections as u64 {
        // No more sessions can be kept: this one ends now, and its client will see that it has.
        gate.metrics.sessions_overflowed.add(1);
        session.expiry = 0;
    }
    let asleep = gate.metrics.asleep.enter();
    session.backlog.sleep();
    // Nobody waits for a client that is away.
    session.say_not_behind();
    let expires = Instant::now() + Duration::from_secs(u64::from(session.expiry.min(MAX_EXPIRY_SECONDS)));
    let mut stopping = pin!(gate.stopping());
    loop {
        let will_due = session.will.as_ref().and_then(Will::due);
        tokio::select! {
            biased;
            handover = seat.evicted() => {
                // A newcomer that has gone meanwhile drops the session with it, as if it had taken and lost it.
                drop(asleep);
                drop(handover.send(Some(session)));
                return;
            }
            outcome = session.receive() => if outcome.is_err() {
                gate.metrics.sessions_overflowed.add(1);
                tracing::warn!(client_id = ?seat.client_id(), "the session of a client that is away was ended: too much waits for it");
                break;
            },
            () = sleep_until(will_due.unwrap_or(expires)), if will_due.is_some() => {
                session.publish_will().await;
                if session.expiry == 0 {
                    gate.metrics.sessions_overflowed.add(1);
                    break;
                }
            }
            () = sleep_until(expires) => break,
            () = &mut stopping => return,
        }
    }
    session.publish_will().await;
    drop(asleep);
    drop(session);
    seat.leave(None);
}
