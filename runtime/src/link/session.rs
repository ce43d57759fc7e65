//! One connection, from the attempt to its end.
//!
//! Each connection has a fresh rumqttc client, so that nothing of an earlier one (pending requests, a packet id collision, packets in
//! flight) can be sent again or wedge it. One task polls it. A poll is never dropped while its connection goes on: dropping it would
//! restart a slow connect for ever. The request channel holds one request, and the next is put in only when rumqttc has announced the last, so
//! putting one in never waits.

mod subscribing;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::pin;
use std::time::{Duration, Instant};

use rumqttc::{AsyncClient, Event, EventLoop, Outgoing, Packet, QoS};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Interval, MissedTickBehavior};

use super::config::LinkConfig;
use super::events::{EventSender, LinkEvent};
use super::handle::{Command, Shared, Wanted, another_broker};
use super::inflight::{Inflight, Token};
use super::publish::Publish;
use super::refusal::explain;

/// How long the broker may take to close the connection after our DISCONNECT. Closing it ourselves with unread data would
/// reset it, and the broker might then miss the DISCONNECT and publish the last will.
const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// Messages held back between CONNACK and SUBACK: a broker may send retained ones early.
const MAX_EARLY_MESSAGES: usize = 256;

/// Why a session ended.
pub(super) enum End {
    /// The connection failed: try again.
    Failed(String),
    /// The owner wants to use this broker of the list.
    Moved(usize),
    /// The owner closed or dropped the link.
    Closed,
}

/// How far a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Connecting,
    Subscribing {
        since: Instant,
    },
    Connected,
    /// Closing: what is in flight is awaited.
    Draining,
    /// Closing: DISCONNECT is handed to rumqttc.
    Leaving,
    /// Closing: DISCONNECT is written.
    Left {
        since: Instant,
    },
}

/// A SUBSCRIBE.
struct Asked {
    qos: QoS,
    filters: Vec<String>,
}

/// What outlives a session.
pub(super) struct Context {
    pub(super) config: LinkConfig,
    /// Filters that are subscribed beside those of the configuration.
    pub(super) listening: Vec<String>,
    pub(super) shared: std::sync::Arc<Shared>,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) wanted: watch::Receiver<Wanted>,
    pub(super) events: EventSender,
}

/// The state of one connection.
pub(super) struct Session<'a> {
    context: &'a mut Context,
    client: AsyncClient,
    broker: usize,
    connection: u64,
    phase: Phase,
    connected_since: Option<Instant>,
    inflight: Inflight,
    /// What of [`Context::listening`] this connection has asked for.
    listening: Vec<String>,
    /// Each SUBSCRIBE whose SUBACK is awaited, in their order.
    asked: VecDeque<Asked>,
    /// A SUBSCRIBE or UNSUBSCRIBE is handed to rumqttc and not announced yet.
    handed_over: bool,
    early: Vec<LinkEvent>,
    closing: Option<oneshot::Sender<bool>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(context: &'a mut Context, client: AsyncClient, broker: usize, connection: u64) -> Self {
        let inflight = Inflight::new(context.config.inflight);
        Self {
            context,
            client,
            broker,
            connection,
            phase: Phase::Connecting,
            connected_since: None,
            inflight,
            listening: Vec::new(),
            asked: VecDeque::new(),
            handed_over: false,
            early: Vec::new(),
            closing: None,
        }
    }

    /// Runs the connection to its end. Also tells for how long it was connected and subscribed.
    pub(super) async fn run(mut self, mut eventloop: EventLoop) -> (End, Duration) {
        let Err(end) = self.drive(&mut eventloop).await;
        self.salvage(&mut eventloop);
        self.settle(end)
    }

    async fn drive(&mut self, eventloop: &mut EventLoop) -> Result<Infallible, End> {
        let mut tick = ticks(self.context.config.ack_timeout);
        loop {
            self.feed()?;
            let polled = {
                let mut poll = pin!(eventloop.poll());
                loop {
                    tokio::select! {
                        biased;
                        _ = tick.tick() => self.check_time(Instant::now())?,
                        broker = another_broker(&mut self.context.wanted, self.connection) => self.leave(broker)?,
                        polled = &mut poll => break polled,
                        command = self.context.commands.recv(), if self.wants_command() => self.take(command)?,
                    }
                }
            };
            match polled {
                Ok(event) => self.handle(event, eventloop)?,
                Err(_) if matches!(self.phase, Phase::Left { .. }) => return Err(End::Closed),
                Err(error) => return Err(End::Failed(explain(&error))),
            }
        }
    }

    /// Whether the next command can be acted on now. If not it waits in its queue, whose bytes are bounded.
    fn wants_command(&self) -> bool {
        match self.phase {
            Phase::Connecting | Phase::Subscribing { .. } => true,
            Phase::Connected => self.inflight.has_room() && !self.handed_over,
            Phase::Draining | Phase::Leaving | Phase::Left { .. } => false,
        }
    }

    fn leave(&self, broker: usize) -> Result<(), End> {
        if broker < self.context.config.brokers.len() { Err(End::Moved(broker)) } else { Ok(()) }
    }

    fn feed(&mut self) -> Result<(), End> {
        while self.wants_command() {
            match self.context.commands.try_recv() {
                Ok(command) => self.take(Some(command))?,
                Err(mpsc::error::TryRecvError::Disconnected) => self.take(None)?,
                Err(mpsc::error::TryRecvError::Empty) => break,
            }
        }
        self.leave_when_drained()
    }

    fn take(&mut self, command: Option<Command>) -> Result<(), End> {
        match command {
            Some(Command::Publish { publish, connection }) if connection == self.connection => self.hand_over(publish),
            Some(Command::Publish { publish, .. }) => {
                self.context.discard(&publish);
                Ok(())
            }
            Some(Command::Listen(filters)) => {
                self.context.listening = filters;
                if self.phase == Phase::Connected { self.listen() } else { Ok(()) }
            }
            Some(Command::Close(done)) => {
                self.closing = Some(done);
                if self.phase != Phase::Connected {
                    return Err(End::Closed);
                }
                self.phase = Phase::Draining;
                self.leave_when_drained()
            }
            None => Err(End::Closed),
        }
    }

    fn hand_over(&mut self, publish: Publish) -> Result<(), End> {
        let cost = publish.cost();
        let since = Instant::now();
        self.inflight.hand_over(Token { cost, since });
        let counters = &self.context.shared.counters;
        counters.published.increment();
        counters.published_bytes.add(length(publish.payload.len()));
        self.client
            .try_publish(publish.topic, QoS::AtLeastOnce, publish.retain, publish.payload)
            .map_err(|error| End::Failed(format!("publish not taken: {error}")))
    }

    fn leave_when_drained(&mut self) -> Result<(), End> {
        if self.phase == Phase::Draining && self.inflight.is_empty() {
            self.phase = Phase::Leaving;
            let failed = |error| End::Failed(format!("disconnect not taken: {error}"));
            self.client.try_disconnect().map_err(failed)?;
        }
        Ok(())
    }

    fn handle(&mut self, event: Event, eventloop: &mut EventLoop) -> Result<(), End> {
        match event {
            Event::Incoming(Packet::ConnAck(_)) => {
                // It bounds each flush from here on: a slow uplink may take longer than a connect should.
                let seconds = self.context.config.ack_timeout.as_secs().max(1);
                eventloop.network_options.set_connection_timeout(seconds);
                self.subscribe()
            }
            Event::Incoming(Packet::SubAck(ack)) => self.subscribed(&ack),
            Event::Incoming(Packet::Publish(message)) => {
                self.receive(message);
                Ok(())
            }
            Event::Incoming(Packet::PubAck(ack)) => self.acknowledged(ack.pkid),
            Event::Outgoing(Outgoing::Publish(pkid)) => self.sent(pkid),
            Event::Outgoing(Outgoing::Subscribe(_) | Outgoing::Unsubscribe(_)) => self.announced(),
            Event::Outgoing(Outgoing::Disconnect) => {
                let since = Instant::now();
                self.phase = Phase::Left { since };
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn connected(&mut self) -> Result<(), End> {
        self.phase = Phase::Connected;
        self.connected_since = Some(Instant::now());
        self.context.shared.counters.connects.increment();
        self.context.shared.set_online(self.connection);
        let (broker, connection) = (self.broker, self.connection);
        tracing::info!(broker = %self.context.config.brokers[broker], connection, "connected");
        self.context.events.send(LinkEvent::Connected { broker, connection });
        for message in std::mem::take(&mut self.early) {
            self.offer(message);
        }
        // It may have changed since the SUBSCRIBE.
        self.listen()
    }

    fn receive(&mut self, message: rumqttc::Publish) {
        let counters = &self.context.shared.counters;
        counters.received.increment();
        counters.received_bytes.add(length(message.payload.len()));
        let event = LinkEvent::Message { topic: message.topic, payload: message.payload };
        if self.connected_since.is_some() {
            self.offer(event);
        } else if self.early.len() < MAX_EARLY_MESSAGES {
            self.early.push(event);
        } else {
            counters.shed.increment();
        }
    }

    fn offer(&self, message: LinkEvent) {
        if !self.context.events.offer(message) {
            self.context.shared.counters.shed.increment();
        }
    }

    fn sent(&mut self, pkid: u16) -> Result<(), End> {
        if self.inflight.sent(pkid, Instant::now()) {
            return Ok(());
        }
        Err(End::Failed(format!("packet id {pkid} was sent without a publish of ours")))
    }

    fn acknowledged(&mut self, pkid: u16) -> Result<(), End> {
        let Some(token) = self.inflight.acknowledged(pkid) else {
            return Err(End::Failed(format!("PUBACK for packet id {pkid}, which is not in flight")));
        };
        self.context.shared.outgoing.release(token.cost);
        self.context.shared.counters.acknowledged.increment();
        Ok(())
    }

    /// Ends what has waited too long. The connect is bounded by rumqttc.
    fn check_time(&self, now: Instant) -> Result<(), End> {
        let limit = self.context.config.ack_timeout;
        let overdue = |since: Instant, limit| now.saturating_duration_since(since) > limit;
        if self.context.events.is_closed() {
            return Err(End::Closed);
        }
        match self.phase {
            Phase::Subscribing { since } if overdue(since, limit) => {
                return Err(End::Failed(format!("no SUBACK within {limit:?}")));
            }
            Phase::Left { since } if overdue(since, LEAVE_GRACE) => return Err(End::Closed),
            _ => {}
        }
        if self.inflight.oldest().is_some_and(|since| overdue(since, limit)) {
            return Err(End::Failed(format!("no PUBACK within {limit:?}")));
        }
        Ok(())
    }

    /// Takes what rumqttc had read and acknowledged before it failed.
    fn salvage(&mut self, eventloop: &mut EventLoop) {
        for event in std::mem::take(&mut eventloop.state.events) {
            match event {
                Event::Incoming(Packet::Publish(message)) => self.receive(message),
                Event::Incoming(Packet::PubAck(ack)) => {
                    // An unknown id is what ended the connection; there is nothing more to end.
                    self.acknowledged(ack.pkid).ok();
                }
                _ => {}
            }
        }
    }

    fn settle(mut self, end: End) -> (End, Duration) {
        let shared = &self.context.shared;
        shared.set_offline();
        for token in self.inflight.tokens() {
            shared.outgoing.release(token.cost);
            shared.counters.dropped.increment();
        }
        if let Some(since) = self.connected_since {
            let reason = match &end {
                End::Failed(reason) => reason.clone(),
                End::Moved(_) => "left for another broker".to_owned(),
                End::Closed => "closed".to_owned(),
            };
            self.context.events.send(LinkEvent::Disconnected { reason });
            let lasted = since.elapsed();
            return (self.answer(end), lasted);
        }
        (self.answer(end), Duration::ZERO)
    }

    /// Tells whoever asked for the close, after which a failure is no reason to connect again.
    fn answer(&mut self, end: End) -> End {
        let Some(done) = self.closing.take() else {
            return end;
        };
        let flushed = matches!(self.phase, Phase::Left { .. });
        // Whoever asked may have given up waiting.
        done.send(flushed).ok();
        End::Closed
    }
}

impl Context {
    /// Throws away a publish that belongs to no living connection.
    pub(super) fn discard(&self, publish: &Publish) {
        self.shared.outgoing.release(publish.cost());
        self.shared.counters.dropped.increment();
    }
}

/// When to look for what is overdue: often enough that `limit` is kept within a quarter of it or a second.
fn ticks(limit: Duration) -> Interval {
    let period = (limit / 4).min(Duration::from_secs(1));
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
