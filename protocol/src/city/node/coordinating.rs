//! A node in charge: takes averages, uploads them, answers when they are on disk, and averages over all nodes.

use super::{CityNode, NodeEffect};
use crate::city::message::{Average, Averages, BATCH_MAX, Global, Taken, TakenThrough};
use crate::ids::{Name, StreamId};
use crate::reading::{Readings, Value};
use crate::time::{Monotonic, Now, Wall};
use crate::topic::Neighbour;
use crate::usecase::GLOBAL;
use crate::wire::Role;

/// The kind of the readings: that of the use case.
const KIND: &str = "city";

impl CityNode {
    fn is_in_charge(&self) -> bool {
        self.election.role() == Role::Leading
    }

    /// A node brings averages. One that leaves takes no more: it could not say when they are on disk.
    pub(super) fn heard_averages(&mut self, from: &Name, averages: &Averages, now: Now) {
        if !self.is_in_charge() || self.leaving.is_some() {
            return;
        }
        self.take(from, averages.stream, averages.first, &averages.averages, now);
        // Perhaps the answer was lost.
        if let Some(taken) =
            self.books.committed_of(from, averages.stream).filter(|taken| taken.through >= averages.first)
        {
            self.answer(from.clone(), taken);
        }
    }

    /// The own averages need no message.
    pub(super) fn take_own(&mut self, now: Now) {
        if self.is_in_charge() || self.leaving.as_ref().is_some_and(|leaving| leaving.keeps_own()) {
            let (me, stream) = (self.me().clone(), self.stream);
            let own: Vec<Average> = self.kept.oldest(usize::MAX).copied().collect();
            for (first, batch) in (self.kept.first()..).step_by(BATCH_MAX).zip(own.chunks(BATCH_MAX)) {
                self.take(&me, stream, first, batch, now);
            }
        }
    }

    /// Uploads those that are new, and counts them into the current interval.
    fn take(&mut self, node: &Name, stream: StreamId, first: u64, averages: &[Average], now: Now) {
        if !self.books.has_room() {
            return;
        }
        let (mut readings, mut through) = (Readings::new(), 0);
        for (number, average) in self.books.new_of(node, stream, first, averages) {
            through = number;
            add_reading(&mut readings, node.as_str(), average);
            if let Some(charge) = &mut self.charge {
                charge.add(node, average, now.wall);
            }
        }
        if !readings.is_empty() {
            self.counts.uploaded += readings.len() as u64;
            let ticket = self.books.take(node, TakenThrough { stream, through }, now.mono);
            self.effects.push_back(NodeEffect::Upload { ticket, readings });
        }
    }

    /// On disk: only now may a node forget its averages.
    pub(super) fn uploaded(&mut self, ticket: u64, now: Monotonic) {
        let Some((node, taken)) = self.books.committed(ticket, now) else { return };
        if node == *self.me() {
            self.acknowledged(taken.through);
        } else {
            self.answer(node, taken);
        }
    }

    fn answer(&mut self, node: Name, taken: TakenThrough) {
        let message = Taken { token: self.config.token.clone(), taken };
        self.publish(Neighbour::Taken, Some(node), &message);
    }

    /// Uploads the average over all nodes, and says it to them; `last`: nothing will follow.
    pub(super) fn end_interval(&mut self, now: Now, last: bool) {
        let Some(charge) = &mut self.charge else { return };
        // Without room the interval goes on: nothing of it is lost.
        if !last && !self.books.has_room() {
            charge.go_on(now);
            return;
        }
        let (average, nodes) = charge.end(now);
        if last {
            self.charge = None;
        }
        if let Some(average) = average {
            let mut readings = Readings::new();
            add_reading(&mut readings, GLOBAL, &average);
            self.counts.globals += 1;
            self.counts.global = Some(average);
            let ticket = self.books.upload_global();
            self.effects.push_back(NodeEffect::Upload { ticket, readings });
        }
        self.say_global(average, nodes);
    }

    pub(super) fn say_global(&mut self, average: Option<Average>, nodes: Vec<Name>) {
        let (token, term) = (self.config.token.clone(), self.election.term().cloned());
        let global = Global { token, term, average, nodes, taken: self.books.committed_all() };
        self.publish(Neighbour::Global, None, &global);
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts and times are below 2^53")]
fn add_reading(readings: &mut Readings, sensor: &str, average: &Average) {
    let fields = [
        ("pm10_ugm3", Value::Number(average.mean)),
        ("n", Value::Number(average.n as f64)),
        ("from_us", Value::Number(average.from_us as f64)),
    ];
    // Names, times and numbers were checked when the message was read.
    readings.push(Wall::from_us(average.ts_us), sensor, KIND, &fields).ok();
}
