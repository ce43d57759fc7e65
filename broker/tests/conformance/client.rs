//! A raw client: exact bytes out, whole packets in, each wait with a deadline.

use std::{io::ErrorKind, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    client5,
    connect::Connect,
    message::Message,
    packet::{
        DISCONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBREC, PUBREL, Packet, SUBACK, ack, connack, frame,
        read_variable, suback, subscribe,
    },
    target::{Broker, Target},
};

/// For what must come: it comes within a millisecond, except on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(10);
/// For what must not come: a round trip of the same connection follows, so this only adds to it.
const SILENCE: Duration = Duration::from_millis(30);

/// A connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    pub(crate) target: Target,
    buffer: Vec<u8>,
    /// QoS 2 messages that were received and not released yet.
    received: Vec<u16>,
    v5: bool,
    /// How many unacknowledged messages the server takes: in MQTT 5 it says so.
    pub(crate) window: usize,
}

impl Client {
    /// A TCP connection on which nothing has been said.
    pub(crate) async fn open(broker: Broker) -> Self {
        let stream = TcpStream::connect(broker.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, target: broker.target, buffer: Vec::new(), received: Vec::new(), v5: false, window: usize::MAX }
    }

    /// The same for MQTT 5.
    pub(crate) async fn open5(broker: Broker) -> Self {
        Self { v5: true, ..Self::open(broker).await }
    }

    /// Connects with a clean session and a client identifier of its own.
    pub(crate) async fn clean(broker: Broker) -> Self {
        Self::connect(broker, &Connect::new(&broker.unique("clean"))).await
    }

    /// Connects, where no session is to be present.
    pub(crate) async fn connect(broker: Broker, connect: &Connect) -> Self {
        Self::connect_expecting(broker, connect, false).await
    }

    /// Connects to a session that is to be present.
    pub(crate) async fn resume(broker: Broker, connect: &Connect) -> Self {
        Self::connect_expecting(broker, connect, true).await
    }

    async fn connect_expecting(broker: Broker, connect: &Connect, session_present: bool) -> Self {
        let mut client = Self::open(broker).await;
        client.send(connect.bytes()).await;
        client.expect(connack(session_present)).await;
        client
    }

    /// Writes `bytes` as they are. That the server has closed meanwhile is seen by reading.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        match self.stream.write_all(bytes.as_ref()).await {
            Err(error) if !is_end(error.kind()) => panic!("cannot write: {error}"),
            _ => {}
        }
    }

    /// The next packet; none if the server closes the connection instead.
    ///
    /// The PUBREL of a message that [`Self::acknowledged`] has received is answered and not shown.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        timeout(DEADLINE, self.shown()).await.expect("the server neither answers nor closes")
    }

    /// The next packet; fails if the server closes the connection.
    pub(crate) async fn packet(&mut self) -> Packet {
        self.next().await.expect("the server closed the connection")
    }

    /// The next packet has to be exactly this.
    pub(crate) async fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let packet = self.packet().await;
        assert_eq!(packet.bytes(), bytes.as_ref(), "got {packet:?}");
    }

    /// The next packet has to be a PUBLISH.
    pub(crate) async fn message(&mut self) -> Message {
        Message::read(&self.packet().await, self.v5)
    }

    /// The payloads of the next `count` messages, as text; each is acknowledged as its QoS says.
    pub(crate) async fn payloads(&mut self, count: usize) -> Vec<String> {
        let mut payloads = Vec::new();
        for _ in 0..count {
            payloads.push(self.acknowledged().await.text());
        }
        payloads
    }

    /// The payloads of what came until now, acknowledged.
    pub(crate) async fn drain(&mut self) -> Vec<String> {
        let mut payloads = Vec::new();
        self.send(PINGREQ).await;
        loop {
            let packet = self.packet().await;
            if !packet.is_publish() {
                assert_eq!(packet.bytes(), PINGRESP, "got {packet:?}");
                return payloads;
            }
            let message = Message::read(&packet, self.v5);
            self.acknowledge(&message).await;
            payloads.push(message.text());
        }
    }

    /// The next message, acknowledged as its QoS says.
    pub(crate) async fn acknowledged(&mut self) -> Message {
        let message = self.message().await;
        self.acknowledge(&message).await;
        message
    }

    async fn acknowledge(&mut self, message: &Message) {
        match message.qos {
            1 => self.send(ack(PUBACK, message.id)).await,
            2 => {
                self.received.push(message.id);
                self.send(ack(PUBREC, message.id)).await;
            }
            _ => {}
        }
    }

    /// Subscribes one filter, which has to be granted as asked, with nothing retained.
    pub(crate) async fn subscribe(&mut self, filter: &str, qos: u8) {
        self.retained(filter, qos, 0).await;
    }

    /// Subscribes one filter and takes `count` messages, which may come before the SUBACK. `options` are the QoS, with
    /// MQTT 5's options above it.
    pub(crate) async fn retained(&mut self, filter: &str, options: u8, count: usize) -> Vec<Message> {
        let filters = [(filter, options)];
        let v4 = || subscribe(1, &filters);
        self.send(if self.v5 { client5::subscribe(1, &[], &filters) } else { v4() }).await;
        let granted_as_asked = if self.v5 { frame(SUBACK, &[0, 1, 0, options & 3]) } else { suback(1, &[options]) };
        let (mut messages, mut granted) = (Vec::new(), false);
        while !granted || messages.len() < count {
            let packet = self.packet().await;
            if packet.is_publish() {
                let message = Message::read(&packet, self.v5);
                self.acknowledge(&message).await;
                messages.push(message);
            } else {
                assert_eq!(packet.bytes(), granted_as_asked, "got {packet:?}");
                granted = true;
            }
        }
        messages
    }

    /// Publishes at QoS 1 and waits for the PUBACK.
    pub(crate) async fn publish(&mut self, message: Message) {
        self.publish_all(1, [message]).await;
    }

    /// Publishes at this QoS, as many at once as the server takes, and waits for the acknowledgements, which have to come
    /// in order ([MQTT-4.6.0-2] to [MQTT-4.6.0-4]).
    pub(crate) async fn publish_all(&mut self, qos: u8, messages: impl IntoIterator<Item = Message>) {
        let messages: Vec<_> = messages.into_iter().collect();
        for messages in messages.chunks(self.window) {
            self.publish_together(qos, messages).await;
        }
    }

    async fn publish_together(&mut self, qos: u8, messages: &[Message]) {
        let messages: Vec<_> =
            (1..).zip(messages).map(|(id, message)| self.numbered(message.clone(), qos, id)).collect();
        self.send(messages.iter().flat_map(Message::bytes).collect::<Vec<_>>()).await;
        match qos {
            0 => {}
            1 => self.expect_acks(PUBACK, &messages).await,
            _ => {
                self.expect_acks(PUBREC, &messages).await;
                self.send(messages.iter().flat_map(|message| ack(PUBREL, message.id)).collect::<Vec<_>>()).await;
                self.expect_acks(PUBCOMP, &messages).await;
            }
        }
    }

    async fn expect_acks(&mut self, first: u8, messages: &[Message]) {
        for message in messages {
            self.expect_ack(first, message.id).await;
        }
    }

    fn numbered(&self, message: Message, qos: u8, id: u16) -> Message {
        let plain = self.v5 && message.properties.is_none();
        let message = message.qos(qos, id);
        if plain { message.v5(&[]) } else { message }
    }

    /// The next packet has to be this acknowledgement; in MQTT 5 of any success.
    pub(crate) async fn expect_ack(&mut self, first: u8, id: u16) {
        if self.v5 {
            let ack = self.ack().await;
            assert!((ack.first, ack.id) == (first, id) && ack.codes[0] < 0x80, "expected {first:#x} {id}, got {ack:?}");
        } else {
            self.expect(ack(first, id)).await;
        }
    }

    /// The server has to close the connection, and to send nothing before.
    pub(crate) async fn expect_closed(&mut self) {
        if let Some(packet) = self.next().await {
            panic!("the server sent {packet:?} where it must close the connection");
        }
    }

    /// Nothing may be on its way: after a moment the answer to a PINGREQ is the next packet.
    pub(crate) async fn expect_silence(&mut self) {
        if let Ok(packet) = timeout(SILENCE, self.shown()).await {
            panic!("expected nothing, got {packet:?}");
        }
        self.ping().await;
    }

    /// A round trip that shows that the connection lives and that nothing else was sent before.
    pub(crate) async fn ping(&mut self) {
        self.send(PINGREQ).await;
        self.expect(PINGRESP).await;
    }

    /// Says farewell and waits until the server has closed.
    pub(crate) async fn disconnect(mut self) {
        self.send(DISCONNECT).await;
        self.expect_closed().await;
    }

    /// Cuts the connection with a TCP reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }

    async fn shown(&mut self) -> Option<Packet> {
        loop {
            let packet = self.read().await?;
            let Some(index) = self.received.iter().position(|id| is_pubrel(&packet, *id)) else {
                return Some(packet);
            };
            let id = self.received.remove(index);
            self.send(ack(PUBCOMP, id)).await;
        }
    }

    /// Cancel safe: what was read of a packet stays in the buffer.
    async fn read(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.buffered() {
                return Some(packet);
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return None,
                Err(error) if is_end(error.kind()) => return None,
                outcome => outcome.map(drop).unwrap(),
            }
        }
    }

    fn buffered(&mut self) -> Option<Packet> {
        let first = *self.buffer.first()?;
        let (length, size) = read_variable(&self.buffer[1..])?;
        let end = 1 + size + length;
        (self.buffer.len() >= end).then(|| {
            let body = self.buffer[1 + size..end].to_vec();
            self.buffer.drain(..end);
            Packet { first, body }
        })
    }
}

fn is_pubrel(packet: &Packet, id: u16) -> bool {
    packet.first == PUBREL && packet.body.starts_with(&id.to_be_bytes())
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted)
}
