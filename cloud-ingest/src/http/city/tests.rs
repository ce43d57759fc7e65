//! Each row of the REST's table, and each status that it names, against the router that is served.

mod desk;

use desk::Desk;
use serde_json::{Value, json};

fn node(id: &str, u: u32, v: u32) -> Value {
    json!({ "id": id, "host": "127.0.0.1", "ports": { "http": 8080 }, "u": u, "v": v })
}

/// The average of a window that ended so many windows after 2023-11-14.
fn average(id: &str, window: i64, mean: f64) -> Value {
    let from_us = 1_700_000_000_000_000 + window * 5_000_000;
    let to_us = from_us + 5_000_000;
    json!({ "id": id, "ts_us": to_us, "from_us": from_us, "to_us": to_us, "mean_ugm3": mean, "n": 3 })
}

#[tokio::test]
async fn init_is_a_long_text_that_stays_the_same() {
    let mut desk = Desk::new();
    let token = desk.get("/api/init").await.text(200, "text/plain; charset=utf-8");
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
    assert_eq!(desk.get("/api/init").await.text(200, "text/plain; charset=utf-8"), token);
    desk.restart();
    assert_eq!(desk.get("/api/init").await.text(200, "text/plain; charset=utf-8"), token);
    assert_ne!(Desk::new().get("/api/init").await.text(200, "text/plain; charset=utf-8"), token);
}

#[tokio::test]
async fn nodes_come_go_and_outlive_a_restart() {
    let mut desk = Desk::new();
    let (a, b) = (node("a", 10, 10), node("b", 50, 50));
    desk.get("/api/nodes").await.problem(404, "no node is connected");
    assert_eq!(desk.post("/api/nodes", &b).await.json(200), json!([b]));
    assert_eq!(desk.post("/api/nodes", &a).await.json(200), json!([a, b]));
    desk.post("/api/nodes", &node("a", 90, 90)).await.problem(409, "is taken");
    desk.post("/api/nodes", &a).await.problem(409, "is taken");
    desk.post("/api/nodes", &node("c", 29, 10)).await.problem(403, "at least 20 apart");
    desk.restart();
    assert_eq!(desk.get("/api/nodes").await.json(200), json!([a, b]));
    desk.delete("/api/nodes", &a).await.empty(204);
    desk.delete("/api/nodes", &a).await.problem(404, "no node a");
    desk.delete("/api/nodes", &json!({ "id": "b" })).await.empty(204);
    desk.get("/api/nodes").await.problem(404, "no node is connected");
}

#[tokio::test]
async fn nodes_of_a_wrong_format_are_refused() {
    let desk = Desk::new();
    let right = node("a", 10, 10);
    let but = |key: &str, value: Value| {
        let mut node = right.clone();
        node[key] = value;
        node
    };
    for wrong in [
        json!([]),
        json!("a"),
        json!({}),
        json!({ "id": "a", "host": "h", "u": 1 }),
        but("id", json!("A b")),
        but("id", json!("global")),
        but("id", json!("stats")),
        but("id", json!(7)),
        but("host", json!("")),
        but("host", json!("a b")),
        but("ports", json!({ "http": 0 })),
        but("ports", json!({ "http": 65_536 })),
        but("ports", json!([80])),
        but("u", json!(100)),
        but("u", json!(-1)),
        but("v", json!(1.5)),
        but("v", json!("1")),
        but("v", Value::Null),
    ] {
        desk.post("/api/nodes", &wrong).await.problem(400, "");
    }
    for (method, text) in [("POST", ""), ("POST", "{"), ("DELETE", ""), ("DELETE", "{}"), ("DELETE", r#"{"id":"A b"}"#)]
    {
        desk.ask(method, "/api/nodes", text).await.problem(400, "the body");
    }
    assert_eq!(desk.post("/api/nodes", &but("ports", json!({}))).await.json(200), json!([but("ports", json!({}))]));
}

#[tokio::test]
async fn the_nearest_node_is_found() {
    let desk = Desk::new();
    for wrong in ["", "?u=1", "?v=1", "?u=100&v=0", "?u=0&v=100", "?u=-1&v=0", "?u=a&v=0", "?u=1.5&v=0", "?u=1&u=2&v=0"]
    {
        desk.get(&format!("/api/node/nearest{wrong}")).await.problem(400, "");
    }
    desk.get("/api/node/nearest?u=0&v=0").await.problem(404, "no node is connected");
    let (a, b) = (node("a", 0, 0), node("b", 99, 99));
    desk.post("/api/nodes", &a).await.json(200);
    desk.post("/api/nodes", &b).await.json(200);
    assert_eq!(desk.get("/api/node/nearest?u=0&v=99").await.json(200), a, "the smaller id of two as near");
    assert_eq!(desk.get("/api/node/nearest?u=1&v=99").await.json(200), b);
    assert_eq!(desk.get("/api/node/nearest?u=99&v=99").await.json(200), b);
}

#[tokio::test]
async fn the_latest_averages_come_newest_first() {
    let mut desk = Desk::new();
    desk.post("/api/nodes", &node("a", 0, 0)).await.json(200);
    for path in ["/api/measurements", "/api/measurements/a", "/api/measurements/stats", "/api/measurements/stats/a"] {
        desk.get(&format!("{path}?n=3")).await.empty(204);
        for wrong in ["", "?n=0", "?n=1001", "?n=-1", "?n=x", "?n=", "?n=1.5", "?n=99999999999"] {
            desk.get(&format!("{path}{wrong}")).await.problem(400, "n");
        }
    }
    for (window, mean) in [(0, 10.0), (2, 30.0), (1, 20.0)] {
        desk.post("/api/measurements", &average("global", window, mean)).await.empty(204);
        desk.post("/api/measurements", &average("a", window, mean + 1.0)).await.empty(204);
    }
    desk.restart();
    let newest = json!([average("global", 2, 30.0), average("global", 1, 20.0)]);
    assert_eq!(desk.get("/api/measurements?n=2").await.json(200), newest);
    assert_eq!(desk.get("/api/measurements/a?n=1").await.json(200), json!([average("a", 2, 31.0)]));
    assert_eq!(desk.get("/api/measurements?n=1000").await.json(200).as_array().unwrap().len(), 3);
    let two = json!({ "n": 2, "mean_ugm3": 25.0, "stddev_ugm3": 5.0 });
    assert_eq!(desk.get("/api/measurements/stats?n=2").await.json(200), two);
    let one = json!({ "n": 1, "mean_ugm3": 31.0, "stddev_ugm3": 0.0 });
    assert_eq!(desk.get("/api/measurements/stats/a?n=1").await.json(200), one);
}

#[tokio::test]
async fn an_average_that_is_posted_again_is_one() {
    let desk = Desk::new();
    for mean in [10.0, 10.0, 99.0] {
        desk.post("/api/measurements", &average("global", 0, mean)).await.empty(204);
    }
    assert_eq!(desk.get("/api/measurements?n=9").await.json(200), json!([average("global", 0, 10.0)]));
}

#[tokio::test]
async fn averages_that_cannot_be_are_refused() {
    let desk = Desk::new();
    let right = average("a", 0, 10.0);
    let but = |key: &str, value: Value| {
        let mut average = right.clone();
        average[key] = value;
        average
    };
    for wrong in [
        json!({}),
        but("id", json!("A b")),
        but("id", json!("stats")),
        but("from_us", right["to_us"].clone()),
        but("ts_us", right["from_us"].clone()),
        but("mean_ugm3", json!(-1)),
        but("mean_ugm3", json!("10")),
        but("n", json!(0)),
        but("n", json!(1.5)),
        average("a", 200_000_000, 10.0),
    ] {
        desk.post("/api/measurements", &wrong).await.problem(400, "");
    }
    desk.ask("POST", "/api/measurements", "{").await.problem(400, "the body");
    desk.get("/api/measurements/a?n=1").await.problem(404, "no node");
}

#[tokio::test]
async fn a_node_is_known_while_it_is_there_or_has_averages() {
    let desk = Desk::new();
    for path in ["/api/measurements", "/api/measurements/stats"] {
        for id in ["b", "global", "A%20b"] {
            desk.get(&format!("{path}/{id}?n=1")).await.problem(404, "no node");
            desk.get(&format!("{path}/{id}?n=0")).await.problem(400, "n is 0");
        }
    }
    desk.post("/api/nodes", &node("a", 0, 0)).await.json(200);
    desk.post("/api/measurements", &average("a", 0, 10.0)).await.empty(204);
    desk.delete("/api/nodes", &node("a", 0, 0)).await.empty(204);
    assert_eq!(desk.get("/api/measurements/a?n=9").await.json(200), json!([average("a", 0, 10.0)]));
}

#[tokio::test]
async fn one_that_stands_by_says_who_leads() {
    let mut desk = Desk::new();
    let (a, global) = (node("a", 0, 0), average("global", 0, 10.0));
    let token = desk.get("/api/init").await.text(200, "text/plain; charset=utf-8");
    desk.stand_by(Some("other"), false);
    for path in
        ["/api/init", "/api/nodes", "/api/node/nearest?u=1&v=1", "/api/measurements?n=1", "/api/measurements/a?n=1"]
    {
        desk.get(path).await.problem(421, "ask other");
    }
    desk.post("/api/nodes", &a).await.problem(421, "ask other");
    desk.post("/api/nodes", &json!({})).await.problem(400, "");
    desk.delete("/api/nodes", &a).await.problem(421, "ask other");
    desk.post("/api/measurements", &global).await.problem(421, "ask other");
    desk.stand_by(Some("other"), true);
    assert_eq!(desk.get("/api/init").await.text(200, "text/plain; charset=utf-8"), token, "the same file");
    desk.get("/api/nodes").await.problem(404, "no node is connected");
    desk.post("/api/nodes", &a).await.problem(421, "ask other");
    desk.stand_by(None, false);
    desk.post("/api/nodes", &a).await.problem(503, "no ingester leads");
    assert_eq!(desk.get("/api/init").await.text(200, "text/plain; charset=utf-8"), token);
}

#[tokio::test]
async fn a_database_that_fails_is_a_503() {
    let desk = Desk::new();
    desk.post("/api/nodes", &node("a", 0, 0)).await.json(200);
    desk.drop_tables();
    for path in
        ["/api/init", "/api/nodes", "/api/node/nearest?u=1&v=1", "/api/measurements?n=1", "/api/measurements/a?n=1"]
    {
        desk.get(path).await.problem(503, "");
    }
    desk.post("/api/nodes", &node("b", 50, 50)).await.problem(503, "");
    desk.delete("/api/nodes", &node("a", 0, 0)).await.problem(503, "");
    desk.post("/api/measurements", &average("a", 0, 1.0)).await.problem(503, "");
}

#[tokio::test]
async fn the_document_has_each_path_and_method() {
    let document = Desk::new().get("/openapi.json").await.json(200);
    let methods = |path: &str| -> Vec<String> {
        let Some(methods) = document["paths"][path].as_object() else { return Vec::new() };
        methods.keys().cloned().collect()
    };
    for (path, expected) in [
        ("/api/init", &["get"] as &[&str]),
        ("/api/nodes", &["delete", "get", "post"]),
        ("/api/node/nearest", &["get"]),
        ("/api/measurements", &["get", "post"]),
        ("/api/measurements/{id}", &["get"]),
        ("/api/measurements/stats", &["get"]),
        ("/api/measurements/stats/{id}", &["get"]),
    ] {
        let mut found = methods(path);
        found.sort();
        assert_eq!(found, expected, "{path}");
    }
}
