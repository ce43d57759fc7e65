//! Many connections that do nothing, and all of them coming back at once.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{sync::Semaphore, task::JoinSet};

use super::{brokers::Broker, client::Client};

/// Connects under way at the same time, so that the system's queue of half-open connections holds them.
const AT_ONCE: usize = 1000;

/// Pause before another attempt, and how long attempts are made.
const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(30);

/// What was measured.
pub(crate) struct Outcome {
    /// KiB for each connection.
    pub(crate) memory: f64,
    /// KiB for each, when each has subscribed a filter of its own.
    pub(crate) memory_subscribed: f64,
    /// Until all were back; `None` if some never were.
    pub(crate) back: Option<Duration>,
}

pub(crate) async fn run(broker: &Broker, connections: usize) -> Outcome {
    let each = |before: u64, after: u64| {
        f64::from(u32::try_from(after.saturating_sub(before)).unwrap()) / f64::from(u32::try_from(connections).unwrap())
    };
    let empty = broker.memory();
    let mut clients = all(broker, connections).await.0;
    let connected = broker.memory();
    for client in &mut clients {
        client.subscribe(&format!("fogline/v1/bench/c{}/down/#", client.number)).await;
    }
    let subscribed = broker.memory();
    drop(clients);
    let (_clients, back) = all(broker, connections).await;
    Outcome { memory: each(empty, connected), memory_subscribed: each(empty, subscribed), back }
}

async fn all(broker: &Broker, connections: usize) -> (Vec<Client>, Option<Duration>) {
    let begun = Instant::now();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    let mut connecting = JoinSet::new();
    for number in 0..connections {
        let room = Arc::clone(&room);
        let target = broker.target;
        connecting.spawn(async move {
            let _place = room.acquire().await.unwrap();
            // Some refuse one or the other in the rush: as a device would, it tries again.
            while begun.elapsed() < PATIENCE {
                match Client::connect(target, number).await {
                    Ok(client) => return Some(client),
                    Err(_) => tokio::time::sleep(PAUSE).await,
                }
            }
            None
        });
    }
    let clients: Vec<_> = connecting.join_all().await.into_iter().flatten().collect();
    let back = (clients.len() == connections).then(|| begun.elapsed());
    (clients, back)
}
