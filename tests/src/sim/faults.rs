//! What can break, and when it does.

use super::agenda::Party;
use super::network::Ways;
use super::options::{SECOND_US, StoreKind, pick};
use fogline_protocol::rng::Rng;

/// Something that breaks. Durations are in microseconds; everything is whole again when they end, or when all is healed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing gets through on these ways, and nobody notices before the keep-alive does.
    CutOff(Ways, u64),
    /// The end of [`Fault::CutOff`].
    Rejoin(Ways),
    /// The connections of this program break.
    Disconnect(Party),
    /// This broker stops, forgets everything, and is back after this time.
    BrokerStop(usize, u64),
    /// The end of [`Fault::BrokerStop`].
    BrokerStart(usize),
    /// The program is killed, or the power fails, and it is back after this time.
    Crash(Party, u64),
    /// The disk of this agent's queue has no room.
    DiskFull(usize, u64),
    /// The disk of this agent's queue answers with errors.
    DiskBroken(usize, u64),
    /// The end of both.
    DiskWhole(usize),
    /// One in so many readings in the queue of this agent cannot be read any more.
    DamageDisk(usize, u64),
    /// Somebody copies the queue of this agent.
    CopyDisk(usize),
    /// The agent stops, its queue is replaced by the copy, and it starts again.
    RestoreDisk(usize),
    /// The agent stops, its queue is lost, and it starts with an empty one.
    LoseDisk(usize),
    /// The store answers with transient errors.
    StoreDown(u64),
    /// The store answers that its operator is needed.
    StoreRefuses(u64),
    /// The end of both.
    StoreUp,
    /// This ingester stops, loses its own state while the points in the database survive, and starts again.
    LoseState(usize),
    /// This ingester is stopped in order, and starts again after this time.
    Leave(usize, u64),
    /// This program sleeps: what is said to it waits, and so do its timers.
    Pause(Party, u64),
    /// A wall clock is set by so many microseconds.
    SetClock(Party, i64),
    /// This agent's device reaches a time server: its clock is set, and right.
    TimeServer(usize),
    /// The power of this agent's device is cut, and back after this time. Without a battery its clock begins anew.
    PowerCut(usize, u64),
}

impl Fault {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CutOff(Ways::BetweenSites, _) => "fault: sites cut off from each other",
            Self::CutOff(Ways::One(_), _) => "fault: one way cut off",
            Self::CutOff(Ways::Of(_), _) => "fault: client cut off",
            Self::Rejoin(_) => "end: client cut off",
            Self::Leave(..) => "fault: ingester stopped in order",
            Self::Pause(Party::Agent(_), _) => "fault: agent paused",
            Self::Pause(Party::Cloud(_), _) => "fault: ingester paused",
            Self::Disconnect(_) => "fault: connection broken",
            Self::BrokerStop(..) => "fault: broker stopped",
            Self::BrokerStart(_) => "end: broker stopped",
            Self::Crash(Party::Agent(_), _) => "fault: agent crashed",
            Self::Crash(Party::Cloud(_), _) => "fault: ingester crashed",
            Self::DiskFull(..) => "fault: disk full",
            Self::DiskBroken(..) => "fault: disk broken",
            Self::DiskWhole(_) => "end: disk full or broken",
            Self::DamageDisk(..) => "fault: disk damaged",
            Self::CopyDisk(_) => "fault: disk copied",
            Self::RestoreDisk(_) => "fault: old copy restored",
            Self::LoseDisk(_) => "fault: disk lost",
            Self::StoreDown(_) => "fault: store down",
            Self::StoreRefuses(_) => "fault: store refuses",
            Self::StoreUp => "end: store down or refusing",
            Self::LoseState(_) => "fault: state of the ingester lost",
            Self::SetClock(..) => "fault: clock set",
            Self::TimeServer(_) => "clock set right",
            Self::PowerCut(..) => "fault: device without a battery off and on",
        }
    }
}

/// A fault and when it comes.
pub type Timed = (u64, Fault);

/// Draws what breaks within `faulty_us`.
pub(super) fn schedule(agents: usize, sites: usize, store: StoreKind, faulty_us: u64, rng: &mut Rng) -> Vec<Timed> {
    let mut draw = Draw { rng, agents, sites, faulty_us, faults: Vec::new() };
    draw.network();
    draw.crashes();
    draw.storm();
    draw.disks();
    draw.clocks();
    draw.store(store);
    draw.sites();
    let faults = draw.faults;
    // Chances of their own, so that what else a seed draws stays as it was.
    let seed = faults.iter().fold(faulty_us, |seed, (at_us, _)| seed.rotate_left(7) ^ at_us);
    let mut draw = Draw { rng: &mut Rng::new(seed), agents, sites, faulty_us, faults };
    draw.damage();
    draw.faults
}

/// Draws when the clocks of these agents' devices are set, and when they are lost again.
pub(super) fn unset_clocks(agents: &[usize], faulty_us: u64, rng: &mut Rng) -> Vec<Timed> {
    let mut faults = Vec::new();
    for agent in agents {
        for _ in 0..=rng.below(2) {
            if rng.percent(75) {
                faults.push((rng.below(faulty_us), Fault::TimeServer(*agent)));
            }
            if rng.percent(20) {
                faults.push((rng.below(faulty_us), Fault::PowerCut(*agent, rng.below(3 * SECOND_US))));
            }
        }
    }
    faults
}

struct Draw<'a> {
    rng: &'a mut Rng,
    agents: usize,
    sites: usize,
    faulty_us: u64,
    faults: Vec<Timed>,
}

impl Draw<'_> {
    /// With a chance of `percent`, 1 to `most` faults at times of their own.
    fn some(&mut self, percent: u64, most: u64, fault: impl Fn(&mut Self) -> Fault) {
        if !self.rng.percent(percent) {
            return;
        }
        for _ in 0..=self.rng.below(most) {
            let fault = fault(self);
            let at_us = self.rng.below(self.faulty_us);
            self.faults.push((at_us, fault));
        }
    }

    fn network(&mut self) {
        self.some(50, 4, |draw| Fault::CutOff(Ways::Of(draw.party()), draw.duration()));
        self.some(50, 4, |draw| Fault::Disconnect(draw.party()));
        self.some(40, 3, |draw| Fault::BrokerStop(draw.site(), draw.duration() / 4));
    }

    fn crashes(&mut self) {
        self.some(50, 4, |draw| Fault::Crash(Party::Agent(draw.agent()), draw.duration() / 4));
        self.some(60, 4, |draw| Fault::Crash(Party::Cloud(draw.site()), draw.duration() / 4));
    }

    /// An agent that starts again and again while nothing is acknowledged: each start leaves a stream behind.
    fn storm(&mut self) {
        if self.rng.percent(6) {
            let agent = self.agent();
            self.faults.push((self.faulty_us / 10, Fault::StoreDown(self.faulty_us / 10 * 8)));
            for step in 1..=24 {
                self.faults.push((self.faulty_us * step / 28, Fault::Crash(Party::Agent(agent), 10_000)));
            }
        }
    }

    fn disks(&mut self) {
        self.some(25, 2, |draw| Fault::DiskFull(draw.agent(), draw.duration()));
        self.some(25, 2, |draw| Fault::DiskBroken(draw.agent(), draw.duration()));
        self.some(15, 1, |draw| Fault::LoseDisk(draw.agent()));
        if self.rng.percent(25) {
            let agent = self.agent();
            let copied_us = self.rng.below(self.faulty_us * 2 / 3);
            let restored_us = copied_us + self.rng.below(self.faulty_us - copied_us);
            self.faults.push((copied_us, Fault::CopyDisk(agent)));
            self.faults.push((restored_us, Fault::RestoreDisk(agent)));
        }
    }

    fn damage(&mut self) {
        self.some(30, 3, |draw| Fault::DamageDisk(draw.agent(), *pick(draw.rng, &[1, 3, 20])));
    }

    fn clocks(&mut self) {
        self.some(35, 4, |draw| Fault::SetClock(draw.party(), draw.leap()));
    }

    fn store(&mut self, kind: StoreKind) {
        self.some(35, 2, |draw| Fault::StoreDown(draw.duration()));
        self.some(15, 1, |draw| Fault::StoreRefuses(draw.duration()));
        // A transactional store holds state and points together: it cannot lose one without the other.
        if kind == StoreKind::Identity {
            self.some(40, 1, |draw| Fault::LoseState(draw.site()));
        }
    }

    /// What only two sites can meet, and what one meets too.
    fn sites(&mut self) {
        self.some(30, 3, |draw| Fault::Pause(draw.party(), draw.duration()));
        self.some(30, 2, |draw| Fault::Pause(Party::Cloud(draw.site()), draw.duration()));
        self.some(30, 2, |draw| Fault::Leave(draw.site(), draw.duration() / 4));
        if self.sites > 1 {
            self.some(40, 3, |draw| Fault::CutOff(Ways::One((draw.party(), draw.site())), draw.duration()));
            self.some(30, 2, |draw| Fault::CutOff(Ways::BetweenSites, draw.duration()));
        }
    }

    fn site(&mut self) -> usize {
        usize::try_from(self.rng.below(self.sites as u64)).unwrap_or(0)
    }

    fn agent(&mut self) -> usize {
        usize::try_from(self.rng.below(self.agents as u64)).unwrap_or(0)
    }

    fn party(&mut self) -> Party {
        if self.rng.percent(30) { Party::Cloud(self.site()) } else { Party::Agent(self.agent()) }
    }

    fn duration(&mut self) -> u64 {
        let most = *pick(self.rng, &[SECOND_US, 4 * SECOND_US, 15 * SECOND_US]);
        self.rng.below(most)
    }

    /// Back as often as forth, by a breath or by half a minute.
    fn leap(&mut self) -> i64 {
        let most = *pick(self.rng, &[20_000, 2_000_000, 30_000_000]);
        let distance = i64::try_from(self.rng.below(most)).unwrap_or(0);
        if self.rng.percent(50) { distance } else { -distance }
    }
}
