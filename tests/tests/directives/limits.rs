//! A limit over what is computed, while readings flow and things die.

use crate::operator::{is_computed, is_set, limit, operator};
use fogline_tests::real::{Kind, Site, until};

#[test]
fn it_counts_until_it_is_cleared_and_outlives_whoever_dies() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let mut agent = site.agent("lane-1").watches_a_road("20").start();
    until("a limit is computed", || is_computed(&agent));
    let said = operator(&site.ingester, "limit set 65 --region north --for 30m --wait 30s");
    assert!(said.content && said.text.contains("1 of 1 agents"), "{said:?}");
    assert_eq!(limit(&agent), Some((65.0, true)));

    // Nobody hears of the next one before both have died and come back.
    agent.program.kill();
    let said = operator(&site.ingester, "limit set 75 --agent north/lane-1 --for 30m --wait 0s --json");
    assert_eq!(said.json()["agents"][0]["acknowledged"], false, "{said:?}");
    site.ingester.bounce();
    agent.program.restart();
    until("the agent's own limit holds on it", || is_set(&agent, 75.0));
    let listed = operator(&site.ingester, "limit list");
    assert!(listed.text.contains("all of region north") && listed.text.contains("agent north/lane-1"), "{listed:?}");

    let said = operator(&site.ingester, "limit clear --agent north/lane-1 --wait 30s");
    assert!(said.content, "{said:?}");
    assert_eq!(limit(&agent), Some((65.0, true)), "its region's is left");
    let said = operator(&site.ingester, "limit clear --region north --wait 30s");
    assert!(said.content, "{said:?}");
    until("what is computed holds again", || is_computed(&agent));
    let twice = operator(&site.ingester, "limit clear --region north");
    assert!(!twice.content && twice.text.contains("no operator has set"), "{twice:?}");
    let high = operator(&site.ingester, "limit set 300 --region north --for 5m");
    assert!(!high.content && high.text.contains("60 to 130"), "{high:?}");
    assert!(site.audit(&[&agent]).passes().total.stored > 0);
}

#[test]
fn it_is_sent_again_when_the_ingester_dies_before_it_is_acknowledged() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let agent = site.agent("lane-1").watches_a_road("20").start();
    until("a limit is computed", || is_computed(&agent));
    agent.program.pause();
    let said = operator(&site.ingester, "limit set 65 --region north --for 30m --wait 0s");
    assert!(!said.content, "the agent is there, and has not acknowledged: {said:?}");
    site.ingester.bounce();
    agent.program.resume();
    until("the limit holds", || is_set(&agent, 65.0));
    let database = site.ingester.database();
    until("its acknowledgement is kept", || {
        let (_, applied) = database.applied_limit("lane-1")?;
        ((applied - 65.0).abs() < 1e-9).then_some(())
    });
}

#[test]
fn it_ends_by_itself_and_holds_for_who_comes_later() {
    let Some(site) = Site::start(Kind::under_test()) else { return };
    let said = operator(&site.ingester, "limit set 65 --region north --for 20s --wait 0s");
    assert!(said.content, "nobody is there to tell: {said:?}");
    let agent = site.agent("lane-1").watches_a_road("20").start();
    until("the limit holds for who comes later", || is_set(&agent, 65.0));
    until("what is computed holds when its time is over", || is_computed(&agent));
    let listed = operator(&site.ingester, "limit list --ended");
    assert!(listed.text.contains("expired"), "{listed:?}");
}
