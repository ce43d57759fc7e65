//! The edge cases that must hold, each on a good network and on a bad one, for many seeds.

use crate::world::{Network, World, name};
use fogline_protocol::city::node::NodeState;

const SEEDS: u64 = 40;

/// Plays a scenario for all seeds, on both networks; then everybody leaves, and the account must add up.
fn each_seed(scenario: impl Fn(&mut World)) {
    for (network, seeds) in [(Network::GOOD, SEEDS), (Network::BAD, SEEDS)] {
        for seed in 0..seeds {
            let mut world = World::new(seed, network);
            scenario(&mut world);
            world.finish();
        }
    }
}

impl World {
    /// Nothing more is sampled, the network is good, and nodes leave one after the other.
    fn finish(&mut self) {
        self.stop_sampling();
        self.network = Network::GOOD;
        self.cut_off.clear();
        self.api.up = true;
        if self.sensors.is_some() {
            if self.nodes.is_empty() {
                self.join("last");
            }
            self.play_until("sensors hand over what they have", 120, |world| {
                world.sensors.as_ref().unwrap().snapshot().kept == 0
            });
        }
        self.play(30);
        if !self.nodes.is_empty() {
            assert!(self.agree(), "no single coordinator: {:?}", self.coordinators());
        }
        while let Some(id) = self.nodes.keys().next().cloned() {
            self.leave(id.as_str());
            self.play_until("it leaves", 6, |world| !world.nodes.contains_key(&id));
        }
        self.cloud_up = true;
        self.account.drain_all();
        self.account.check_rows();
        self.account.check_sent();
        if let Some(sensors) = self.sensors.as_ref().map(fogline_protocol::city::sensors::Sensors::snapshot) {
            assert_eq!((sensors.kept, sensors.dropped), (0, 0));
            assert_eq!(sensors.acknowledged, sensors.sampled);
        }
        assert!(self.api.nodes.is_empty(), "who leaves is no longer registered");
    }

    fn settled(seed_nodes: &[&str], world: &mut Self) {
        for id in seed_nodes {
            world.join(id);
        }
        world.play_until("one coordinator", 20, Self::agree);
    }
}

#[test]
fn two_join_at_once() {
    each_seed(|world| {
        world.join("a");
        world.join("b");
        world.play_until("one coordinator", 20, World::agree);
        world.play(20);
        assert!(world.agree());
    });
    let mut world = World::new(1, Network::GOOD);
    world.join("a");
    world.join("b");
    world.play(3);
    assert_eq!(world.coordinators(), ["b"], "the highest id");
    world.join("c");
    world.play(30);
    assert_eq!(world.coordinators(), ["b"], "a newcomer of higher id does not depose it");
}

#[test]
fn one_joins_while_another_leaves() {
    each_seed(|world| {
        World::settled(&["a", "b", "c"], world);
        world.start_sensors(6);
        world.play(12);
        let leaves = *world.coordinators().first().unwrap();
        let leaves = if world.now_us % 2 == 0 { leaves.to_owned() } else { "a".to_owned() };
        world.leave(&leaves);
        world.join("d");
        world.play_until("one coordinator", 20, |world| !world.nodes.contains_key(&name(&leaves)) && world.agree());
        world.play(10);
    });
}

#[test]
fn one_joins_during_an_election() {
    each_seed(|world| {
        World::settled(&["a", "b", "c"], world);
        world.start_sensors(4);
        let coordinator = world.coordinators()[0].to_owned();
        world.kill(&coordinator);
        world.play_until("an election", 10, World::elects);
        world.join("d");
        world.play_until("one coordinator", 20, World::agree);
        world.play(10);
    });
}

impl World {
    /// Somebody knows of no coordinator.
    fn elects(&self) -> bool {
        self.nodes.values().any(|process| process.node.state() == NodeState::Joining)
    }
}

#[test]
fn one_leaves_during_an_election_the_coming_winner_included() {
    for leaving in ["a", "b", "c"] {
        each_seed(|world| {
            World::settled(&["a", "b", "c", "d"], world);
            world.start_sensors(4);
            let coordinator = world.coordinators()[0].to_owned();
            world.kill(&coordinator);
            world.play_until("an election", 10, World::elects);
            let leaving = if leaving == coordinator { "d" } else { leaving };
            world.leave(leaving);
            world.play_until("one coordinator", 20, |world| !world.nodes.contains_key(&name(leaving)) && world.agree());
            world.play(10);
        });
    }
}

#[test]
fn sensors_with_no_node() {
    each_seed(|world| {
        world.start_sensors(5);
        world.play(120);
        let snapshot = world.sensors.as_ref().unwrap().snapshot();
        assert_eq!((snapshot.without_node, snapshot.dropped), (5, 0));
        assert!(snapshot.kept >= 5 * 230, "{}", snapshot.kept);
        world.join("a");
        world
            .play_until("they have found it", 10, |world| world.sensors.as_ref().unwrap().snapshot().without_node == 0);
        world.play_until("what they kept is taken", 60, |world| world.sensors.as_ref().unwrap().snapshot().kept <= 20);
        world.finish();
        world.account.check_counts(0);
    });
}

#[test]
fn averages_to_a_coordinator_that_is_offline() {
    each_seed(|world| {
        World::settled(&["a", "b", "c"], world);
        world.start_sensors(6);
        world.play(20);
        let coordinator = world.coordinators()[0].to_owned();
        world.cut_off.insert(name(&coordinator));
        world.play(2);
        assert_eq!(world.coordinators(), [coordinator.as_str()], "the others do not know yet");
        world.play(40);
        assert_eq!(world.coordinators().len(), 2, "the one that is cut off does not know");
        world.cut_off.clear();
        world.play_until("one coordinator", 20, World::agree);
        world.finish();
        // Nobody was killed: each average is there, whoever took it.
    });
}

#[test]
fn the_coordinator_leaves_before_the_global_average() {
    each_seed(|world| {
        World::settled(&["a", "b"], world);
        world.start_sensors(6);
        world.play(23);
        let coordinator = world.coordinators()[0].to_owned();
        // Local averages of this interval have come, and the interval is not over.
        world.play_until("the middle of an interval", 10, |world| {
            (1_500_000..3_000_000).contains(&(world.now().wall.us() % 5_000_000))
        });
        let (started, globals) = (world.now().wall.us(), world.snapshot(&coordinator).globals);
        world.leave(&coordinator);
        world.play_until("another one", 20, |world| !world.nodes.contains_key(&name(&coordinator)) && world.agree());
        world.account.drain_all();
        let part = |row: &&&crate::account::Row| {
            (started..started + 5_000_000).contains(&row.ts_us) && row.ts_us % 5_000_000 != 0
        };
        let parts = world.account.globals().iter().filter(part).count();
        assert!(parts >= 1, "the part of the interval, after {globals} whole ones");
        world.finish();
        world.account.check_counts(0);
    });
}

#[test]
fn a_coordinator_killed_before_the_global_average_loses_no_average_of_another_node() {
    each_seed(|world| {
        World::settled(&["a", "b", "c"], world);
        world.start_sensors(6);
        world.play(23);
        let coordinator = world.coordinators()[0].to_owned();
        world.kill(&coordinator);
        world.play_until("another one", 20, World::agree);
        world.play(20);
    });
}

#[test]
fn the_cloud_is_away_for_minutes() {
    each_seed(|world| {
        World::settled(&["a", "b"], world);
        world.start_sensors(4);
        world.play(20);
        let before = world.account.cloud.len();
        world.cloud_up = false;
        world.play(300);
        assert_eq!(world.account.cloud.len(), before);
        let coordinator = world.coordinators()[0].to_owned();
        world.leave(&coordinator);
        world.play(10);
        world.cloud_up = true;
        world.finish();
        world.account.check_counts(0);
        assert!(world.account.globals().len() >= 60, "{}", world.account.globals().len());
    });
}
