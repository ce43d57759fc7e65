//! Lists, and their pages.

use super::super::testing::Site;
use crate::store::testing::{agent, decision};
use fogline_protocol::store::Commit;
use serde_json::Value;

#[tokio::test]
async fn what_there_is_to_know() {
    let site = Site::start().await;
    insta::assert_json_snapshot!("regions", site.json("/api/v1/regions").await);
    insta::assert_json_snapshot!("agent", site.json("/api/v1/agents/north/r1").await);
    insta::assert_json_snapshot!("limits", site.json("/api/v1/limits").await);
    insta::assert_json_snapshot!("dead-letters", site.json("/api/v1/dead-letters?limit=1").await);
    let mut health = site.json("/api/v1/health").await;
    assert_eq!(health["version"].take(), env!("CARGO_PKG_VERSION"));
    insta::assert_json_snapshot!("health", health);
}

#[tokio::test]
async fn agents_are_listed_as_ever_with_their_brokers() {
    let site = Site::start().await;
    let agents = site.json("/api/v1/agents?limit=2&offset=1").await;
    assert_eq!((&agents["limit"], &agents["offset"]), (&2.into(), &1.into()));
    let names: Vec<&str> = agents["agents"].as_array().unwrap().iter().map(|a| a["agent"].as_str().unwrap()).collect();
    assert_eq!(names, ["r2", "r3"]);
    let all = site.json("/api/v1/agents").await;
    assert_eq!((&all["agents"][0]["broker"], &all["agents"][1]["broker"]), (&"127.0.0.1:1884".into(), &Value::Null));
    assert!(site.refused("GET", "/api/v1/agents/north/r9", 404).await.contains("north/r9"));
}

/// All items of a list, in pages of one, and how many pages those were.
async fn page_by_page(site: &Site, path: &str) -> (Vec<Value>, usize) {
    let (mut items, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = site.json(&format!("{path}limit=1{after}")).await;
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        pages += 1;
        assert!(pages < 100, "it has no end");
        let Some(next) = page["next"].as_str() else { return (items, pages) };
        after = format!("&after={next}");
    }
}

#[tokio::test]
async fn pages_have_all_items_once_and_the_last_says_so() {
    let site = Site::start().await;
    for (path, count) in [("regions?", 2), ("limits?", 2), ("dead-letters?", 3), ("limits?acknowledged=false&", 1)] {
        let path = format!("/api/v1/{path}");
        let whole = site.json(&path).await;
        let (items, pages) = page_by_page(&site, &path).await;
        assert_eq!((&Value::Array(items), pages), (&whole["items"], count), "{path}");
        assert_eq!(whole["next"], Value::Null);
    }
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended_whatever_came_meanwhile() {
    let mut site = Site::start().await;
    let first = site.json("/api/v1/limits?limit=1").await;
    let mut before = decision("r0", 9);
    before.agent = agent("north", "r0");
    let mut rain = decision("r1", 9);
    rain.decision.key = "notice/rain".into();
    site.commit(Commit { id: 1, decisions: vec![before, rain], ..Commit::default() }).await.unwrap();
    let next = first["next"].as_str().unwrap();
    let rest = site.json(&format!("/api/v1/limits?after={next}")).await;
    let names: Vec<(&Value, &Value)> =
        rest["items"].as_array().unwrap().iter().map(|i| (&i["agent"], &i["key"])).collect();
    let (r1, r2, limit, rain) = ("r1".into(), "r2".into(), "limit".into(), "notice/rain".into());
    assert_eq!(names, [(&r1, &rain), (&r2, &limit)]);
}

#[tokio::test]
async fn limits_are_found_by_region_and_answer() {
    let site = Site::start().await;
    for (query, agents) in [
        ("", vec!["r1", "r2"]),
        ("acknowledged=true", vec!["r1"]),
        ("acknowledged=false&region=north", vec!["r2"]),
        ("region=south", vec![]),
    ] {
        let found = site.json(&format!("/api/v1/limits?{query}")).await;
        let found: Vec<&str> =
            found["items"].as_array().unwrap().iter().map(|i| i["agent"].as_str().unwrap()).collect();
        assert_eq!(found, agents, "{query}");
    }
}
