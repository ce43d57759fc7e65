//! The router keeps a log for each inbox, of what was read too: memory must be flat once the logs are full.

use std::{collections::BTreeMap, env, fs, net::SocketAddr, time::Instant};

use rumqttc::{AsyncClient, Event, EventLoop, Packet, QoS};
use tokio::task::JoinSet;

use crate::support::{BrokerProcess, client, subscriber};

/// Subscribers share connections, so that the test needs few of them; logs are per filter all the same.
const FILTERS_PER_CONNECTION: usize = 50;
/// An acknowledgement with a few ranges.
const ACK: &str = r#"{"v":1,"stream":"b2f1c0de9a7e4d35","through":1234567,"ranges":[[1234600,1234700]],"credit":262144,"state":"ok"}"#;
/// 200 fill the 2 x 16 KiB of a filter's log; the allocator settles when they have been filled some times over.
const ACKS_TO_SETTLE: usize = 600;
/// The allocator's noise. Logs that kept everything would grow by four times as much even in the short test.
const GROWTH_ALLOWED_KIB: u64 = 4 * 1024;
/// Measurements after the logs are full.
const STEPS: usize = 10;

struct Scale {
    agents: usize,
    acks: usize,
}

/// The full measure (1,000 agents, 4 million acknowledgements) with `FOGLINE_LONG_TESTS=1`.
fn scale() -> Scale {
    match env::var("FOGLINE_LONG_TESTS") {
        Ok(long) if long == "1" => Scale { agents: 1_000, acks: 4_000_000 },
        _ => Scale { agents: 100, acks: 200_000 },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_flat_once_the_logs_are_full() {
    let Scale { agents, acks } = scale();
    let broker = BrokerProcess::start(&[]).await;
    let at_start = resident_kib(broker.pid());
    let mut subscribers = listen_as(agents, broker.address).await;
    let subscribed = resident_kib(broker.pid());

    let mut ingester = client("ingester", broker.address);
    acknowledge(&mut ingester, agents, agents * ACKS_TO_SETTLE).await;
    let full = resident_kib(broker.pid());
    let (mut highest, started) = (full, Instant::now());
    for _ in 0..STEPS {
        acknowledge(&mut ingester, agents, acks / STEPS).await;
        highest = highest.max(resident_kib(broker.pid()));
    }
    let rate = acks as f64 / started.elapsed().as_secs_f64();
    println!(
        "{agents} agents, {acks} acknowledgements after the logs were full, {rate:.0}/s; resident KiB: {at_start} at the start, \
         {subscribed} subscribed, {full} with full logs, {highest} at most afterwards"
    );
    assert!(subscribers.try_join_next().is_none(), "every subscriber is still connected");
    assert!(highest <= full + GROWTH_ALLOWED_KIB, "grew from {full} to {highest} KiB");
}

/// Subscribes each agent's filter, and reads what comes for ever.
async fn listen_as(agents: usize, address: SocketAddr) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let filters: Vec<_> = (0..agents).map(|agent| format!("{}/#", down(agent))).collect();
    for (number, filters) in filters.chunks(FILTERS_PER_CONNECTION).enumerate() {
        let (client, mut events) = subscriber(&format!("agents-{number}"), address, filters).await;
        tasks.spawn(async move {
            let _client = client;
            while events.poll().await.is_ok() {}
        });
    }
    tasks
}

fn down(agent: usize) -> String {
    format!("fogline/v1/north/agent-{agent}/down")
}

/// Publishes `count` acknowledgements, to one agent after the other, and waits for every PUBACK.
async fn acknowledge((client, events): &mut (AsyncClient, EventLoop), agents: usize, count: usize) {
    let publishing = {
        let client = client.clone();
        async move {
            for number in 0..count {
                client.publish(format!("{}/ack", down(number % agents)), QoS::AtLeastOnce, false, ACK).await.unwrap();
            }
        }
    };
    let acknowledged = async {
        let mut acknowledged = 0;
        while acknowledged < count {
            if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.unwrap() {
                acknowledged += 1;
            }
        }
    };
    tokio::join!(publishing, acknowledged);
}

/// Resident memory of a process.
fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let fields: BTreeMap<_, _> = status.lines().filter_map(|line| line.split_once(':')).collect();
    fields["VmRSS"].trim().trim_end_matches(" kB").parse().unwrap()
}
