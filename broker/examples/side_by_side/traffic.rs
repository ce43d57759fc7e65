//! Messages from publishers to subscribers.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{brokers::Broker, client::Client};

/// How many publish and how many subscribe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Shape {
    OneToOne,
    HundredToOne,
    OneToHundred,
}

impl Shape {
    pub(crate) const ALL: [Self; 3] = [Self::OneToOne, Self::HundredToOne, Self::OneToHundred];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneToOne => "1-1",
            Self::HundredToOne => "100-1",
            Self::OneToHundred => "1-100",
        }
    }

    fn publishers(self) -> usize {
        if self == Self::HundredToOne { 100 } else { 1 }
    }

    pub(crate) fn subscribers(self) -> usize {
        if self == Self::OneToHundred { 100 } else { 1 }
    }

    pub(crate) fn clients(self) -> usize {
        self.publishers() + self.subscribers()
    }
}

/// What was measured.
pub(crate) struct Outcome {
    /// Messages that arrived in a second, at all subscribers together.
    pub(crate) rate: f64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

/// Publishes `messages` in all, and waits until all have arrived at each subscriber.
pub(crate) async fn run(broker: &Broker, shape: Shape, messages: usize, inflight: usize) -> Outcome {
    let (publishers, subscribers) = (shape.publishers(), shape.subscribers());
    let each = messages / publishers;
    let start = Instant::now();
    let mut receiving = JoinSet::new();
    for number in 0..subscribers {
        let mut client = Client::connect(broker.target, number).await.unwrap();
        client.subscribe("fogline/v1/bench/+/up/#").await;
        receiving.spawn(client.receive(each * publishers, 16, start));
    }
    let mut publishing = Vec::new();
    for number in 0..publishers {
        publishing.push(Client::connect(broker.target, subscribers + number).await.unwrap());
    }
    let begun = Instant::now();
    let mut sending = JoinSet::new();
    for (number, client) in publishing.into_iter().enumerate() {
        let topic = format!("fogline/v1/bench/c{}/up/readings", subscribers + number);
        sending.spawn(async move { client.publish(&topic, each, inflight, start).await });
    }
    let mut times: Vec<u64> = receiving.join_all().await.concat();
    let took = begun.elapsed();
    sending.join_all().await;
    times.sort_unstable();
    let at = |share: usize| Duration::from_nanos(times[(times.len() - 1) * share / 100]);
    let arrived = u32::try_from(each * publishers * subscribers).unwrap();
    Outcome { rate: f64::from(arrived) / took.as_secs_f64(), p50: at(50), p99: at(99) }
}
