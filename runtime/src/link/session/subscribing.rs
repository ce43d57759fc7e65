//! What a connection has subscribed: the configured filters when it begins, and others that come and go.

use super::{End, Phase, Session};
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
        let wanted = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
        let failed = |error| End::Failed(format!("subscribe not taken: {error}"));
        self.client.try_subscribe_many(wanted).map_err(failed)?;
        self.handed_over = true;
        self.asked.push_back(filters);
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
        let filters = self.asked.pop_front().unwrap_or_default();
        let granted =
            |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(qos) if *qos != QoS::AtMostOnce);
        if ack.return_codes.len() != filters.len() {
            let codes = ack.return_codes.len();
            return Err(End::Failed(format!("SUBACK with {codes} codes for {} filters", filters.len())));
        }
        let mut answers = filters.iter().zip(&ack.return_codes);
        if let Some((filter, code)) = answers.find(|(_, code)| !granted(code)) {
            return Err(End::Failed(format!("the broker refused to subscribe {filter:?} at QoS 1: {code:?}")));
        }
        if matches!(self.phase, Phase::Subscribing { .. }) { self.connected() } else { Ok(()) }
    }
}
