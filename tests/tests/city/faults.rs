//! What else happens to a city.

use crate::world::{Network, World, name};

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = || {
        let mut world = World::new(7, Network::BAD);
        ["a", "b", "c"].into_iter().for_each(|id| world.join(id));
        world.start_sensors(5);
        world.play(30);
        world.kill("c");
        world.play(30);
        world.trace
    };
    assert!(run() == run());
}

#[test]
fn a_silent_node_is_removed_and_its_sensors_move() {
    for seed in 0..20 {
        let mut world = World::new(seed, Network::GOOD);
        ["a", "b", "c"].into_iter().for_each(|id| world.join(id));
        world.start_sensors(12);
        world.play(10);
        let coordinator = world.coordinators()[0].to_owned();
        let victim = ["a", "b", "c"].into_iter().find(|id| *id != coordinator).unwrap();
        assert!(world.snapshot(victim).sensors > 0);
        world.kill(victim);
        world.play_until("the API has forgotten it", 30, |world| world.api.nodes.len() == 2);
        world.play_until("sensors have moved", 20, |world| {
            let snapshot = world.sensors.as_ref().unwrap().snapshot();
            snapshot.without_node == 0 && !snapshot.by_node.contains_key(&name(victim)) && snapshot.kept <= 24
        });
        let snapshot = world.sensors.as_ref().unwrap().snapshot();
        assert!(snapshot.moves > 0 && snapshot.dropped == 0);
    }
}

#[test]
fn an_api_that_has_lost_everything_hears_of_all_nodes_again_and_has_a_new_token() {
    for seed in 0..20 {
        let mut world = World::new(seed, Network::BAD);
        let all = ["a", "b", "c", "d"];
        all.into_iter().take(3).for_each(|id| world.join(id));
        world.start_sensors(6);
        world.play(20);
        world.api.restart("token-2");
        world.play_until("registered again", 20, |world| world.api.nodes.len() == 3);
        world.join("d");
        world.play_until("all have the new token", 90, |world| {
            world.agree() && world.sensors.as_ref().unwrap().snapshot().kept <= 30
        });
        world.play(60);
        assert!(world.agree());
        let wrong: u64 = all.iter().map(|id| world.snapshot(id).wrong_token).sum();
        assert!(wrong > 0, "messages with another token are ignored, and counted");
    }
}

#[test]
fn whatever_happens_one_coordinates_in_the_end_and_nothing_acknowledged_is_lost() {
    for seed in 0..150 {
        let mut world = World::new(seed, Network::BAD);
        let all = ["a", "b", "c", "d", "e"];
        all.into_iter().for_each(|id| world.join(id));
        world.start_sensors(8);
        for _ in 0..12 {
            world.play_ms(4000 + world.rng.clone().below(3000));
            let id = all[usize::try_from(world.rng.below(5)).unwrap()];
            match world.rng.below(8) {
                0 => world.kill(id),
                1 => world.leave(id),
                2 => drop(world.cut_off.insert(name(id))),
                3 => world.cut_off.clear(),
                4 => world.cloud_up ^= true,
                5 => world.api.up ^= true,
                _ if !world.nodes.contains_key(&name(id)) => world.join(id),
                _ => {}
            }
        }
        world.api.up = true;
        world.cut_off.clear();
        world.network = Network::GOOD;
        if world.nodes.is_empty() {
            world.join("a");
        }
        world.play_until("one coordinator", 60, World::agree);
        world.play(60);
        assert!(world.agree(), "seed {seed}");
        world.account.drain_all();
        world.account.check_rows();
        let sensors = world.sensors.as_ref().unwrap().snapshot();
        assert_eq!(sensors.acknowledged + sensors.kept as u64, sensors.sampled, "seed {seed}");
    }
}
