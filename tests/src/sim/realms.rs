//! Whose agents each ingester takes: all, or a part; who leads which region; and what happens to rivals.

use super::agenda::Party;
use super::checks::{Check, require};
use super::options::{SECOND_US, StoreKind, pick};
use super::world::World;
use fogline_protocol::ids::Name;
use fogline_protocol::realm::Realm;
use fogline_protocol::rng::Rng;
use std::collections::BTreeMap;

/// The realms of two ingesters, so that all regions are taken, and none by both unless they are the same.
const DIVISIONS: [[&str; 2]; 5] = [["*", "*"], ["a7", "homes,b2"], ["homes,b2", "a7"], ["1/2", "2/2"], ["2/2", "1/2"]];
/// Realms that overlap with one of those above.
const RIVALS: [&str; 4] = ["a7,homes", "homes,b2,a7", "1/4", "*"];
/// How long rivals that meet may need until one of them has heard of the other: a lease, and what an election takes.
const AGREE_US: u64 = 15 * SECOND_US;
/// For how long one of them alone leads then.
const LOOK_ON_US: u64 = 10 * SECOND_US;
/// From one look to the next.
const LOOK_EVERY_US: u64 = SECOND_US / 2;

/// An ingester is started with another realm, at this time.
pub type Move = (u64, usize, Realm);

/// What a seed draws of realms.
#[derive(Debug, Clone)]
pub struct Division {
    /// At the beginning, of each ingester.
    pub realms: Vec<Realm>,
    /// What changes while things break.
    pub moves: Vec<Move>,
    /// At last the second ingester is given this one, which is a rival of the first one's.
    pub rival: Option<Realm>,
}

fn realm(text: &str) -> Realm {
    text.parse().unwrap_or_else(|_| unreachable!("the realms above have the form of realms"))
}

impl Division {
    /// Draws it. One database for both is for ingesters of one realm: such are not divided.
    pub(super) fn draw(sites: usize, store: StoreKind, faulty_us: u64, rng: &mut Rng) -> Self {
        if sites < 2 || store == StoreKind::Transactional || !rng.percent(50) {
            return Self { realms: vec![Realm::Everywhere; sites], moves: Vec::new(), rival: None };
        }
        let [first, second] = *pick(rng, &DIVISIONS);
        let mut moves = Vec::new();
        if rng.percent(60) {
            // One takes another part, is a rival for a while, and at last both divide the regions anew.
            let (at_us, site) = (rng.below(faulty_us / 2), usize::from(rng.percent(50)));
            moves.push((at_us, site, realm(pick::<&str>(rng, &RIVALS))));
            let again_us = at_us + rng.below(faulty_us / 2);
            let [first, second] = *pick(rng, &DIVISIONS);
            moves.extend([(again_us, 0, realm(first)), (again_us, 1, realm(second))]);
        }
        let rival = rng.percent(50).then(|| realm(pick::<&str>(rng, &RIVALS)));
        Self { realms: vec![realm(first), realm(second)], moves, rival }
    }

    /// Whether anything but all is ever taken.
    #[must_use]
    pub fn is_divided(&self) -> bool {
        self.realms.iter().chain(self.moves.iter().map(|(.., realm)| realm)).any(|realm| *realm != Realm::Everywhere)
    }
}

impl World {
    /// True when this ingester leads a region.
    pub(super) fn leads(&self, site: usize, region: &str) -> bool {
        self.clouds[site].leads() && self.realms[site].takes(region)
    }

    /// The one ingester that leads a region.
    pub(super) fn leader_of(&self, region: &str) -> Option<usize> {
        let mut leading = (0..self.clouds.len()).filter(|site| self.leads(*site, region));
        leading.next().filter(|_| leading.next().is_none())
    }

    /// An ingester is stopped in order, and started again for other agents.
    pub(super) fn move_realm(&mut self, site: usize, realm: Realm) -> Check {
        self.coverage.count(if self.realms[1 - site].is_rival_of(&realm) { "realm: rivals" } else { "realm: moved" });
        self.note(Party::Cloud(site), "takes", realm.to_string().as_bytes());
        self.next_realms.insert(site, realm);
        self.leave(site, SECOND_US / 2)
    }

    /// At its start an ingester takes what it was told to.
    pub(super) fn take_realm(&mut self, site: usize) {
        if let Some(realm) = self.next_realms.remove(&site) {
            self.realms[site] = realm.clone();
            self.network.takes(Party::Cloud(site), realm);
        }
    }

    /// While all is whole one ingester is made a rival of the other: no region may be led by both.
    pub(super) fn rivals_meet(&mut self) -> Check {
        let Some(rival) = self.options.division.rival.clone() else { return Ok(()) };
        if !self.realms[0].is_rival_of(&rival) {
            return Ok(());
        }
        self.move_realm(1, rival)?;
        self.play_until(self.now_us() + AGREE_US)?;
        let end_us = self.now_us() + LOOK_ON_US;
        while self.now_us() < end_us {
            self.play_until(self.now_us() + LOOK_EVERY_US)?;
            self.led_by_one()?;
        }
        self.coverage.count("rivals that met");
        Ok(())
    }

    fn led_by_one(&self) -> Check {
        let regions: BTreeMap<&Name, usize> = self.options.agents.iter().map(|agent| (&agent.id.region, 0)).collect();
        for region in regions.keys() {
            let leaders: Vec<usize> =
                (0..self.clouds.len()).filter(|site| self.leads(*site, region.as_str())).collect();
            require(leaders.len() <= 1, || format!("LED TWICE: region {region} is led by the ingesters {leaders:?}"))?;
        }
        let leading = (0..self.clouds.len()).filter(|site| self.clouds[*site].leads()).count();
        require(leading == 1, || format!("RIVALS: {leading} of two ingesters with a region in common lead"))
    }
}
