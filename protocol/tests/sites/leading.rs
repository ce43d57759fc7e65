//! Who leads, what a follower knows, and how a lead ends.

use crate::world::World;
use fogline_protocol::node::Keeping;
use fogline_protocol::wire::Role;

#[test]
fn one_leads_and_hears_agents_and_the_other_follows_its_log() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    assert_eq!(world.roles(), [Some(Role::StandingBy), Some(Role::Leading)], "the greater name");
    assert_eq!((world.site(0).listens, world.site(1).listens), (false, true));
    assert!(world.in_step(0));
    for seq in 1..=5 {
        world.reading(seq);
    }
    assert_eq!((world.through(1), world.through(0)), (5, 0), "changes gather for a moment");
    world.pass(300);
    assert_eq!(world.through(0), 5);
}

#[test]
fn a_successor_has_a_term_above_the_leader_that_it_followed_even_after_a_restart() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    world.reading(1);
    world.pass(300);
    let led_in = world.site(1).state.term;
    world.sites[1] = None;
    world.start(0, Keeping::Apart, "influx");
    world.pass(5000);
    assert_eq!(world.roles(), [Some(Role::Leading), None]);
    assert!(world.site(0).state.term > led_in);
    world.reading(1);
    assert_eq!(world.through(0), 1, "it knows what is written");
}

#[test]
fn who_has_missed_an_entry_asks_for_everything_again() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    world.loses = Some("/log");
    world.reading(1);
    world.pass(500);
    world.loses = None;
    assert_eq!(world.through(0), 0);
    world.pass(3500);
    assert_eq!(world.through(0), 1, "the leader's beat says that there was an entry");
    assert!(world.in_step(0));
}

#[test]
fn a_newcomer_with_another_store_gives_way_and_the_leader_goes_on() {
    let mut world = World::new(Keeping::Together, &["sqlite:1"]);
    world.pass(2000);
    world.sites.push(None);
    world.start(1, Keeping::Together, "sqlite:2");
    world.pass(2000);
    assert_eq!(world.site(1).conflict.as_deref(), Some("sqlite:1"));
    assert_eq!(world.site(0).conflict, None);
    assert_eq!(world.roles()[0], Some(Role::Leading));
}

#[test]
fn a_leader_whose_store_was_taken_over_stands_down() {
    let mut world = World::new(Keeping::Together, &["sqlite:1"]);
    world.pass(2000);
    world.reading(1);
    // Another process has taken the lead in the shared file while this one slept.
    world.site(0).state.run ^= 1;
    world.reading(2);
    assert_eq!(world.roles(), [Some(Role::StandingBy)]);
    assert!(!world.site(0).listens);
    assert_eq!(world.through(0), 1, "nothing was written");
    world.pass(5000);
    assert_eq!(world.roles(), [Some(Role::Leading)], "nobody else leads after all");
}

#[test]
fn an_orderly_stop_waits_for_the_store_and_hands_over_within_a_second() {
    let mut world = World::new(Keeping::Apart, &["influx", "influx"]);
    world.pass(3000);
    world.reading(1);
    world.hangs = true;
    world.reading(2);
    let now = world.now;
    world.site(1).node.leave(now);
    world.effects(1);
    assert!(!world.site(1).node.has_left(), "a commit is at the store");
    world.hangs = false;
    world.work();
    world.pass(300);
    assert!(world.site(1).node.has_left());
    world.sites[1] = None;
    assert_eq!(world.through(0), 2, "what was committed last is in the log");
    world.pass(900);
    assert_eq!(world.roles(), [Some(Role::Leading), None]);
}
