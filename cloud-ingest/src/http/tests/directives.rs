//! What operators decide: asked over the API, given to the node, and listed with what became of it on each agent.

use super::super::testing::Site;
use crate::store::Store as _;
use crate::store::testing::{EPOCH_US, agent, decision};
use axum::http::Request;
use fogline_protocol::directive::{Directive, DirectiveChange, DirectiveRefusal, Target};
use fogline_protocol::ids::Name;
use fogline_protocol::node::SiteInput;
use fogline_protocol::store::{AgentStatus, Commit, DecisionRecord, Fate};
use fogline_protocol::time::Wall;
use fogline_protocol::wire::{Decision, Outcome, Status};
use serde_json::{Value, json};

fn directive(id: u64, agent: Option<&str>) -> Directive {
    let agent = agent.map(|agent| Name::new(agent).unwrap());
    let target = Target { region: Name::new("north").unwrap(), agent, key: "limit".to_owned() };
    let (body, by) = (json!({ "limit_kmh": 80.0 }), Some("anna".to_owned()));
    Directive { id, target, body, by, set_us: EPOCH_US, until_us: Some(EPOCH_US + 60_000_000), ended: None }
}

fn told(to: &str, seq: u64, of: Option<u64>, fate: Fate) -> DecisionRecord {
    let record = decision(to, seq);
    let body = of.map_or(json!({ "limit_kmh": 90 }), |id| json!({ "limit_kmh": 80.0, "directive": id }));
    DecisionRecord { decision: Decision { body, ..record.decision }, fate, ..record }
}

async fn site() -> Site {
    let status = |name: &str, online| {
        let status = Status {
            online,
            connection: (1, 1),
            ts_us: 7,
            queued: 0,
            queued_bytes: 0,
            oldest_us: None,
            dropped: 0,
            damaged: 0,
        };
        AgentStatus { agent: agent("north", name), status, heard: Wall::from_us(EPOCH_US) }
    };
    let applied = Fate::Acknowledged(Outcome::Applied);
    let refused = DecisionRecord {
        reason: Some("no".to_owned()),
        ..told("r3", 1, Some(1), Fate::Acknowledged(Outcome::Refused))
    };
    let commit = Commit {
        run: 1,
        id: 1,
        directives: vec![directive(1, None), directive(2, Some("r2")), directive(3, Some("new"))],
        decisions: vec![
            told("r1", 1, Some(1), applied),
            told("r2", 1, Some(2), applied),
            refused,
            told("r4", 1, Some(1), Fate::Outstanding),
        ],
        statuses: vec![status("r1", true), status("r2", true), status("r3", false), status("r4", true)],
        ..Commit::default()
    };
    Site::with(|store| {
        store.commit(&commit).unwrap();
    })
    .await
}

#[tokio::test]
async fn each_agent_shows_what_it_has_of_a_directive() {
    let site = site().await;
    let all = site.json("/api/v1/directives/1/agents").await;
    let rows = all["items"].as_array().unwrap();
    let states: Vec<Value> =
        rows.iter().map(|row| json!([row["agent"], row["online"], row["state"], row["acknowledged"]])).collect();
    assert_eq!(
        json!(states),
        json!([
            ["r1", true, "applied", true],
            ["r2", true, "overridden", true],
            ["r3", false, "refused", true],
            ["r4", true, "waiting", false]
        ])
    );
    assert_eq!(rows[2]["decision"]["reason"], "no");
    let own = site.json("/api/v1/directives/3/agents").await;
    assert_eq!(
        own["items"],
        json!([{"region": "north", "agent": "new", "online": null, "state": "waiting", "acknowledged": false, "decision": null}])
    );
    let page = site.json("/api/v1/directives/1/agents?limit=3").await;
    let next = page["next"].as_str().unwrap();
    let rest = site.json(&format!("/api/v1/directives/1/agents?limit=3&after={next}")).await;
    assert_eq!((rest["items"][0]["agent"].as_str(), &rest["next"]), (Some("r4"), &Value::Null));
    for unknown in ["9", "x", "-1", "99999999999999999999"] {
        site.refused("GET", &format!("/api/v1/directives/{unknown}"), 404).await;
        site.refused("GET", &format!("/api/v1/directives/{unknown}/agents"), 404).await;
    }
}

#[tokio::test]
async fn directives_are_listed_newest_first_and_page_by_page() {
    let site = site().await;
    let first = site.json("/api/v1/directives?limit=2&key=limit&region=north").await;
    let ids = |page: &Value| {
        page["items"].as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first), [3, 2]);
    let next = first["next"].as_str().unwrap();
    assert_eq!(ids(&site.json(&format!("/api/v1/directives?after={next}")).await), [1]);
    assert_eq!(ids(&site.json("/api/v1/directives?key=config/sensing").await), [0_u64; 0]);
    let one = site.json("/api/v1/directives/2").await;
    assert_eq!((&one["agent"], &one["by"], &one["ended"]), (&json!("r2"), &json!("anna"), &Value::Null));
}

#[tokio::test]
async fn what_is_asked_goes_to_the_node_and_its_answer_comes_back() {
    let mut site = site().await;
    let (path, body) = ("/api/v1/agents/north/r1/limit", json!({ "limit_kmh": 70, "until_us": 9 }).to_string());
    let (routes, put) = (site.routes.clone(), Request::put(path).body(axum::body::Body::from(body)).unwrap());
    let asking =
        tokio::spawn(async move { tower_service::Service::call(&mut routes.clone(), put).await.unwrap().status() });
    let SiteInput::Direct { ticket, change } = site.asked.next().await else { panic!("nothing else is asked for") };
    let target = directive(4, Some("r1")).target;
    assert_eq!(change, DirectiveChange { target, set: Some((json!({ "limit_kmh": 70.0 }), Some(9))), by: None });
    site.asked.answered(ticket, Err(DirectiveRefusal::Value("too late".to_owned())));
    assert_eq!(asking.await.unwrap(), 400);

    let (routes, delete) =
        (site.routes.clone(), Request::delete("/api/v1/regions/north/config").body(axum::body::Body::empty()).unwrap());
    let asking =
        tokio::spawn(async move { tower_service::Service::call(&mut routes.clone(), delete).await.unwrap().status() });
    let SiteInput::Direct { ticket, change } = site.asked.next().await else { panic!("nothing else is asked for") };
    assert_eq!((change.target.key.as_str(), change.set), ("config/sensing", None));
    site.asked.answered(ticket, Ok(directive(4, None)));
    assert_eq!(asking.await.unwrap(), 200);
}

#[tokio::test]
async fn a_list_is_no_configuration() {
    let site = site().await;
    let put = Request::put("/api/v1/agents/north/r1/config").body(axum::body::Body::from("[null,null]")).unwrap();
    let answer = tower_service::Service::call(&mut site.routes.clone(), put);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), answer).await.expect("the node is not asked");
    assert_eq!(answer.unwrap().status(), 400);
}

/// What an operator is answered where the node refuses so.
async fn refused_so(site: &mut Site, method: &str, refusal: DirectiveRefusal) -> (u16, String) {
    let body = if method == "PUT" { r#"{"limit_kmh":70,"until_us":9}"# } else { "" };
    let request = Request::builder().method(method).uri("/api/v1/regions/north/limit");
    let (mut routes, request) = (site.routes.clone(), request.body(axum::body::Body::from(body)).unwrap());
    let asking = tokio::spawn(async move { tower_service::Service::call(&mut routes, request).await.unwrap() });
    let SiteInput::Direct { ticket, .. } = site.asked.next().await else { panic!("nothing else is asked for") };
    site.asked.answered(ticket, Err(refusal));
    let answer = asking.await.unwrap();
    let status = answer.status().as_u16();
    let body = axum::body::to_bytes(answer.into_body(), 10_000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn one_that_stands_by_says_who_leads() {
    let mut site = site().await;
    site.stand_by();
    for method in ["PUT", "DELETE"] {
        let (status, problem) = refused_so(&mut site, method, DirectiveRefusal::StandsBy).await;
        assert!(status == 421 && problem.contains("cloud-2"), "{status} {problem}");
    }
    assert!(site.refused("DELETE", "/api/v1/regions/NORTH/limit", 404).await.contains("not a name"));
}

#[tokio::test]
async fn one_that_takes_other_regions_says_which() {
    let mut site = site().await;
    let (region, takes) = (Name::new("north").unwrap(), "a7,a8".parse().unwrap());
    let (status, problem) = refused_so(&mut site, "PUT", DirectiveRefusal::NotTaken { region, takes }).await;
    assert!(status == 421 && problem.contains("takes a7,a8, and not region north: ask one that takes it"), "{problem}");
}
