//! What a connection has subscribed: the configured filters when it begins, and others that come and go.
//!
//! What is refused at `QoS` 1 is asked for at `QoS` 0 before the connection is given up. A NATS cluster that has lost a server refuses each
//! third or so, as it makes something to be elected of each; and the broker's word means nothing to the protocol.

use super::{Asked, End, Phase, Session};
use rumqttc::{QoS, SubAck, SubscribeFilter, SubscribeReasonCode};
use std::time::Instant;

impl Session<'_> {
    pub(super) fn subscribe(&mut self) -> Result<(), End> {
        self.listening.clone_from(&self.context.listening);
        let filters: Vec<String> = self.context.config.subscriptions.iter().chain(&self.listening).cloned().collect();
        if filters.is_empty() {
            return self.connected();
        }
        let since = Instant::now();
        self.phase = Phase::Subscribing { since };
        self.ask_for(filters)
    }

    fn ask_for(&mut self, filters: Vec<String>) -> Result<(), End> {
        let qos = if self.context.config.at_most_once { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        self.ask_for_at(qos, filters)
    }

    fn ask_for_at(&mut self, qos: QoS, filters: Vec<String>) -> Result<(), End> {
        let wanted = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), qos));
        let failed = |error| End::Failed(format!("subscribe not taken: {error}"));
        self.client.try_subscribe_many(wanted).map_err(failed)?;
        self.handed_over = true;
        self.asked.push_back(Asked { qos, filters });
        Ok(())
    }

    /// Asks for what is to be heard beside the configured filters, if that is something else than before.
    pub(super) fn listen(&mut self) -> Result<(), End> {
        if self.handed_over {
            return Ok(());
        }
        let wanted = &self.context.listening;
        if let Some(old) = self.listening.iter().position(|filter| !wanted.contains(filter)) {
            let failed = |error| End::Failed(format!("unsubscribe not taken: {error}"));
            self.client.try_unsubscribe(self.listening.swap_remove(old)).map_err(failed)?;
            self.handed_over = true;
            return Ok(());
        }
        let new: Vec<String> = wanted.iter().filter(|filter| !self.listening.contains(filter)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        self.listening.extend_from_slice(&new);
        self.ask_for(new)
    }

    /// A SUBSCRIBE or UNSUBSCRIBE is on its way: there is room for the next.
    pub(super) fn announced(&mut self) -> Result<(), End> {
        self.handed_over = false;
        if self.phase == Phase::Connected && self.inflight.has_room() { self.listen() } else { Ok(()) }
    }

    pub(super) fn subscribed(&mut self, ack: &SubAck) -> Result<(), End> {
        let Some(Asked { qos, filters }) = self.asked.pop_front() else {
            return Err(End::Failed("SUBACK for nothing that was asked for".to_owned()));
        };
        if ack.return_codes.len() != filters.len() {
            let codes = ack.return_codes.len();
            return Err(End::Failed(format!("SUBACK with {codes} codes for {} filters", filters.len())));
        }
        let answers = filters.into_iter().zip(&ack.return_codes);
        let not_granted: Vec<_> = answers.filter(|(_, code)| !grants(code, qos)).collect();
        let Some((filter, code)) = not_granted.first() else {
            return if matches!(self.phase, Phase::Subscribing { .. }) { self.connected() } else { Ok(()) };
        };
        let refused = not_granted.iter().all(|(_, code)| matches!(code, SubscribeReasonCode::Failure));
        if qos == QoS::AtLeastOnce && refused && self.may_ask_again() {
            return self.ask_for_at(QoS::AtMostOnce, not_granted.into_iter().map(|(filter, _)| filter).collect());
        }
        Err(End::Failed(format!("the broker refused to subscribe {filter:?} at QoS {}: {code:?}", qos as u8)))
    }

    /// Whether a SUBSCRIBE can be handed over now. What comes late, of filters that are listened to, is asked for anew.
    fn may_ask_again(&mut self) -> bool {
        if let Phase::Subscribing { since } = &mut self.phase {
            *since = Instant::now();
            return true;
        }
        !self.handed_over && self.inflight.has_room()
    }
}

/// Whether a SUBACK gives what was asked for.
const fn grants(code: &SubscribeReasonCode, wanted: QoS) -> bool {
    match code {
        SubscribeReasonCode::Success(QoS::AtMostOnce) => matches!(wanted, QoS::AtMostOnce),
        SubscribeReasonCode::Success(_) => true,
        _ => false,
    }
}
