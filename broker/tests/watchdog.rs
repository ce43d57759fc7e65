//! The watchdog alone: a program that sets a panic hook of its own has ours no longer. The hook belongs to the whole
//! process, so this test has one of its own.

use std::{net::SocketAddr, panic, time::Duration};

use fogline_broker::{Broker, BrokerConfig, Failure};
use rumqttc::{AsyncClient, MqttOptions, QoS};
use tokio::time::timeout;

#[tokio::test]
async fn a_dead_router_is_noticed_without_the_panic_hook() {
    let config = BrokerConfig {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        watchdog_interval: Duration::from_millis(100),
        watchdog_deadline: Duration::from_millis(500),
        ..BrokerConfig::default()
    };
    let broker = Broker::start(config).await.unwrap();
    panic::set_hook(Box::new(|_| {}));

    let address = broker.local_addr();
    let (client, mut events) =
        AsyncClient::new(MqttOptions::new("killer", address.ip().to_string(), address.port()), 1);
    client.try_publish("über/x", QoS::AtLeastOnce, false, "x").unwrap();
    let failure = timeout(Duration::from_secs(20), async {
        tokio::select! {
            failure = broker.failed() => failure,
            () = async { loop { if events.poll().await.is_err() { std::future::pending::<()>().await } } } => unreachable!(),
        }
    });
    assert!(matches!(failure.await.unwrap(), Failure::Unresponsive { .. }));
}
