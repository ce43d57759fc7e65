//! Bills are acknowledged once the one that stands by keeps them too.

use crate::world::{World, agent, pair};
use fogline_protocol::ids::StreamId;
use fogline_protocol::store::Progress;
use fogline_protocol::wire::Role;

#[test]
fn a_bill_is_acknowledged_once_the_follower_keeps_it_too() {
    let mut world = pair();
    world.hello(1);
    world.reading(1);
    world.pass(100);
    assert_eq!(world.acknowledged, 1, "what is no bill waits for nobody");
    world.entry(2);
    assert_eq!(world.acknowledged, 1);
    world.pass(1_000);
    assert_eq!(world.acknowledged, 2);
    assert!(world.sites.iter().flatten().all(|site| site.state.stays.contains_key(&2)));
    world.loses = Some("/log");
    world.entry(3);
    world.pass(2_000);
    assert_eq!(world.acknowledged, 2, "nobody else keeps it");
    world.loses = None;
    world.pass(4_000);
    assert_eq!(world.acknowledged, 3);
    assert!(world.sites.iter().flatten().all(|site| site.state.stays.contains_key(&3)));
}

#[test]
fn a_leader_that_is_alone_acknowledges_bills_and_says_so() {
    let mut world = pair();
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    let standby = |world: &World| world.sites[leader].as_ref().unwrap().node.snapshot(world.now.mono).standby;
    assert_eq!(standby(&world), Some(true));
    world.hello(1);
    world.sites[1 - leader] = None;
    world.entry(1);
    world.pass(1_000);
    assert_eq!(world.acknowledged, 0, "the other one may be there still");
    world.pass(3_000);
    assert_eq!((world.acknowledged, standby(&world)), (1, Some(false)));
}

#[test]
fn a_bill_is_not_acknowledged_while_pages_are_missing() {
    let mut world = pair();
    world.hello(1);
    // More pages than one: other streams.
    for site in world.sites.iter_mut().flatten() {
        for bits in 2..6 {
            let known = Progress { through: 1, ranges: Vec::new() };
            site.state.progress.insert((agent(), StreamId::from_bits(bits)), known);
        }
    }
    let follower = world.roles().iter().position(|role| *role == Some(Role::StandingBy)).unwrap();
    world.loses = Some("/log");
    world.entry(1);
    world.pass(600);
    world.loses = None;
    // It is told all pages, and its store has taken all but some.
    world.stalled = Some(follower);
    world.pass(1_000);
    assert!(world.site(follower).asked.len() > 2);
    while world.site(follower).asked.len() > 1 {
        assert!(!world.site(follower).state.stays.contains_key(&1));
        world.answer(follower);
        world.pass(600);
        assert_eq!(world.acknowledged, 0, "nobody else keeps it");
    }
    world.stalled = None;
    world.pass(600);
    assert_eq!((world.acknowledged, world.site(follower).state.stays.contains_key(&1)), (1, true));
}
