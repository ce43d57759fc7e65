//! Elections over a network that loses, delays and parts.

use super::*;
use crate::rng::Rng;
use std::collections::BTreeMap;

/// Participants `n0`, `n1`, … of growing rank, on one broker each of `brokers`, all of which all may reach.
struct World {
    now: Monotonic,
    nodes: Vec<Option<Election>>,
    /// Paused until then.
    paused: Vec<Monotonic>,
    /// When, to whom, from whom, what.
    flying: BTreeMap<(Monotonic, u64), (usize, usize, Word)>,
    sent: u64,
    /// Whom each can hear.
    hears: Vec<Vec<bool>>,
    terms: BTreeMap<Term, usize>,
    loss: u64,
    rng: Rng,
    stored: u64,
}

fn name(index: usize) -> Name {
    Name::new(&format!("n{index}")).unwrap()
}

fn at(ms: u64) -> Monotonic {
    Monotonic::from_us(ms * 1000)
}

impl World {
    fn new(count: usize, seed: u64) -> Self {
        let mut world = Self {
            now: at(0),
            nodes: Vec::new(),
            paused: vec![at(0); count],
            flying: BTreeMap::new(),
            sent: 0,
            hears: vec![vec![true; count]; count],
            terms: BTreeMap::new(),
            loss: 0,
            rng: Rng::new(seed),
            stored: 0,
        };
        world.nodes = (0..count).map(|_| None).collect();
        (0..count).for_each(|index| world.start(index));
        world
    }

    fn start(&mut self, index: usize) {
        let rank = u32::try_from(index).unwrap();
        let me = Candidate { name: name(index), rank, brokers: 1, timing: Timing::default() };
        let mut election = Election::new(me, None, self.now);
        election.reaches(1, self.now);
        self.nodes[index] = Some(election);
        self.effects(index);
    }

    fn effects(&mut self, index: usize) {
        while let Some(effect) = self.nodes[index].as_mut().and_then(Election::poll_effect) {
            match effect {
                ElectionEffect::Say => self.say(index, None),
                ElectionEffect::Farewell => self.say(index, Some(Role::Leaving)),
                ElectionEffect::StandDown => {}
                ElectionEffect::Take { above } => {
                    // As a store does: a term above all that it has seen.
                    self.stored = self.stored.max(above) + 1;
                    let term = Term { counter: self.stored, ingester: name(index) };
                    assert_eq!(self.terms.insert(term.clone(), index), None, "a term is given once");
                    self.nodes[index].as_mut().unwrap().took(Some(term), self.now);
                }
            }
        }
    }

    fn say(&mut self, from: usize, role: Option<Role>) {
        let node = self.nodes[from].as_ref().unwrap();
        let role = role.unwrap_or_else(|| node.role());
        let rank = u32::try_from(from).unwrap();
        let term = node.term().cloned();
        let word = Word { role, term, rank, reach: node.reach() };
        for to in 0..self.nodes.len() {
            if to != from && self.hears[to][from] && !self.rng.percent(self.loss) {
                self.sent += 1;
                let arrives = self.now + Duration::from_millis(1 + self.rng.below(100));
                self.flying.insert((arrives, self.sent), (to, from, word.clone()));
            }
        }
    }

    /// Plays until then.
    fn play(&mut self, until: Monotonic) {
        let mut steps = 0;
        while let Some(next) = self.next().filter(|next| *next <= until) {
            steps += 1;
            assert!(steps < 200_000, "it spins");
            self.now = next.max(self.now);
            while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (to, from, word) = entry.remove();
                if self.paused[to] > self.now {
                    // It waits in a buffer until the other one looks.
                    self.sent += 1;
                    self.flying.insert((self.paused[to], self.sent), (to, from, word));
                } else if let Some(node) = &mut self.nodes[to] {
                    node.heard(&name(from), &word, self.now);
                    self.effects(to);
                }
            }
            for index in 0..self.nodes.len() {
                if self.paused[index] <= self.now
                    && let Some(node) = &mut self.nodes[index]
                {
                    node.handle_timeout(self.now);
                    self.effects(index);
                }
            }
        }
        self.now = until;
    }

    fn next(&self) -> Option<Monotonic> {
        let timer = |(index, node): (usize, &Option<Election>)| {
            node.as_ref().and_then(Election::poll_timeout).map(|at| at.max(self.paused[index]))
        };
        let timers = self.nodes.iter().enumerate().filter_map(timer);
        self.flying.keys().map(|(at, _)| *at).chain(timers).min()
    }

    fn leaders(&self) -> Vec<usize> {
        let leads = |node: &Option<Election>| node.as_ref().is_some_and(|node| node.role() == Role::Leading);
        (0..self.nodes.len()).filter(|index| leads(&self.nodes[*index])).collect()
    }

    fn kill(&mut self, index: usize) {
        self.nodes[index] = None;
    }
}

#[test]
fn who_is_alone_leads_within_a_second() {
    let mut world = World::new(1, 1);
    world.play(at(1000));
    assert_eq!(world.leaders(), [0]);
}

#[test]
fn of_several_that_start_the_highest_leads_and_a_newcomer_does_not_depose_a_leader() {
    let mut world = World::new(3, 1);
    world.play(at(3000));
    assert_eq!(world.leaders(), [2]);
    world.kill(2);
    world.play(at(8000));
    assert_eq!(world.leaders(), [1]);
    world.start(2);
    world.play(at(30_000));
    assert_eq!(world.leaders(), [1], "the newcomer is of higher rank, and a leader is in charge");
    assert_eq!(world.nodes[2].as_ref().unwrap().leader(), Some(&name(1)));
}

#[test]
fn a_killed_leader_is_replaced_within_four_seconds_and_one_that_leaves_within_one() {
    for seed in 0..50 {
        let mut world = World::new(2, seed);
        world.play(at(5000 + seed * 37));
        world.kill(1);
        let killed = world.now;
        world.play(killed + Duration::from_millis(4000));
        assert_eq!(world.leaders(), [0], "seed {seed}");
        world.start(1);
        world.play(killed + Duration::from_secs(10));
        assert_eq!(world.leaders(), [0], "seed {seed}");
        world.nodes[0].as_mut().unwrap().stand_aside(Duration::from_secs(60), world.now);
        world.effects(0);
        world.kill(0);
        world.play(killed + Duration::from_secs(11));
        assert_eq!(world.leaders(), [1], "seed {seed}");
    }
}

#[test]
fn a_paused_leader_stands_down_when_it_is_back_and_a_paused_follower_claims_in_vain() {
    for seed in 0..50 {
        let mut world = World::new(2, seed);
        world.play(at(5000));
        assert_eq!(world.leaders(), [1]);
        let first = world.nodes[1].as_ref().unwrap().term().cloned();
        world.paused[0] = at(15_000 + seed * 13);
        world.play(at(20_000));
        assert_eq!(world.leaders(), [1], "seed {seed}: the follower was paused");
        assert_eq!(world.nodes[1].as_ref().unwrap().term().cloned(), first, "seed {seed}");
        world.paused[1] = at(30_000 + seed * 13);
        world.play(at(29_000));
        assert_eq!(world.leaders(), [0, 1], "seed {seed}: the paused one does not know yet");
        world.play(at(35_000));
        assert_eq!(world.leaders(), [0], "seed {seed}");
    }
}

#[test]
fn those_that_are_cut_off_both_lead_and_one_does_when_they_hear_each_other_again() {
    for seed in 0..50 {
        let mut world = World::new(2, seed);
        world.play(at(5000));
        world.hears = vec![vec![false; 2]; 2];
        world.play(at(10_000));
        assert_eq!(world.leaders(), [0, 1], "seed {seed}");
        world.hears = vec![vec![true; 2]; 2];
        world.play(at(12_000));
        assert_eq!(world.leaders(), [0], "seed {seed}: the later term");
    }
}

#[test]
fn a_leader_that_reaches_fewer_brokers_stands_aside() {
    let mut world = World::new(2, 3);
    world.play(at(5000));
    world.nodes[0].as_mut().unwrap().reaches(2, world.now);
    world.play(at(7000));
    assert_eq!(world.leaders(), [1], "it may be for a moment");
    world.play(at(11_000));
    assert_eq!(world.leaders(), [0]);
}

#[test]
fn whatever_is_lost_one_leads_in_the_end() {
    for seed in 0..300 {
        let mut world = World::new(2 + usize::try_from(seed % 4).unwrap(), seed);
        world.loss = 40;
        for step in 1..10 {
            world.play(at(step * 3000));
            let (one, other) = (world.pick(), world.pick());
            match world.rng.below(5) {
                0 => world.kill(one),
                1 if world.nodes[one].is_none() => world.start(one),
                2 => world.paused[one] = at(step * 3000 + world.rng.below(8000)),
                3 => world.hears[one][other] = false,
                _ => world.hears[one][other] = true,
            }
        }
        world.loss = 0;
        let count = world.nodes.len();
        world.hears = vec![vec![true; count]; count];
        if world.nodes.iter().all(Option::is_none) {
            world.start(0);
        }
        world.play(at(60_000));
        assert_eq!(world.leaders().len(), 1, "seed {seed}: {:?}", world.leaders());
    }
}

impl World {
    fn pick(&mut self) -> usize {
        usize::try_from(self.rng.below(self.nodes.len() as u64)).unwrap()
    }
}
