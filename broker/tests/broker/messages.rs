//! Messages through the broker.

use std::time::{Duration, Instant};

use rumqttc::{Packet, QoS};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

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

/// One that publishes more than it may is read more slowly, and loses nothing; the others have nothing of it.
#[tokio::test]
async fn a_rate_holds_for_each_client() {
    const RATE: u32 = 50;
    let broker = BrokerProcess::start(&["--max-messages-per-second", &RATE.to_string()]).await;
    let (_reader, mut received) = subscriber("reader", broker.address, &["t/#".to_owned()]).await;
    let (busy, mut events) = client("busy", broker.address);
    let start = Instant::now();
    for _ in 0..3 * RATE {
        publish(&busy, &mut events, "t/busy", b"x").await;
    }
    // A second's worth is free.
    assert!(start.elapsed() > Duration::from_millis(1900), "{:?}", start.elapsed());
    for _ in 0..3 * RATE {
        message(&mut received).await;
    }
    let (other, mut events) = client("other", broker.address);
    let start = Instant::now();
    publish(&other, &mut events, "t/other", b"x").await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// A stop is told to those who can be told [MQTT-4.13.1-2 of 5.0], after what was on its way to them.
#[tokio::test]
async fn a_stop_is_said_to_clients() {
    const CONNECT: &[u8] = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01c";
    let broker = BrokerProcess::start(&[]).await;
    let mut stream = TcpStream::connect(broker.address).await.unwrap();
    stream.write_all(CONNECT).await.unwrap();
    let mut answer = [0; 256];
    assert!(timeout(PATIENCE, stream.read(&mut answer)).await.unwrap().unwrap() > 4);
    assert_eq!(answer[0], 0x20, "CONNACK");
    broker.signal(Signal::TERM);
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(rest, [0xe0, 1, 0x8b]);
    let (status, _) = broker.ended(PATIENCE).await;
    assert!(status.success());
}
