//! Messages through the broker.

use std::time::{Duration, Instant};

use rumqttc::{Packet, QoS};
use rustix::process::Signal;

use crate::support::{BrokerProcess, PATIENCE, client, fails, message, publish, subscriber, until};

const BATCH_BYTES: usize = 48 * 1024;

#[tokio::test]
async fn a_message_at_qos_1_makes_its_round_trip() {
    let broker = BrokerProcess::start(&[]).await;
    let topic = "fogline/v1/north/car-1/down/limit";
    let (client, mut events) = subscriber("car-1", broker.address, &["fogline/v1/north/car-1/down/#".to_owned()]).await;
    client.try_publish(topic, QoS::AtLeastOnce, false, "90").unwrap();
    let (mut acknowledged, mut received) = (false, None);
    while !(acknowledged && received.is_some()) {
        match until(&mut events, |_| true).await {
            Packet::PubAck(_) => acknowledged = true,
            Packet::Publish(publish) => received = Some(publish),
            _ => {}
        }
    }
    let received = received.unwrap();
    assert_eq!((received.topic.as_str(), &received.payload[..], received.qos), (topic, &b"90"[..], QoS::AtLeastOnce));
    broker.signal(Signal::TERM);
    let (status, _) = broker.ended(PATIENCE).await;
    assert!(status.success(), "connections do not keep it from stopping");
}

/// What follows a PUBACK is not held back until the client's system acknowledges that, which takes Linux 40 ms.
#[tokio::test]
async fn an_answer_does_not_wait_for_a_delayed_acknowledgement() {
    let broker = BrokerProcess::start(&[]).await;
    let (asking, mut answers) =
        subscriber("car-1", broker.address, &["fogline/v1/north/car-1/down/#".to_owned()]).await;
    let (answering, mut questions) = subscriber("ingest-1", broker.address, &["fogline/v1/+/+/up/#".to_owned()]).await;
    tokio::spawn(async move {
        loop {
            message(&mut questions).await;
            answering.try_publish("fogline/v1/north/car-1/down/ack", QoS::AtLeastOnce, false, "stored").unwrap();
        }
    });
    let mut times = Vec::new();
    for _ in 0..30 {
        let start = Instant::now();
        asking.try_publish("fogline/v1/north/car-1/up/readings", QoS::AtLeastOnce, false, "batch").unwrap();
        message(&mut answers).await;
        times.push(start.elapsed());
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    times.sort_unstable();
    assert!(times[15] < Duration::from_millis(25), "{times:?}");
}

#[tokio::test]
async fn a_full_batch_passes_and_a_larger_packet_ends_the_connection() {
    let broker = BrokerProcess::start(&[]).await;
    let (client, mut events) = client("car-1", broker.address);
    publish(&client, &mut events, "fogline/v1/north/car-1/up/readings", &vec![b'x'; BATCH_BYTES]).await;
    events.mqtt_options.set_max_packet_size(1 << 20, 1 << 20);
    client.try_disconnect().unwrap();
    fails(&mut events).await;
    client.try_publish("fogline/v1/north/car-1/up/readings", QoS::AtLeastOnce, false, vec![b'x'; 100_000]).unwrap();
    fails(&mut events).await;
}

/// Six MiB wait for an ingester that reads nothing for a while: far more than a small log holds.
#[tokio::test]
async fn an_ingester_that_is_behind_loses_nothing() {
    let broker = BrokerProcess::start(&[]).await;
    for (ingester, filter) in [("all", "fogline/v1/+/+/up/#"), ("north", "fogline/v1/north/+/up/#")] {
        let (_client, mut slow) = subscriber(ingester, broker.address, &[filter.to_owned()]).await;
        let (client, mut events) = client(&format!("agent-of-{ingester}"), broker.address);
        for number in 0_u32..200 {
            let mut batch = vec![0; 30 * 1024];
            batch[..4].copy_from_slice(&number.to_be_bytes());
            publish(&client, &mut events, "fogline/v1/north/car-1/up/readings", &batch).await;
        }
        for number in 0_u32..200 {
            assert_eq!(message(&mut slow).await.payload[..4], number.to_be_bytes(), "{filter}");
        }
    }
}
