//! A client that costs as little as possible: bytes in batches, no state but counts.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::brokers::Target;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PAYLOAD_BYTES: usize = 200;

pub(crate) struct Client {
    pub(crate) number: usize,
    stream: TcpStream,
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(u16::try_from(text.len()).unwrap().to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let byte = u8::try_from(left & 0x7f).unwrap();
        left >>= 7;
        packet.push(if left > 0 { byte | 0x80 } else { byte });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

impl Client {
    /// Connects as client `number`.
    pub(crate) async fn connect(broker: Target, number: usize) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(broker.address).await?;
        stream.set_nodelay(true)?;
        let login = broker.login(number);
        let mut body = Vec::new();
        text(&mut body, "MQTT");
        body.extend([4, if login.is_some() { 0xc2 } else { 0x02 }, 0, 60]);
        text(&mut body, &format!("c{number}"));
        if let Some((user, password)) = &login {
            text(&mut body, user);
            text(&mut body, password);
        }
        stream.write_all(&packet(0x10, &body)).await?;
        let mut connack = [0; 4];
        timeout(PATIENCE, stream.read_exact(&mut connack)).await??;
        if connack == [0x20, 2, 0, 0] {
            Ok(Self { number, stream })
        } else {
            Err(std::io::Error::other(format!("{connack:?}")))
        }
    }

    pub(crate) async fn subscribe(&mut self, filter: &str) {
        let mut body = vec![0, 1];
        text(&mut body, filter);
        body.push(1);
        self.stream.write_all(&packet(0x82, &body)).await.unwrap();
        let mut suback = [0; 5];
        timeout(PATIENCE, self.stream.read_exact(&mut suback)).await.unwrap().unwrap();
        assert_eq!(suback, [0x90, 3, 0, 1, 1]);
    }

    /// Publishes so many messages of QoS 1 with the time in them, never more than `inflight` unacknowledged.
    pub(crate) async fn publish(mut self, topic: &str, messages: usize, inflight: usize, start: Instant) {
        let mut head = Vec::new();
        text(&mut head, topic);
        let (mut sent, mut acknowledged, mut answers) = (0, 0, 0);
        let (mut out, mut input) = (Vec::new(), vec![0; 64 * 1024]);
        while acknowledged < messages {
            out.clear();
            while sent < messages && sent - acknowledged < inflight {
                sent += 1;
                let mut body = head.clone();
                body.extend(u16::try_from(sent % 65_535 + 1).unwrap().to_be_bytes());
                body.extend(u64::try_from(start.elapsed().as_nanos()).unwrap().to_be_bytes());
                body.resize(head.len() + 2 + PAYLOAD_BYTES, b'x');
                out.extend(packet(0x32, &body));
            }
            self.stream.write_all(&out).await.unwrap();
            let count = timeout(PATIENCE, self.stream.read(&mut input)).await.expect("PUBACK in time").unwrap();
            assert!(count > 0, "the broker ended the connection");
            // Nothing but PUBACKs of four bytes comes.
            answers += count;
            acknowledged = answers / 4;
        }
    }

    /// Takes so many messages, and acknowledges each. Gives the times they took, in nanoseconds, of one in `every`.
    pub(crate) async fn receive(mut self, messages: usize, every: usize, start: Instant) -> Vec<u64> {
        let (mut input, mut filled, mut out) = (vec![0; 256 * 1024], 0, Vec::new());
        let (mut received, mut times) = (0, Vec::new());
        while received < messages {
            let count =
                timeout(PATIENCE, self.stream.read(&mut input[filled..])).await.expect("messages in time").unwrap();
            assert!(count > 0, "the broker ended the connection after {received} of {messages} messages");
            filled += count;
            let mut at = 0;
            out.clear();
            while let Some((length, id, sent)) = publish_at(&input[at..filled]) {
                at += length;
                received += 1;
                out.extend([0x40, 2]);
                out.extend(id);
                if received % every == 0 {
                    times.push(u64::try_from(start.elapsed().as_nanos()).unwrap() - sent);
                }
            }
            input.copy_within(at..filled, 0);
            filled -= at;
            self.stream.write_all(&out).await.unwrap();
        }
        times
    }
}

/// The length of the PUBLISH at the start, its identifier, and the time in it.
fn publish_at(bytes: &[u8]) -> Option<(usize, [u8; 2], u64)> {
    assert!(bytes.first().is_none_or(|first| first & 0xf0 == 0x30), "not a PUBLISH: {:?}", bytes.first());
    let (mut remaining, mut head) = (0, 1);
    loop {
        let byte = *bytes.get(head)?;
        remaining |= usize::from(byte & 0x7f) << (7 * (head - 1));
        head += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let body = bytes.get(head..head + remaining)?;
    let topic = 2 + usize::from(u16::from_be_bytes([body[0], body[1]]));
    let sent = u64::from_be_bytes(body[topic + 2..topic + 10].try_into().unwrap());
    Some((head + remaining, [body[topic], body[topic + 1]], sent))
}
