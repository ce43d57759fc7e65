//! The ledger of the garages: entries and exits become stays, and stays become invoices.
//!
//! Each fresh reading is entered once, in the order in which its agent accepted it: a batch that would leave a hole is not taken.
//! What follows from it is committed with it. So a stay has one invoice however often a message is repeated, and an exit is never
//! billed against the wrong entry because an outage turned the order around.

use super::{CloudNode, Stream};
use crate::ids::{AgentId, Seq, StreamId};
use crate::reading::Readings;
use crate::store::{Bills, Clarification, Departure, Point, Points, Stay, Unclear};
use crate::time::Wall;
use crate::usecase::parking::{Direction, Movement, PlateKey, normal, started_hours};
use crate::wire::Batch;
use std::collections::BTreeMap;

/// The most cars that are in garages at the same time: some 50 MB. Readings of garages wait at their agents beyond that.
const CARS_MAX: usize = 200_000;

/// A car in a garage: agent, garage, plate without its spaces and hyphens.
type Car = (AgentId, String, String);

/// Who is in.
#[derive(Debug)]
pub(super) struct Ledger {
    inside: BTreeMap<Car, Stay>,
    key: PlateKey,
}

impl Ledger {
    /// Goes on with the stays that are open.
    pub(super) fn new(stays: Vec<Stay>, key: PlateKey) -> Self {
        let car = |stay: &Stay| (AgentId::from(stay.owner.clone()), stay.garage.clone(), normal(&stay.plate));
        let open = stays.into_iter().filter(|stay| stay.left.is_none() && !stay.unresolved);
        Self { inside: open.map(|stay| (car(&stay), stay)).collect(), key }
    }

    /// How many cars are in garages.
    pub(super) fn inside(&self) -> usize {
        self.inside.len()
    }

    /// Enters the new readings of a batch. Gives the rows that change.
    pub(super) fn enter(&mut self, points: &Points) -> Bills {
        let mut bills = Bills::default();
        for point in points.iter() {
            if let Some(movement) = Movement::of(point.reading) {
                let car = (points.agent.clone(), movement.garage.to_owned(), normal(movement.plate));
                match movement.direction {
                    Direction::Entry => self.drove_in(car, points, &point, &movement, &mut bills),
                    Direction::Exit => self.drove_out(car, points, &point, &movement, &mut bills),
                }
            }
        }
        bills
    }

    fn drove_in(&mut self, car: Car, points: &Points, point: &Point<'_>, movement: &Movement<'_>, bills: &mut Bills) {
        let stay = Stay {
            owner: (&points.agent).into(),
            garage: movement.garage.to_owned(),
            stream: points.stream,
            seq: point.seq,
            plate: movement.plate.to_owned(),
            plate_hash: self.key.hash(movement.plate),
            entered_us: movement.at.us(),
            tariff_cents: movement.tariff_cents,
            left: None,
            unresolved: false,
        };
        bills.stays.push(stay.clone());
        if let Some(before) = self.inside.insert(car, stay) {
            bills.stays.push(Stay { unresolved: true, ..before });
            bills.clarifications.push(self.unclear(Unclear::SecondEntry, points, point.seq, movement));
        }
    }

    fn drove_out(&mut self, car: Car, points: &Points, point: &Point<'_>, movement: &Movement<'_>, bills: &mut Bills) {
        let Some(stay) = self.inside.remove(&car) else {
            bills.clarifications.push(self.unclear(Unclear::ExitWithoutEntry, points, point.seq, movement));
            return;
        };
        let left = depart(&stay, points.stream, point.seq, movement.at);
        bills.stays.push(Stay { left: Some(left), ..stay });
    }

    fn unclear(&self, what: Unclear, points: &Points, seq: Seq, movement: &Movement<'_>) -> Clarification {
        Clarification {
            owner: (&points.agent).into(),
            garage: movement.garage.to_owned(),
            stream: points.stream,
            seq,
            what,
            ts_us: movement.at.us(),
            plate: movement.plate.to_owned(),
            plate_hash: self.key.hash(movement.plate),
        }
    }
}

fn depart(stay: &Stay, stream: StreamId, seq: Seq, at: Wall) -> Departure {
    let hours = started_hours(Wall::from_us(stay.entered_us), at);
    Departure { stream, seq, left_us: at.us(), hours, cents: hours.saturating_mul(u64::from(stay.tariff_cents)) }
}

/// True when a reading is for the ledger.
pub(super) fn is_billed(readings: &Readings) -> bool {
    readings.iter().any(|reading| Movement::of(reading).is_some())
}

impl CloudNode {
    /// Whether a batch for the ledger may be taken now; if not, its agent hears so and sends it again.
    pub(super) fn takes_bills(&mut self, id: &AgentId, batch: &Batch) -> bool {
        let header = &batch.header;
        if let Some(Stream::Known(receiver)) = self.agents.stream(id, header.stream) {
            receiver.adopt(header.floor, &header.gaps);
            if receiver.has_moved() {
                self.pending.moved(id, header.stream);
            }
        }
        if self.ledger.inside.len() >= CARS_MAX {
            self.counters.refuse("ledger_full");
            self.agents.turn_away(id);
            return false;
        }
        match self.agents.follows(id, header.stream, header.first) {
            Some(true) => true,
            Some(false) => {
                self.counters.refuse("out_of_order");
                self.agents.turn_away(id);
                false
            }
            None => {
                self.counters.refuse("no_hello");
                self.agents.ask_for_hello(id);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::ranges::Range;
    use crate::ids::Name;
    use crate::reading::Value;
    use std::sync::Arc;

    const HOUR_US: i64 = 3_600_000_000;

    fn agent() -> AgentId {
        AgentId { region: Name::new("city").unwrap(), agent: Name::new("garages").unwrap() }
    }

    fn points(first: Seq, movements: &[(&str, &str, i64)]) -> Points {
        let mut readings = Readings::new();
        for (event, plate, ts_us) in movements {
            let fields = [
                ("event", Value::Text(event)),
                ("plate", Value::Text(plate)),
                ("tariff_cents_per_hour", Value::Number(250.0)),
            ];
            readings.push(Wall::from_us(*ts_us), "east", "parking", &fields).unwrap();
        }
        let fresh = vec![Range::new(first, first + movements.len() as u64 - 1)];
        let (stream, clock, time) = (StreamId::from_bits(1), 0, None);
        Points { agent: agent(), stream, clock, time, first, readings: Arc::new(readings), fresh }
    }

    fn ledger() -> Ledger {
        Ledger::new(Vec::new(), PlateKey::new([1; 32]))
    }

    #[test]
    fn a_stay_is_billed_by_started_hours_at_the_price_of_its_entry() {
        let mut ledger = ledger();
        let bills = ledger.enter(&points(1, &[("entry", "B-FG 1", 0), ("exit", "b fg1", HOUR_US + 1)]));
        assert!(bills.clarifications.is_empty());
        let [open, closed] = bills.stays.as_slice() else { panic!("{bills:?}") };
        assert_eq!((open.seq, open.left), (1, None));
        assert_eq!((closed.seq, closed.plate.as_str(), closed.tariff_cents), (1, "B-FG 1", 250));
        let left = closed.left.unwrap();
        assert_eq!((left.seq, left.left_us, left.hours, left.cents), (2, HOUR_US + 1, 2, 500));
    }

    #[test]
    fn what_does_not_fit_is_for_somebody_to_look_at() {
        let mut ledger = ledger();
        let bills = ledger.enter(&points(1, &[("exit", "B-FG 1", 5)]));
        assert_eq!(bills.clarifications[0].what, Unclear::ExitWithoutEntry);
        assert!(bills.stays.is_empty());
        ledger.enter(&points(2, &[("entry", "B-FG 1", 6)]));
        let bills = ledger.enter(&points(3, &[("entry", "B-FG 1", 7)]));
        assert_eq!(bills.clarifications[0].what, Unclear::SecondEntry);
        let fates: Vec<(u64, bool)> = bills.stays.iter().map(|stay| (stay.seq, stay.unresolved)).collect();
        assert_eq!(fates, [(3, false), (2, true)]);
        let bills = ledger.enter(&points(4, &[("exit", "B-FG 1", 8)]));
        assert_eq!(bills.stays[0].seq, 3, "the newer entry is billed");
    }

    #[test]
    fn a_ledger_goes_on_with_what_was_kept() {
        let mut first = ledger();
        let kept =
            first.enter(&points(1, &[("entry", "B-FG 1", 0), ("entry", "B-FG 2", 0), ("exit", "B-FG 2", 9)])).stays;
        let mut second = Ledger::new(kept.into_iter().filter(|stay| stay.plate == "B-FG 1").collect(), first.key);
        let bills = second.enter(&points(4, &[("exit", "B-FG 1", 9), ("exit", "B-FG 2", 9)]));
        assert_eq!((bills.stays.len(), bills.clarifications.len()), (1, 1));
    }

    #[test]
    fn only_new_readings_are_entered() {
        let mut repeated = points(1, &[("entry", "B-FG 1", 0), ("exit", "B-FG 1", 9)]);
        repeated.fresh = vec![Range::new(2, 2)];
        let bills = ledger().enter(&repeated);
        assert_eq!((bills.stays.len(), bills.clarifications.len()), (0, 1));
    }
}
