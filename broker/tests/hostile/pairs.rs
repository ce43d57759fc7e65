//! Well-behaved clients, and how they fare while others misbehave.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

use crate::wire::{Client, Connect, PATIENCE, Version, packet};

const PAIRS: usize = 20;
/// Each pair makes 20 round trips a second.
const PERIOD: Duration = Duration::from_millis(50);

/// Pairs that send each other messages of QoS 1 until they are asked for their times.
pub(crate) struct Pairs {
    tasks: JoinSet<Vec<Duration>>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Pairs {
    pub(crate) async fn start(address: SocketAddr) -> Self {
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let mut tasks = JoinSet::new();
        for pair in 0..PAIRS {
            let asking = member(address, &format!("asking-{pair}"), &format!("pair/{pair}/answer")).await;
            let answering = member(address, &format!("answering-{pair}"), &format!("pair/{pair}/question")).await;
            tasks.spawn(ask(asking, answering, pair, stopped.clone()));
        }
        Self { tasks, stop }
    }

    /// Ends them; gives the time that 99 of 100 round trips took at most.
    pub(crate) async fn p99(self) -> Duration {
        self.stop.send_replace(true);
        let mut times: Vec<_> = self.tasks.join_all().await.into_iter().flatten().collect();
        times.sort_unstable();
        let p99 = times[times.len() * 99 / 100];
        println!(
            "  {} round trips, p50 {:?}, p99 {p99:?}, longest {:?}",
            times.len(),
            times[times.len() / 2],
            times.last()
        );
        p99
    }
}

async fn member(address: SocketAddr, id: &str, topic: &str) -> Client {
    let mut client = Client::connect(address, &Connect::new(id)).await;
    assert_eq!(client.subscribe(Version::V311, topic, 1).await, 1);
    client
}

/// Round trips of one pair.
async fn ask(
    mut asking: Client,
    mut answering: Client,
    pair: usize,
    stopped: tokio::sync::watch::Receiver<bool>,
) -> Vec<Duration> {
    let echo = tokio::spawn(async move {
        let topic = format!("pair/{pair}/answer");
        while let Ok(raw) = answering.reader.next().await {
            if raw.is_publish() {
                let answer = packet::publish(Version::V311, &topic, 1, raw.id().unwrap(), raw.rest());
                answering.send(&[packet::ack(0x40, raw.id().unwrap()), answer].concat()).await;
            }
        }
    });
    let (mut ticks, mut times, topic) = (interval(PERIOD), Vec::new(), format!("pair/{pair}/question"));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut id = 0;
    while !*stopped.borrow() {
        ticks.tick().await;
        id = id % 60_000 + 1;
        let started = Instant::now();
        asking.send(&packet::publish(Version::V311, &topic, 1, id, &id.to_be_bytes())).await;
        let answer = timeout(PATIENCE, asking.reader.message()).await.expect("an answer");
        times.push(started.elapsed());
        assert_eq!(answer.rest(), id.to_be_bytes(), "each question has its answer");
        asking.send(&packet::ack(0x40, answer.id().unwrap())).await;
    }
    echo.abort();
    times
}
