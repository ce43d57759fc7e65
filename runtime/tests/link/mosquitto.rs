//! The link against Eclipse Mosquitto, where it is installed.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fogline_runtime::link::{BrokerAddress, Link, LinkEvent, Publish, PublishError};
use tempfile::TempDir;

use crate::fake_broker::within;
use crate::owner::{Owner, config, message};

const PROGRAMS: [&str; 3] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"];

struct Mosquitto {
    program: &'static str,
    port: u16,
    folder: TempDir,
    child: Child,
}

impl Mosquitto {
    /// `None` where it is not installed and need not be.
    fn start() -> Option<Self> {
        let Some(program) = PROGRAMS.into_iter().find(|program| std::path::Path::new(program).exists()) else {
            let required = std::env::var("FOGLINE_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "mosquitto is required and not installed");
            eprintln!("skipped: mosquitto is not installed");
            return None;
        };
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let settings = format!("listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n");
        std::fs::write(folder.path().join("mosquitto.conf"), settings).unwrap();
        let child = run(program, &folder);
        Some(Self { program, port, folder, child })
    }

    fn address(&self) -> BrokerAddress {
        BrokerAddress::tcp("127.0.0.1", self.port)
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = run(self.program, &self.folder);
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        // It may have been killed by the test already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn run(program: &str, folder: &TempDir) -> Child {
    let settings = folder.path().join("mosquitto.conf");
    Command::new(program).arg("-c").arg(settings).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

async fn subscriber(broker: &Mosquitto, client: &str, filter: &str) -> Owner {
    let mut config = config(vec![broker.address()]);
    config.client_id = client.to_owned();
    config.subscriptions = vec![filter.to_owned()];
    let (handle, events) = Link::start(config, |_| None).unwrap();
    let mut owner = Owner { handle, events };
    assert!(matches!(owner.next().await, LinkEvent::Connected { broker: 0, .. }));
    owner
}

/// Publishes, waiting while the queue is full.
async fn publish(owner: &Owner, message: Publish) {
    let accepted = async {
        while owner.handle.publish(message.clone()) == Err(PublishError::Full) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    within(accepted).await;
}

#[tokio::test]
async fn large_and_small_messages_pass_in_order() {
    let Some(broker) = Mosquitto::start() else { return };
    let mut receiver = subscriber(&broker, "receiver", "up/#").await;
    let sender = subscriber(&broker, "sender", "other").await;
    let sizes: Vec<usize> = (0..500).map(|number| if number % 5 == 0 { 48 * 1024 } else { number }).collect();
    let sending = async {
        for size in &sizes {
            publish(&sender, Publish { payload: vec![b'x'; *size].into(), ..message("up/readings", 0) }).await;
        }
    };
    let receiving = async {
        for size in &sizes {
            assert_eq!(receiver.next_message().await.len(), *size);
        }
    };
    tokio::join!(sending, receiving);
    sender.until(|metrics| metrics.acknowledged == 500 && metrics.outgoing_bytes == 0).await;
    assert!(sender.handle.close(Duration::from_secs(5)).await);
}

#[tokio::test]
async fn a_killed_and_restarted_broker_is_found_with_subscriptions_renewed() {
    let Some(mut broker) = Mosquitto::start() else { return };
    let mut owner = subscriber(&broker, "one", "loop").await;
    for round in 1..=3 {
        publish(&owner, message("loop", round)).await;
        assert_eq!(owner.next_message().await, round.to_string());
        broker.kill();
        owner.next_disconnect().await;
        assert_eq!(owner.handle.publish(message("loop", 0)), Err(PublishError::Offline));
        broker.restart();
        assert!(matches!(owner.next().await, LinkEvent::Connected { broker: 0, .. }));
    }
}

#[tokio::test]
async fn the_last_will_is_published_after_a_drop_and_not_after_a_close() {
    let Some(broker) = Mosquitto::start() else { return };
    let mut watcher = subscriber(&broker, "watcher", "will").await;
    for close in [false, true] {
        let mut owner = Owner::start(config(vec![broker.address()]));
        assert!(matches!(owner.next().await, LinkEvent::Connected { .. }));
        if close {
            assert!(owner.handle.close(Duration::from_secs(5)).await);
            publish(&watcher, message("will", 999)).await;
            assert_eq!(watcher.next_message().await, "999");
        } else {
            drop(owner);
            assert_eq!(watcher.next_message().await, "1");
        }
    }
}
