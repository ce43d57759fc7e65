//! One client that publishes as fast as it can, while others go about their business.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt, task::AbortHandle, time::sleep};

use crate::{
    pairs::Pairs,
    site::{Site, long, resident_kib, scale},
    wire::{Client, Connect, Version, packet},
};

/// The flood of one kind lasts so long.
const NORMAL: Duration = Duration::from_millis(1_200);
const LONG: Duration = Duration::from_secs(10);
/// What well-behaved clients may be promised.
const P99: Duration = Duration::from_millis(50);
/// The same unoptimised, on a machine that others use, with the flooder on one of its cores.
const P99_DEBUG: Duration = Duration::from_millis(1_500);
/// A queue of 8 MiB for the one who never reads, once more while it is given up, the large inbox, and as much again for the allocator.
const GROWTH_KIB: u64 = 48 * 1024;
/// Bytes that are written at once.
const CHUNK: usize = 256 * 1024;

/// Who subscribes what is flooded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    Nobody,
    Fast,
    NeverReads,
}

fn p99_allowed() -> Duration {
    if cfg!(debug_assertions) || !long() { P99_DEBUG } else { P99 }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_leaves_the_others_their_turn() {
    let site = Site::start().await;
    // Both ends of all that is to come have been there once.
    let before = resident_kib();
    for audience in [Audience::Nobody, Audience::Fast, Audience::NeverReads] {
        for (qos, size) in [(0, 200), (1, 200), (0, 60 * 1024), (1, 60 * 1024)] {
            println!("{audience:?}, QoS {qos}, {size} bytes:");
            let pairs = Pairs::start(site.address()).await;
            let in_before = site.metric("messages_in_total");
            let flood = Flood::start(site.address(), audience, qos, size).await;
            sleep(scale(NORMAL, LONG)).await;
            let rate = (site.metric("messages_in_total") - in_before) as f64 / scale(NORMAL, LONG).as_secs_f64();
            let growth = resident_kib().saturating_sub(before);
            drop(flood);
            println!("  {rate:.0} messages/s, {growth} KiB more");
            let p99 = pairs.p99().await;
            assert!(p99 < p99_allowed(), "{p99:?}");
            assert!(growth < GROWTH_KIB, "{growth} KiB");
        }
    }
    site.is_empty().await;
}

/// A flooder and its audience; over when dropped.
struct Flood {
    tasks: Vec<AbortHandle>,
}

impl Flood {
    async fn start(address: SocketAddr, audience: Audience, qos: u8, size: usize) -> Self {
        let mut tasks = Vec::new();
        if audience != Audience::Nobody {
            tasks.push(listen(address, audience).await);
        }
        let flooder = Client::connect(address, &Connect::new("flooder")).await;
        let Client { mut reader, mut writer } = flooder;
        tasks.push(tokio::spawn(async move { while reader.next().await.is_ok() {} }).abort_handle());
        let one = packet::publish(Version::V311, "flood", qos, 1, &vec![b'x'; size]);
        let chunk = one.repeat((CHUNK / one.len()).max(1));
        tasks.push(tokio::spawn(async move { while writer.write_all(&chunk).await.is_ok() {} }).abort_handle());
        Self { tasks }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn listen(address: SocketAddr, audience: Audience) -> AbortHandle {
    let mut client = Client::open_narrow(address).await.unwrap();
    if audience == Audience::Fast {
        client = Client::open(address).await.unwrap();
    }
    client.greet(&Connect::new("audience")).await;
    client.subscribe(Version::V311, "flood", 1).await;
    let task = async move {
        if audience == Audience::NeverReads {
            std::future::pending::<()>().await;
        }
        while let Ok(raw) = client.reader.next().await {
            if let Some(id) = raw.id()
                && client.writer.write_all(&packet::ack(0x40, id)).await.is_err()
            {
                return;
            }
        }
    };
    tokio::spawn(task).abort_handle()
}
