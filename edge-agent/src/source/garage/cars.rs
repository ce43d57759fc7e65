//! The cars of one garage.

use fogline_protocol::rng::Rng;

/// How many cars there are for each place: enough that some come back soon, and most later.
const CARS_PER_PLACE: u32 = 4;
/// The part of the places that is taken on average.
const TAKEN: f64 = 0.6;
/// Entries and exits an hour for each place: a car stays two hours on average.
const EVENTS_PER_PLACE_AND_HOUR: f64 = 0.6;
/// At least so many an hour, so that something happens in small garages too.
const EVENTS_PER_HOUR_MIN: f64 = 6.0;
const US_PER_HOUR: f64 = 3.6e9;

/// A garage, all of whose events follow from its seed.
#[derive(Debug)]
pub(super) struct Garage {
    rng: Rng,
    capacity: usize,
    first_car: u32,
    inside: Vec<u32>,
    is_inside: Vec<bool>,
    events: u64,
    next_us: u64,
}

/// An entry or an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// Microseconds of the simulation clock.
    pub(super) at_us: u64,
    pub(super) entry: bool,
    /// The number of the car, unique among all garages.
    pub(super) car: u32,
    /// Cars inside after it.
    pub(super) occupied: usize,
}

impl Garage {
    /// How many cars a garage has to do with.
    pub(super) const fn cars(capacity: u32) -> u32 {
        capacity * CARS_PER_PLACE
    }

    /// An empty garage whose cars are numbered from `first_car` on.
    pub(super) fn new(seed: u64, capacity: u32, first_car: u32) -> Self {
        let capacity = capacity.max(1);
        let cars = usize::try_from(Self::cars(capacity)).unwrap_or(usize::MAX);
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        let rng = Rng::new(seed);
        let (inside, is_inside) = (Vec::with_capacity(capacity), vec![false; cars]);
        let mut garage = Self { rng, capacity, first_car, inside, is_inside, events: 0, next_us: 0 };
        garage.next_us = garage.pause_us();
        garage
    }

    /// How many events were played.
    pub(super) const fn events(&self) -> u64 {
        self.events
    }

    /// When the next one is, in microseconds of the simulation clock.
    pub(super) const fn next_us(&self) -> u64 {
        self.next_us
    }

    pub(super) fn occupied(&self) -> usize {
        self.inside.len()
    }

    /// Plays the next event.
    pub(super) fn play(&mut self) -> Event {
        let (at_us, entry) = (self.next_us, self.is_entry());
        let car = if entry { self.enter() } else { self.leave() };
        self.events += 1;
        self.next_us = at_us + self.pause_us();
        Event { at_us, entry, car: self.first_car + car, occupied: self.inside.len() }
    }

    /// The emptier, the likelier somebody comes.
    fn is_entry(&mut self) -> bool {
        let drawn = self.rng.unit();
        #[allow(clippy::cast_precision_loss, reason = "places need few digits")]
        let taken = self.inside.len() as f64 / self.capacity as f64;
        let likely = (0.5 + (TAKEN - taken)).clamp(0.05, 0.95);
        self.inside.is_empty() || (self.inside.len() < self.capacity && drawn < likely)
    }

    /// Three of four cars are outside at least, so that one is soon found.
    fn enter(&mut self) -> u32 {
        loop {
            let car = self.rng.below(self.is_inside.len() as u64);
            if let Some(inside) = usize::try_from(car).ok().and_then(|car| self.is_inside.get_mut(car))
                && !std::mem::replace(inside, true)
            {
                let car = u32::try_from(car).unwrap_or(u32::MAX);
                self.inside.push(car);
                return car;
            }
        }
    }

    fn leave(&mut self) -> u32 {
        let place = self.rng.below(self.inside.len() as u64);
        let car = self.inside.swap_remove(usize::try_from(place).unwrap_or(0));
        if let Some(inside) = usize::try_from(car).ok().and_then(|car| self.is_inside.get_mut(car)) {
            *inside = false;
        }
        car
    }

    /// Until the next event: one does not know of the other, so that pauses are distributed exponentially.
    fn pause_us(&mut self) -> u64 {
        #[allow(clippy::cast_precision_loss, reason = "places need few digits")]
        let per_hour = (EVENTS_PER_PLACE_AND_HOUR * self.capacity as f64).max(EVENTS_PER_HOUR_MIN);
        let pause = -(1.0 - self.rng.unit()).ln() * US_PER_HOUR / per_hour;
        // At least a microsecond: no two events of a garage are at the same time. A unit below 1 gives less than 37 means.
        std::time::Duration::from_secs_f64(pause / 1e6).as_micros().try_into().unwrap_or(u64::MAX).max(1)
    }
}
