//! A client that sends any bytes it is told to: well-behaved libraries cannot be made to misbehave.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod mistakes;
pub(crate) mod packet;
pub(crate) mod random;

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

pub(crate) use packet::{Connect, Version};

/// Longer than anything takes on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) const CONNACK: u8 = 0x20;
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const SUBACK: u8 = 0x90;
pub(crate) const PINGRESP: u8 = 0xd0;

/// A packet as it came: its first byte, and what follows its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Raw {
    pub(crate) first: u8,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    pub(crate) fn is_publish(&self) -> bool {
        self.first >> 4 == 3
    }

    fn qos(&self) -> u8 {
        self.first >> 1 & 3
    }

    fn topic_end(&self) -> usize {
        2 + usize::from(u16::from_be_bytes([self.body[0], self.body[1]]))
    }

    pub(crate) fn topic(&self) -> &str {
        std::str::from_utf8(&self.body[2..self.topic_end()]).unwrap()
    }

    /// The packet identifier of a PUBLISH, `None` at QoS 0.
    pub(crate) fn id(&self) -> Option<u16> {
        let at = self.topic_end();
        (self.qos() > 0).then(|| u16::from_be_bytes([self.body[at], self.body[at + 1]]))
    }

    /// Properties and payload of a PUBLISH; in 3.1.1 that is the payload.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.body[self.topic_end() + if self.qos() > 0 { 2 } else { 0 }..]
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) reader: Reader,
    pub(crate) writer: OwnedWriteHalf,
}

/// What comes from the broker.
#[derive(Debug)]
pub(crate) struct Reader {
    stream: OwnedReadHalf,
    input: Vec<u8>,
    taken: usize,
}

impl Reader {
    /// The next packet.
    ///
    /// # Errors
    /// When the connection has ended.
    pub(crate) async fn next(&mut self) -> io::Result<Raw> {
        loop {
            if let Some(raw) = self.cut() {
                return Ok(raw);
            }
            self.input.drain(..self.taken);
            self.taken = 0;
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// The bytes themselves.
    pub(crate) fn bytes(&mut self) -> &mut OwnedReadHalf {
        &mut self.stream
    }

    fn cut(&mut self) -> Option<Raw> {
        let bytes = &self.input[self.taken..];
        let (mut length, mut header) = (0, 1);
        loop {
            let byte = *bytes.get(header)?;
            length |= usize::from(byte & 0x7f) << (7 * (header - 1));
            header += 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let body = bytes.get(header..header + length)?.to_vec();
        let first = bytes[0];
        self.taken += header + length;
        Some(Raw { first, body })
    }

    /// The next packet whose first byte is `first`, with the low four bits left out; others are dropped.
    pub(crate) async fn until(&mut self, first: u8) -> Raw {
        let wanted = async {
            loop {
                let raw = self.next().await.expect("the connection is open");
                if raw.first & 0xf0 == first {
                    return raw;
                }
            }
        };
        timeout(PATIENCE, wanted).await.expect("in time")
    }

    /// The next message; other packets are dropped.
    pub(crate) async fn message(&mut self) -> Raw {
        self.until(0x30).await
    }

    /// Waits until the broker has closed the connection; what comes before is dropped.
    pub(crate) async fn closed(&mut self) {
        let end = async { while self.next().await.is_ok() {} };
        timeout(PATIENCE, end).await.expect("closed in time");
    }
}

impl Client {
    /// A connection on which nothing was sent.
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::over(stream))
    }

    /// The same, by which the broker can send little before it has to wait.
    pub(crate) async fn open_narrow(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4096)?;
        Ok(Self::over(socket.connect(address).await?))
    }

    fn over(stream: TcpStream) -> Self {
        let (reader, writer) = stream.into_split();
        Self { reader: Reader { stream: reader, input: Vec::new(), taken: 0 }, writer }
    }

    /// Connected, CONNACK read.
    pub(crate) async fn connect(address: SocketAddr, connect: &Connect<'_>) -> Self {
        let mut client = Self::open(address).await.expect("a connection");
        client.greet(connect).await;
        client
    }

    /// Sends CONNECT and reads CONNACK.
    pub(crate) async fn greet(&mut self, connect: &Connect<'_>) {
        self.send(&connect.packet()).await;
        let connack = self.reader.until(CONNACK).await;
        assert_eq!(connack.body[1], 0, "accepted");
    }

    /// Sends bytes; the connection must be open.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        timeout(PATIENCE, self.writer.write_all(bytes)).await.expect("in time").expect("the connection is open");
    }

    /// Subscribes one filter, and gives the code of the SUBACK.
    pub(crate) async fn subscribe(&mut self, version: Version, filter: &str, qos: u8) -> u8 {
        self.send(&packet::subscribe(version, 1, &[(filter, qos)])).await;
        *self.reader.until(SUBACK).await.body.last().unwrap()
    }

    /// Ends the connection by a reset, as a crash does.
    pub(crate) fn reset(self) {
        let stream = self.reader.stream.reunite(self.writer).unwrap();
        stream.set_zero_linger().unwrap();
    }
}

/// Whether a message makes its round trip within `patience`: a newcomer connects, subscribes, publishes, and gets it.
pub(crate) async fn serves(address: SocketAddr, version: Version, patience: Duration) -> bool {
    let round_trip = async {
        let mut client = Client::open(address).await?;
        let id = format!("newcomer-{:?}", client.writer.local_addr()?.port());
        let bytes = [
            Connect { version, ..Connect::new(&id) }.packet(),
            packet::subscribe(version, 1, &[(&format!("alive/{id}"), 1)]),
            packet::publish(version, &format!("alive/{id}"), 1, 2, b"yes"),
        ]
        .concat();
        client.writer.write_all(&bytes).await?;
        while !client.reader.next().await?.is_publish() {}
        client.writer.write_all(&packet::disconnect()).await
    };
    matches!(timeout(patience, round_trip).await, Ok(Ok(())))
}
