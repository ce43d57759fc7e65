//! Configurations that are tried: kept where the ingester is heard, rolled back where it is not.

use crate::operator::operator;
use fogline_tests::real::{Agent, Kind, Site, Watcher, until};
use serde_json::{Value, json};

fn configuration(agent: &Agent) -> Option<Value> {
    agent.status()?.pointer("/live/configuration").cloned()
}

fn works_with(agent: &Agent, sensing: &Value) -> Option<()> {
    (configuration(agent)?["in_force"] == *sensing).then_some(())
}

fn readings(site: &Site) -> u64 {
    site.ingester.metric("fogline_ingest_stored_total")
}

#[test]
fn one_that_is_answered_to_stays_also_when_the_agent_is_killed() {
    let Some(site) = Site::start(Kind::under_test()) else { return };
    let mut agent = site.agent("lane-1").watches_a_road("20").start();
    until("readings flow", || (readings(&site) > 10).then_some(()));
    let said = operator(&site.ingester, "agent config set --agent north/lane-1 sampling=500ms window=2s --wait 30s");
    assert!(said.content, "{said:?}");
    let set = json!({ "sampling_ms": 500, "window_ms": 2000 });
    assert_eq!(configuration(&agent).unwrap()["phase"], "good");
    agent.program.kill();
    agent.program.restart();
    until("it works with it again", || works_with(&agent, &set));
    let got = operator(&site.ingester, "agent config get --agent north/lane-1");
    assert!(got.text.contains("sampling=500ms window=2s") && got.text.contains("applied"), "{got:?}");

    let refused = operator(&site.ingester, "agent config set --agent north/lane-1 window=10ms");
    assert!(!refused.content && refused.text.contains("1000 to 3600000"), "{refused:?}");
    let said = operator(&site.ingester, "agent config clear --agent north/lane-1 --wait 30s");
    assert!(said.content, "{said:?}");
    until("it works as it was started", || works_with(&agent, &json!({})));
}

#[test]
fn one_that_nobody_answers_to_is_rolled_back() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let agent = site.agent("lane-1").watches_a_road("20").args(["--config-trial", "3s"]).start();
    until("readings flow", || (readings(&site) > 10).then_some(()));
    let said = operator(&site.ingester, "agent config set --agent north/lane-1 sampling=1s --wait 30s");
    assert!(said.content, "{said:?}");
    let Some(watcher) = Watcher::start(&site.broker, "fogline/v1/north/lane-1/down/config") else { return };
    // The next one is on its way to an agent that nobody answers any more.
    agent.program.pause();
    operator(&site.ingester, "agent config set --agent north/lane-1 sampling=7s --wait 0s");
    let sent = watcher.message("fogline/v1/north/lane-1/down/config", "\"sampling_ms\":7000");
    assert_eq!(sent["key"], "config/sensing");
    site.ingester.program.kill();
    agent.program.resume();
    until("it is tried", || works_with(&agent, &json!({ "sampling_ms": 7000 })));
    until("it is rolled back", || works_with(&agent, &json!({ "sampling_ms": 1000 })));
    assert_eq!(configuration(&agent).unwrap()["phase"], "rolled_back");

    site.ingester.restart();
    let got = until("the operator is told", || {
        let got = operator(&site.ingester, "agent config get --agent north/lane-1");
        got.text.contains("rolled back").then_some(got)
    });
    assert!(got.text.contains("no ingester was heard within 3 s"), "{got:?}");
    assert!(works_with(&agent, &json!({ "sampling_ms": 1000 })).is_some());
}

#[test]
fn one_during_which_the_agent_dies_again_and_again_is_rolled_back() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let mut agent = site.agent("lane-1").watches_a_road("20").start();
    until("readings flow", || (readings(&site) > 10).then_some(()));
    let Some(watcher) = Watcher::start(&site.broker, "fogline/v1/north/lane-1/down/config") else { return };
    agent.program.pause();
    operator(&site.ingester, "agent config set --agent north/lane-1 sampling=7s --wait 0s");
    let sent = watcher.message("fogline/v1/north/lane-1/down/config", "\"sampling_ms\":7000");
    assert_eq!(sent["key"], "config/sensing");
    site.ingester.program.kill();
    agent.program.resume();
    let tried = json!({ "sampling_ms": 7000 });
    for _ in 0..2 {
        until("it is tried", || works_with(&agent, &tried));
        agent.program.kill();
        agent.program.restart();
    }
    until("it is tried", || works_with(&agent, &tried));
    agent.program.kill();
    agent.program.restart();
    until("it is rolled back", || (configuration(&agent)?["phase"] == "rolled_back").then_some(()));
    works_with(&agent, &json!({})).expect("it works as it was started");
}
