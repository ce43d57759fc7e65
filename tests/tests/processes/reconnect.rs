//! A thousand clients of one broker that dies: all are back soon after it is, and not in one moment.

use fogline_runtime::link::{BrokerAddress, Link, LinkConfig, LinkEvent, LinkEvents, LinkHandle};
use fogline_tests::real::{Broker, Kind, PATIENCE};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

type Client = (LinkHandle, LinkEvents);

const CLIENTS: u64 = 1000;
/// After so many attempts in vain the waits have their full length: 250 ms, doubled up to 5 s.
const ATTEMPTS: u64 = 7;
/// From the broker's return to the last client's.
const ALL_BACK_WITHIN: Duration = Duration::from_secs(8);
/// Most clients that come back in any one of the seconds: four times what is even.
const MOST_IN_A_SECOND: usize = 800;

#[test]
fn a_thousand_clients_return_soon_and_spread_over_the_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut broker = Broker::start(Kind::Embedded, folder.path()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (clients, _) = each_connects((0..CLIENTS).map(|seed| client(&broker, seed)).collect()).await;
        broker.program.kill();
        let all_wait = async {
            while clients.iter().any(|(handle, _)| handle.metrics().failures < ATTEMPTS) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, all_wait).await.unwrap();
        broker.program.restart();
        let returned = Instant::now();
        let (_, back) = each_connects(clients).await;
        let mut times: Vec<Duration> = back.into_iter().map(|at| at - returned).collect();
        times.sort_unstable();
        let (half, last) = (times[times.len() / 2], times[times.len() - 1]);
        let crowd = (0..8).map(|second| times.iter().filter(|time| time.as_secs() == second).count()).max().unwrap();
        println!("{CLIENTS} clients: half are back after {half:?}, all after {last:?}, at most {crowd} in one second");
        assert!(last < ALL_BACK_WITHIN, "{last:?}");
        assert!(crowd < MOST_IN_A_SECOND, "{crowd} in one second");
    });
}

fn client(broker: &Broker, seed: u64) -> Client {
    let address: BrokerAddress = broker.address().parse().unwrap();
    let mut config = LinkConfig::new(vec![address], format!("client-{seed}"), seed);
    config.subscriptions = vec![format!("fogline/v1/north/client-{seed}/down/#")];
    Link::start(config, |_| None).unwrap()
}

/// Waits until every client has connected once more, and says when each did.
async fn each_connects(clients: Vec<Client>) -> (Vec<Client>, Vec<Instant>) {
    let mut waiting = JoinSet::new();
    for (handle, mut events) in clients {
        waiting.spawn(async move {
            while !matches!(events.recv().await, Some(LinkEvent::Connected { .. })) {}
            ((handle, events), Instant::now())
        });
    }
    let connected = tokio::time::timeout(PATIENCE, waiting.join_all()).await.expect("all clients connect");
    connected.into_iter().unzip()
}
