//! Orders that people give a running agent about its queue, from their arrival to their answer.

use crate::status::{Order, OrderReport};
use fogline_protocol::node::{EdgeInput, EdgeNode};
use fogline_protocol::queue::QueueAnswer;
use fogline_protocol::reading::{Readings, parse_reading};
use std::collections::{BTreeMap, VecDeque};
use tokio::sync::oneshot;

/// Tickets from here on are those of orders; those of the source, which counts from 1, never come so far.
const FIRST_TICKET: u64 = 1 << 63;

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    issued: u64,
    /// Appends by their ticket, with the number of their readings. No more than there may be askers.
    appends: BTreeMap<u64, (u64, oneshot::Sender<OrderReport>)>,
    /// Drops in the order in which the queue answers.
    drops: VecDeque<oneshot::Sender<OrderReport>>,
}

impl Orders {
    /// What the node is to do for an order, if it can be done.
    pub(crate) fn take(
        &mut self,
        order: Order,
        asker: oneshot::Sender<OrderReport>,
        node: &EdgeNode,
    ) -> Option<EdgeInput> {
        match order {
            Order::Purge { through } => {
                self.drops.push_back(asker);
                Some(EdgeInput::Drop { through })
            }
            Order::Append { .. } if !node.wants_readings() => {
                let error = Some("the queue is full, or the disk is busy".to_owned());
                report(asker, OrderReport { error, busy: true, ..OrderReport::default() });
                None
            }
            Order::Append { readings } => match parse(&readings) {
                Ok(readings) => {
                    let ticket = FIRST_TICKET + self.issued;
                    self.issued += 1;
                    self.appends.insert(ticket, (readings.len() as u64, asker));
                    Some(EdgeInput::Readings { ticket, readings, position: None })
                }
                Err(error) => {
                    report(asker, OrderReport { error: Some(error), ..OrderReport::default() });
                    None
                }
            },
        }
    }

    /// The readings of a ticket are durable: true when it was an order's.
    pub(crate) fn accepted(&mut self, ticket: u64) -> bool {
        if let Some((readings, asker)) = self.appends.remove(&ticket) {
            report(asker, OrderReport { done: Some(readings), ..OrderReport::default() });
        }
        ticket >= FIRST_TICKET
    }

    /// The queue answered.
    pub(crate) fn answered(&mut self, answer: &QueueAnswer) {
        let QueueAnswer::Dropped(result) = answer else { return };
        let Some(asker) = self.drops.pop_front() else { return };
        let outcome = match result {
            Ok(dropped) => {
                let done = dropped.dropped.iter().map(|range| range.count()).sum();
                OrderReport { done: Some(done), ..OrderReport::default() }
            }
            Err(fault) => OrderReport { error: Some(fault.to_string()), ..OrderReport::default() },
        };
        report(asker, outcome);
    }
}

fn parse(texts: &[serde_json::Value]) -> Result<Readings, String> {
    let mut readings = Readings::new();
    for (index, text) in texts.iter().enumerate() {
        let parsed = parse_reading(text.to_string().as_bytes(), &mut readings);
        parsed.map_err(|error| format!("reading {} of the order: {error}", index + 1))?;
    }
    Ok(readings)
}

/// Whoever asked may have gone.
fn report(asker: oneshot::Sender<OrderReport>, outcome: OrderReport) {
    asker.send(outcome).ok();
}
