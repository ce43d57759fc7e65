//! A client's connection: one task that reads, writes, and waits for messages, all at the same time.

use std::{collections::HashMap, pin::pin, sync::Arc};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::{Instant, sleep_until},
};

use super::{
    Gate,
    limits::{OUTPUT_BYTES, TOPIC_ALIAS_MAXIMUM, WINDOW},
    outbound::Outbound,
    peer::Trust,
    receive::Routes,
    rights::Rights,
    socket::{farewell, write},
    timing::{self, Late, Rate, Watch},
};
use crate::{
    packet::{Connect, Reason, Version, write_disconnect},
    router::inbox::Inbox,
    session::{
        Overflow, Session, Will,
        registry::{Handover, Seat},
        sleep,
    },
    subscriptions::Route,
};

/// Room for the first read; a client that sends more gets more.
const FIRST_READ: usize = 1024;
/// Most that is read at once.
const LARGEST_READ: usize = 64 * 1024;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The client said so.
    Disconnected { with_will: bool },
    /// The socket was closed or broke.
    Lost,
    /// The broker ends it; an MQTT 5.0 client is told why.
    Refused(Reason),
    /// Another connection has the client id now, and waits for the session.
    TakenOver(Handover),
    /// The broker stops.
    Stopping,
}

/// What to do after some packets were processed.
#[derive(Debug, Clone)]
pub(super) enum Next {
    /// Nothing is left but perhaps a part of a packet.
    Read,
    /// More is left: others first.
    Yield,
    /// A packet waits for room in an inbox.
    Wait(Arc<Inbox>),
    /// Receivers are behind: they have a moment to catch up.
    Pace(Arc<Route>),
}

impl Next {
    /// What it has to wait for, if anything.
    async fn wait(waits_for: Option<Self>) {
        match waits_for {
            Some(Self::Wait(inbox)) => timing::emptied(&inbox).await,
            Some(Self::Pace(route)) => timing::caught_up(&route).await,
            _ => {}
        }
    }

    fn waits(&self) -> bool {
        matches!(self, Self::Wait(_) | Self::Pace(_))
    }
}

/// A client, from CONNACK on.
pub(super) struct Connection {
    pub(super) gate: Arc<Gate>,
    pub(super) version: Version,
    pub(super) seat: Seat,
    pub(super) session: Session,
    pub(super) rights: Rights,
    will: Option<Will>,
    /// Largest packet that the client takes.
    pub(super) packet_bytes: usize,
    /// Most messages in flight to the client.
    pub(super) window: usize,
    pub(super) out: BytesMut,
    pub(super) outbound: Outbound,
    /// Something was written that encryption or a WebSocket may still hold back.
    unflushed: bool,
    pub(super) routes: Routes,
    /// Topics that the client has given a number.
    pub(super) aliases: HashMap<u16, Box<str>>,
    /// Topics that were given a number for the client, which takes so many.
    pub(super) given_aliases: HashMap<Box<str>, u16>,
    pub(super) alias_maximum: u16,
    pub(super) published: u32,
    rate: Rate,
    watch: Watch,
}

impl Connection {
    pub(super) fn new(
        gate: Arc<Gate>,
        connect: &Connect,
        keep_alive: u16,
        (seat, session): (Seat, Session),
        will: Option<Will>,
        rights: Rights,
    ) -> Self {
        let now = Instant::now();
        let packet_bytes = usize::try_from(connect.maximum_packet_size).unwrap_or(usize::MAX);
        Self {
            version: connect.version,
            seat,
            session,
            rights,
            will,
            packet_bytes,
            window: WINDOW.min(usize::from(connect.receive_maximum)),
            out: BytesMut::new(),
            outbound: Outbound::default(),
            // CONNACK.
            unflushed: true,
            routes: Routes::default(),
            aliases: HashMap::new(),
            given_aliases: HashMap::new(),
            alias_maximum: connect.topic_alias_maximum.min(TOPIC_ALIAS_MAXIMUM),
            published: 0,
            rate: Rate::new(&gate.limits(), now),
            watch: Watch::new(keep_alive, &gate.limits(), now),
            gate,
        }
    }

    /// Serves the client until the connection ends, and then does what is to be done for its session and will.
    pub(super) async fn serve(
        mut self,
        mut reader: impl AsyncRead + Unpin,
        mut writer: impl AsyncWrite + Unpin,
        input: BytesMut,
        mut trust: Trust,
    ) {
        let end = self.run(&mut reader, &mut writer, input, &mut trust).await;
        let words = self.last_words(&end);
        // A newcomer and those who get the will have waited enough.
        self.finish(end).await;
        farewell(&mut reader, &mut writer, words).await;
    }

    /// The client has gone before it was told that it is connected: its session is kept or ended, and no will is published.
    pub(super) async fn abandon(self) {
        self.finish(End::Disconnected { with_will: false }).await;
    }

    async fn run(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        writer: &mut (impl AsyncWrite + Unpin),
        mut input: BytesMut,
        trust: &mut Trust,
    ) -> End {
        let gate = Arc::clone(&self.gate);
        let mut stopping = pin!(gate.stopping());
        let mut timer = pin!(sleep_until(self.watch.next(Instant::now())));
        let mut size = FIRST_READ;
        // What came with CONNECT.
        let mut next = Next::Yield;
        let mut pause: Option<Instant> = None;
        loop {
            if matches!(next, Next::Yield) && pause.is_none() && self.out.len() < OUTPUT_BYTES {
                match self.process(&mut input).await {
                    Ok(then) => next = then,
                    Err(end) => return end,
                }
                pause = self.charge();
            }
            let more = self.deliver();
            leave_others_their_turn(more || matches!(next, Next::Yield)).await;
            let has_output = self.has_output();
            let may_answer = pause.is_none() && self.out.len() < OUTPUT_BYTES;
            let may_read = may_answer && matches!(next, Next::Read);
            if may_read {
                input.reserve(size);
            } else {
                // Nobody listens, so it is not the client that is silent.
                self.watch.heard(Instant::now());
            }
            self.session.say_whether_behind();
            let waits_for = next.waits().then(|| next.clone());
            tokio::select! {
                handover = self.seat.evicted() => return End::TakenOver(handover),
                () = &mut stopping => return End::Stopping,
                () = trust.lost() => return End::Refused(Reason::NotAuthorized),
                () = self.rights.changed() => if let Err(end) = self.take_over_rights() {
                    return end;
                },
                written = write(writer, &mut self.out, &mut self.unflushed), if has_output => match written {
                    Ok(count) => self.wrote(count),
                    Err(_) => return End::Lost,
                },
                received = self.session.receive() => if let Err(overflow) = received {
                    return self.overflow(overflow);
                },
                read = reader.read_buf(&mut input), if may_read => match read {
                    Ok(0) | Err(_) => return End::Lost,
                    Ok(count) => {
                        self.heard(count);
                        size = next_size(size, count);
                        next = Next::Yield;
                    }
                },
                () = Next::wait(waits_for), if next.waits() => next = Next::Yield,
                () = std::future::ready(()), if more || may_answer && matches!(next, Next::Yield) => {}
                () = pause_until(pause), if pause.is_some() => pause = None,
                () = &mut timer => {
                    if !may_read {
                        self.watch.heard(Instant::now());
                    }
                    if let Err(late) = self.watch.check(Instant::now()) {
                        return self.late(late);
                    }
                    self.free(&mut input);
                    timer.as_mut().reset(self.watch.next(Instant::now()));
                }
            }
            let due = self.watch.next(Instant::now());
            if due < timer.deadline() {
                timer.as_mut().reset(due);
            }
        }
    }

    /// Whether something waits to be written, and since when.
    fn has_output(&mut self) -> bool {
        let has_output = !self.out.is_empty() || self.unflushed;
        if has_output {
            self.watch.waits(Instant::now());
        }
        has_output
    }

    fn take_over_rights(&mut self) -> Result<(), End> {
        if !self.rights.refresh(&self.gate) {
            return Err(End::Refused(Reason::AdministrativeAction));
        }
        self.routes.forget();
        self.rights.restrict(&mut self.session);
        Ok(())
    }

    fn heard(&mut self, count: usize) {
        self.watch.heard(Instant::now());
        self.gate.metrics.bytes_in.add(count as u64);
    }

    fn wrote(&mut self, count: usize) {
        self.watch.wrote(!self.out.is_empty() || self.unflushed, Instant::now());
        self.gate.metrics.bytes_out.add(count as u64);
    }

    fn overflow(&self, overflow: Overflow) -> End {
        self.gate.metrics.slow_consumers.add(1);
        tracing::warn!(client_id = ?self.seat.client_id(), %overflow, "a client that is too far behind is disconnected");
        End::Refused(Reason::QuotaExceeded)
    }

    fn late(&self, late: Late) -> End {
        match late {
            Late::Silent => End::Refused(Reason::KeepAliveTimeout),
            Late::Stuck => {
                self.gate.metrics.slow_consumers.add(1);
                End::Lost
            }
        }
    }

    /// Counts what was published against the client's rate: until when it is not to be read from.
    fn charge(&mut self) -> Option<Instant> {
        let (messages, bytes) = (std::mem::take(&mut self.published), self.routes.take_bytes());
        if messages == 0 {
            return None;
        }
        self.gate.metrics.messages_in.add(u64::from(messages));
        let now = Instant::now();
        let delay = self.rate.charge(messages, bytes, now);
        (!delay.is_zero()).then(|| now + delay)
    }

    /// Gives memory back that a burst has taken.
    fn free(&mut self, input: &mut BytesMut) {
        if input.is_empty() {
            *input = BytesMut::new();
        }
        if self.out.is_empty() {
            self.out = BytesMut::new();
        }
        self.outbound.free();
    }

    /// What is left to be written, and why the connection ends, as far as there is a word for it.
    fn last_words(&mut self, end: &End) -> BytesMut {
        let reason = match end {
            End::Disconnected { .. } | End::Lost => None,
            End::Refused(reason) => {
                self.gate.metrics.refuse("connection", *reason);
                Some(*reason)
            }
            End::TakenOver(_) => Some(Reason::SessionTakenOver),
            End::Stopping => Some(Reason::ServerShuttingDown),
        };
        if let Some(reason) = reason {
            tracing::debug!(client_id = ?self.seat.client_id(), reason = reason.label(), "connection ended by the broker");
            write_disconnect(&mut self.out, self.version, reason);
        }
        if matches!(end, End::Lost) { BytesMut::new() } else { std::mem::take(&mut self.out) }
    }

    /// Passes on what was acknowledged and had no room yet. The client's own inbox may be among those that have none, so it is read meanwhile.
    async fn hand_over(&mut self) {
        while let Err(full) = self.outbound.close(self.session.number()) {
            self.outbound.submit(&self.gate);
            tokio::select! {
                () = timing::emptied(&full) => {}
                received = self.session.receive() => if received.is_err() {
                    self.session.end();
                },
            }
        }
        self.outbound.submit(&self.gate);
    }

    /// Publishes the will, and leaves session and client id to whom they belong now.
    async fn finish(mut self, end: End) {
        if let End::Lost = end {
            self.gate.metrics.lost.add(1);
        }
        self.hand_over().await;
        let wanted = !matches!(end, End::Disconnected { with_will: false } | End::Stopping);
        self.session.will = self.will.take().filter(|_| wanted);
        let at_once = self.session.will.as_mut().is_some_and(Will::start);
        if at_once || self.session.expiry == 0 {
            self.session.publish_will().await;
        }
        let kept = self.session.expiry > 0 && !matches!(end, End::Stopping);
        match (end, kept) {
            (End::TakenOver(handover), true) => drop(handover.send(Some(self.session))),
            (End::TakenOver(handover), false) => {
                drop(self.session);
                drop(handover.send(None));
            }
            (_, true) => {
                tokio::spawn(sleep(self.gate, self.seat, self.session));
            }
            (_, false) => {
                drop(self.session);
                self.seat.leave(None);
            }
        }
    }
}

/// Lets other tasks run. As one branch of a `select!` beside others that are ready it would not.
async fn leave_others_their_turn(unfinished: bool) {
    if unfinished {
        tokio::task::yield_now().await;
    }
}

async fn pause_until(until: Option<Instant>) {
    if let Some(until) = until {
        sleep_until(until).await;
    }
}

/// Reads that fill their room get twice as much, up to a bound.
fn next_size(size: usize, count: usize) -> usize {
    if count >= size { (size * 2).min(LARGEST_READ) } else { size }
}
