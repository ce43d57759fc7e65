//! What a client's packets do.

use std::collections::HashMap;

use bytes::{Buf, BytesMut};

use super::{
    connection::{Connection, End, Next},
    limits::{OUTPUT_BYTES, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM, TURN_BYTES, TURN_PACKETS},
};
use crate::{
    message::{Envelope, Message},
    packet::{
        Ack, Disconnect, Frame, FrameError, Kind, Malformed, Publish, QoS, Reason, Subscribe, SubscribeOptions,
        Unsubscribe, Version, write_ack, write_pingresp, write_suback, write_unsuback,
    },
    router::inbox::Inbox,
    session::{SubscribeFailure, Subscription},
    subscriptions::Route,
    topic,
};
use std::sync::Arc;

/// Topics whose receivers a connection remembers. Devices publish to a handful.
const KNOWN_TOPICS: usize = 64;
/// Longer ones are looked up each time.
const KNOWN_TOPIC_BYTES: usize = 512;

/// The receivers of the topics that a client publishes to, looked up once for each state of the subscriptions.
#[derive(Debug, Default)]
pub(super) struct Routes {
    known: HashMap<Box<str>, Known>,
    /// Of payloads, since they were last counted.
    bytes: usize,
}

#[derive(Debug)]
struct Known {
    version: u64,
    route: Arc<Route>,
}

impl Routes {
    /// What the client may publish has changed.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    pub(super) fn take_bytes(&mut self) -> usize {
        std::mem::take(&mut self.bytes)
    }
}

/// What a packet leads to.
enum Flow {
    Next,
    /// Nothing yet: it is to be tried again when there is room.
    Wait(Arc<Inbox>),
    End(End),
}

impl From<Malformed> for End {
    fn from(malformed: Malformed) -> Self {
        tracing::debug!(%malformed, "a client broke the protocol");
        Self::Refused(Reason::MalformedPacket)
    }
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        tracing::debug!(%error, "a client broke the protocol");
        Self::Refused(match error {
            FrameError::TooLarge(_) => Reason::PacketTooLarge,
            FrameError::Unexpected(..) | FrameError::Length => Reason::MalformedPacket,
        })
    }
}

impl Connection {
    /// Takes the packets that are in `input`, as far as there is room for what they lead to, and calls the router once for all.
    pub(super) async fn process(&mut self, input: &mut BytesMut) -> Result<Next, End> {
        let (mut done, packet_bytes) = (0, self.gate.limits().packet_bytes);
        let outcome = loop {
            if done >= TURN_BYTES || self.out.len() >= OUTPUT_BYTES || self.outbound.parcels() >= TURN_PACKETS {
                break Ok(Next::Yield);
            }
            match Frame::cut(&input[done..], packet_bytes) {
                Err(error) => break Err(error.into()),
                Ok(None) => break Ok(Next::Read),
                Ok(Some(frame)) => match self.packet(frame).await {
                    Ok(Flow::Next) => done += frame.length,
                    Ok(Flow::Wait(inbox)) => break Ok(Next::Wait(inbox)),
                    Ok(Flow::End(end)) | Err(end) => break Err(end),
                },
            }
        };
        input.advance(done);
        let closed = self.outbound.close(self.session.number());
        self.outbound.submit(&self.gate);
        self.gate.intake.room().await;
        match (outcome, closed, self.outbound.take_behind()) {
            (Ok(Next::Read | Next::Yield), Err(full), _) => Ok(Next::Wait(full)),
            (Ok(Next::Read | Next::Yield), Ok(()), Some(behind)) => Ok(Next::Pace(behind)),
            (outcome, ..) => outcome,
        }
    }

    async fn packet(&mut self, frame: Frame<'_>) -> Result<Flow, End> {
        match frame.kind {
            Kind::Publish => return self.publish(Publish::read(frame.flags, frame.body, self.version)?),
            Kind::PubAck => self.puback(Ack::read(frame.body, self.version)?),
            Kind::PubRec => self.pubrec(Ack::read(frame.body, self.version)?),
            Kind::PubRel => self.pubrel(Ack::read(frame.body, self.version)?),
            Kind::PubComp => self.puback(Ack::read(frame.body, self.version)?),
            Kind::Subscribe => self.subscribe(Subscribe::read(frame.body, self.version)?).await?,
            Kind::Unsubscribe => self.unsubscribe(&Unsubscribe::read(frame.body, self.version)?),
            Kind::PingReq if frame.body.is_empty() => write_pingresp(&mut self.out),
            Kind::PingReq => return Err(Malformed("PINGREQ with a body").into()),
            Kind::Disconnect => return self.disconnect(Disconnect::read(frame.body, self.version)?).map(Flow::End),
            // CONNECT comes once [MQTT-3.1.0-2]; AUTH only after an authentication method was agreed on, and none ever is.
            Kind::Connect | Kind::Auth => return Err(End::Refused(Reason::ProtocolError)),
        }
        Ok(Flow::Next)
    }

    fn publish(&mut self, publish: Publish<'_>) -> Result<Flow, End> {
        let named;
        let topic = match publish.properties.alias {
            None => publish.topic,
            Some(alias) => {
                named = self.alias(alias, publish.topic)?;
                &named
            }
        };
        if publish.qos == QoS::ExactlyOnce && self.session.received.contains(&publish.id) {
            // It came before: only the answer was lost [MQTT-4.3.3-2].
            self.acknowledge(&publish, Reason::Success);
            return Ok(Flow::Next);
        }
        let route = match self.route(topic) {
            Ok(route) => route,
            Err(reason) => return self.refuse(&publish, topic, reason),
        };
        if publish.qos == QoS::ExactlyOnce && self.session.received.len() >= usize::from(RECEIVE_MAXIMUM) {
            return Err(End::Refused(Reason::ReceiveMaximumExceeded));
        }
        let publisher = self.session.number();
        let reached = route.has_receivers(publisher);
        let expires = publish.properties.expiry.map(|seconds| self.gate.now() + u64::from(seconds));
        let envelope = Envelope { qos: publish.qos, retain: publish.retain, expires };
        let properties = &publish.properties.forwarded;
        if reached {
            let message = (topic, properties.as_slice(), publish.payload);
            if let Err(full) = self.outbound.push(publisher, &route, message, envelope) {
                return Ok(Flow::Wait(full));
            }
        }
        if publish.retain {
            let message = Message::new(topic, properties, publish.payload, envelope);
            self.gate.retain(&message, &self.rights.owner);
        }
        self.published += 1;
        self.routes.bytes += publish.payload.len();
        if publish.qos == QoS::ExactlyOnce {
            self.session.received.insert(publish.id);
        }
        let reason = if reached { Reason::Success } else { Reason::NoMatchingSubscribers };
        self.acknowledge(&publish, reason);
        Ok(Flow::Next)
    }

    /// The topic that a number stands for, after taking in what it is to stand for (5.0, 3.3.2.3.4).
    fn alias(&mut self, alias: u16, topic: &str) -> Result<Box<str>, End> {
        if !(1..=TOPIC_ALIAS_MAXIMUM).contains(&alias) {
            return Err(End::Refused(Reason::TopicAliasInvalid));
        }
        if !topic.is_empty() {
            self.aliases.insert(alias, topic.into());
        }
        self.aliases.get(&alias).cloned().ok_or(End::Refused(Reason::ProtocolError))
    }

    /// Who gets what is published to a topic, if the client may publish to it.
    fn route(&mut self, topic: &str) -> Result<Arc<Route>, Reason> {
        let version = self.gate.subscriptions.version();
        if let Some(known) = self.routes.known.get(topic)
            && known.version == version
        {
            return Ok(Arc::clone(&known.route));
        }
        topic::check_topic(topic).map_err(|_| Reason::TopicNameInvalid)?;
        if !self.rights.identity.may_publish(topic) {
            return Err(Reason::NotAuthorized);
        }
        let route = Arc::new(self.gate.subscriptions.route(topic));
        if topic.len() <= KNOWN_TOPIC_BYTES {
            if self.routes.known.len() >= KNOWN_TOPICS {
                self.routes.known.clear();
            }
            self.routes.known.insert(topic.into(), Known { version, route: Arc::clone(&route) });
        }
        Ok(route)
    }

    /// MQTT 3.1.1 has no way to refuse a message but to end the connection [MQTT-3.3.5-2]; 5.0 has one for QoS 1 and 2. Topics of the server's
    /// own are no reason to end it: their messages reach nobody (4.7.2).
    fn refuse(&mut self, publish: &Publish<'_>, topic: &str, reason: Reason) -> Result<Flow, End> {
        self.gate.metrics.refuse("publish", reason);
        let answerable = self.version == Version::V5 && publish.qos != QoS::AtMostOnce;
        let harmless = reason == Reason::NotAuthorized && topic.starts_with('$');
        if reason == Reason::TopicNameInvalid || !(answerable || harmless) {
            return Err(End::Refused(reason));
        }
        self.acknowledge(publish, reason);
        Ok(Flow::Next)
    }

    fn acknowledge(&mut self, publish: &Publish<'_>, reason: Reason) {
        let kind = match publish.qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => Kind::PubAck,
            QoS::ExactlyOnce => Kind::PubRec,
        };
        write_ack(&mut self.out, self.version, kind, publish.id, reason);
    }

    /// PUBACK and PUBCOMP end a message. An unknown identifier is none of this session's, and does no harm.
    fn puback(&mut self, ack: Ack) {
        if let Some(bytes) = self.session.window.finish(ack.id) {
            self.session.backlog.release(bytes);
        }
    }

    fn pubrec(&mut self, ack: Ack) {
        if !ack.success {
            return self.puback(ack);
        }
        let reason =
            if self.session.window.release(ack.id) { Reason::Success } else { Reason::PacketIdentifierNotFound };
        write_ack(&mut self.out, self.version, Kind::PubRel, ack.id, reason);
    }

    fn pubrel(&mut self, ack: Ack) {
        let known = self.session.received.remove(&ack.id);
        let reason = if known { Reason::Success } else { Reason::PacketIdentifierNotFound };
        write_ack(&mut self.out, self.version, Kind::PubComp, ack.id, reason);
    }

    async fn subscribe(&mut self, subscribe: Subscribe<'_>) -> Result<(), End> {
        let mut codes = Vec::with_capacity(subscribe.filters.len());
        for (filter, options) in subscribe.filters {
            let subscription = Subscription { options, id: subscribe.subscription_id };
            let code = self.subscribe_one(filter, subscription).await?;
            if let Err(reason) = code {
                self.gate.metrics.refuse("subscribe", reason);
            }
            codes.push(code);
            // Looking for retained messages takes milliseconds, and a packet has room for thousands of filters.
            if self.session.pause().await.is_err() {
                self.gate.metrics.slow_consumers.add(1);
                return Err(End::Refused(Reason::QuotaExceeded));
            }
        }
        write_suback(&mut self.out, self.version, subscribe.id, &codes);
        Ok(())
    }

    async fn subscribe_one(&mut self, filter: &str, subscription: Subscription) -> Result<Result<QoS, Reason>, End> {
        let Ok(shared) = topic::shared(filter) else { return Ok(Err(Reason::TopicFilterInvalid)) };
        let inner = shared.map_or(filter, |(_, inner)| inner);
        if topic::check_filter(inner).is_err() {
            return Ok(Err(Reason::TopicFilterInvalid));
        }
        let SubscribeOptions { no_local, qos, .. } = subscription.options;
        if shared.is_some() && no_local {
            // It cannot be told which member has published [MQTT-3.8.3-4 of 5.0].
            return Err(End::Refused(Reason::ProtocolError));
        }
        if !self.rights.identity.may_subscribe(filter) {
            return Ok(Err(Reason::NotAuthorized));
        }
        match self.session.subscribe(filter, subscription).await {
            Ok(()) => Ok(Ok(qos)),
            Err(SubscribeFailure::TooMany) => Ok(Err(Reason::QuotaExceeded)),
            Err(SubscribeFailure::Router) => Ok(Err(Reason::ServerBusy)),
        }
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe<'_>) {
        let ended = |filter: &&str| match self.session.unsubscribe(filter) {
            true => Reason::Success,
            false => Reason::NoSubscriptionExisted,
        };
        let reasons: Vec<_> = unsubscribe.filters.iter().map(ended).collect();
        write_unsuback(&mut self.out, self.version, unsubscribe.id, &reasons);
    }

    /// A session that was to end with the connection cannot be given a longer life at its end [MQTT-3.14.2-2 of 5.0].
    fn disconnect(&mut self, disconnect: Disconnect) -> Result<End, End> {
        if let Some(seconds) = disconnect.session_expiry {
            if self.session.expiry == 0 && seconds > 0 {
                return Err(End::Refused(Reason::ProtocolError));
            }
            self.session.expiry = seconds;
        }
        Ok(End::Disconnected { with_will: disconnect.with_will })
    }
}
