//! What operators decide is said to be kept once the one that stands by keeps it too.

use crate::world::{World, agent, pair};
use fogline_protocol::directive::{DirectiveChange, DirectiveRefusal, Target};
use fogline_protocol::node::SiteInput;
use fogline_protocol::wire::Role;

/// An operator sets the limit of the region; gives the ticket.
fn set_limit(world: &mut World, site: usize, kmh: u32) {
    let (region, until_us) = (agent().region, world.now.wall.us() + 600_000_000);
    let target = Target { region, agent: None, key: "limit".to_owned() };
    let set = Some((serde_json::json!({ "limit_kmh": kmh }), Some(until_us)));
    world.input(site, SiteInput::Direct { ticket: u64::from(kmh), change: DirectiveChange { target, set, by: None } });
    world.work();
}

#[test]
fn a_directive_is_said_to_be_kept_once_the_follower_keeps_it_too() {
    let mut world = pair();
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    set_limit(&mut world, 1 - leader, 70);
    assert_eq!(world.site(1 - leader).directed[&70], Err(DirectiveRefusal::StandsBy));
    world.loses = Some("/log");
    set_limit(&mut world, leader, 80);
    world.pass(2_000);
    assert!(world.site(leader).directed.is_empty(), "nobody else keeps it");
    world.loses = None;
    world.pass(4_000);
    assert!(world.site(leader).directed[&80].is_ok());
    assert_eq!(world.sites.iter().flatten().filter(|site| site.state.directives.len() == 1).count(), 2);
    world.sites[leader] = None;
    world.pass(8_000);
    world.says("hello", r#"{"v":1,"hello":1,"agent_version":"0","term":null,"streams":[]}"#);
    let told = world.told.last().expect("the agent is told of it by the one that took over");
    assert_eq!(told.body["limit_kmh"], 80.0);
}

#[test]
fn a_leader_that_is_alone_keeps_directives_by_itself() {
    let mut world = pair();
    let leader = world.roles().iter().position(|role| *role == Some(Role::Leading)).unwrap();
    world.sites[1 - leader] = None;
    world.pass(5_000);
    set_limit(&mut world, leader, 80);
    assert!(world.site(leader).directed[&80].is_ok());
}
