//! A broker process, and MQTT clients for it.

use std::{
    net::SocketAddr,
    process::{ExitStatus, Output, Stdio},
    time::Duration,
};

use rumqttc::{AsyncClient, EventLoop, MqttOptions, Packet, QoS};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

pub(crate) use crate::events::{PATIENCE, message, publish, until};

/// Both sides of a connection accept as much as the broker does.
const PACKET_BYTES: usize = 64 * 1024;

/// The program, without what the test's own environment would tell it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogline-broker"));
    command.env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs the program to its end.
pub(crate) async fn output(command: &mut Command) -> Output {
    timeout(PATIENCE, command.output()).await.expect("ends").unwrap()
}

/// A broker process that is ready; killed when dropped.
pub(crate) struct BrokerProcess {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl BrokerProcess {
    pub(crate) async fn start(args: &[&str]) -> Self {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0"]).args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("ready in time").unwrap().expect("says ready");
        let address = line.strip_prefix("fogline-broker ready on ").expect("names its address").parse().unwrap();
        Self { child, address }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("runs")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end; gives the status and what was written to standard error.
    pub(crate) async fn ended(mut self, within: Duration) -> (ExitStatus, String) {
        let mut stderr = self.child.stderr.take().unwrap();
        let mut log = String::new();
        let (read, status) =
            timeout(within, async { tokio::join!(stderr.read_to_string(&mut log), self.child.wait()) })
                .await
                .expect("ends in time");
        read.unwrap();
        (status.unwrap(), log)
    }
}

/// An MQTT client that is not connected before it is polled.
pub(crate) fn client(id: &str, address: SocketAddr) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(id, address.ip().to_string(), address.port());
    options.set_max_packet_size(PACKET_BYTES, PACKET_BYTES);
    let (client, mut events) = AsyncClient::new(options, 1);
    events.network_options.set_tcp_nodelay(true);
    (client, events)
}

/// A client that has subscribed `filters` at QoS 1.
pub(crate) async fn subscriber(id: &str, address: SocketAddr, filters: &[String]) -> (AsyncClient, EventLoop) {
    let (client, mut events) = client(id, address);
    for filter in filters {
        client.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
        until(&mut events, |packet| matches!(packet, Packet::SubAck(_))).await;
    }
    (client, events)
}

/// Polls until the connection fails. Not to be used on a client that the broker serves.
pub(crate) async fn fails(events: &mut EventLoop) {
    let failure = async { while events.poll().await.is_ok() {} };
    timeout(PATIENCE, failure).await.expect("fails in time");
}
