//! What goes on, as it is heard.

use super::super::testing::{Site, next};
use crate::live::{BATCHES_KEPT, Batch, Said, WATCHERS_MAX};
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use fogline_protocol::ids::Name;
use fogline_protocol::store::StoreFault;
use fogline_protocol::wire::Role;
use futures_util::StreamExt as _;
use serde_json::Value;
use std::time::Duration;
use tower_service::Service as _;

/// What is said comes within this time.
const PATIENCE: Duration = Duration::from_secs(30);

struct Stream {
    body: BodyDataStream,
    text: String,
}

/// An event as it is heard.
#[derive(Debug)]
struct Heard {
    name: String,
    id: Option<u64>,
    data: Value,
}

impl Stream {
    async fn open(site: &Site, query: &str) -> Self {
        let request = Request::get(format!("/api/v1/events{query}")).body(Body::empty()).unwrap();
        let answer = site.routes.clone().call(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        Self { body: answer.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; none at the end.
    async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let Some(name) = field("event:") else { continue };
                let data = serde_json::from_str(field("data:").unwrap()).unwrap();
                return Some(Heard { name: name.to_owned(), id: field("id:").map(|id| id.parse().unwrap()), data });
            }
            let more = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("something is said");
            self.text.push_str(std::str::from_utf8(&more?.unwrap()).unwrap());
        }
    }

    /// The next event of this name.
    async fn next_of(&mut self, name: &str) -> Heard {
        loop {
            let heard = self.next().await.expect("it goes on");
            if heard.name == name {
                return heard;
            }
        }
    }
}

#[tokio::test]
async fn it_begins_with_how_things_are_and_goes_on_with_what_is_stored() {
    let mut site = Site::start().await;
    let mut stream = Stream::open(&site, "").await;
    let (leader, health) = (stream.next().await.unwrap(), stream.next().await.unwrap());
    assert_eq!((leader.name.as_str(), &leader.data["leader"]), ("leader", &"cloud-1".into()));
    assert_eq!((health.name.as_str(), &health.data["role"]), ("health", &"leading".into()));
    site.commit(next(1)).await.unwrap();
    let reading = stream.next_of("reading").await;
    assert_eq!((&reading.data["agent"], &reading.data["kind"]), (&"r1".into(), &"road".into()));
    let average = stream.next_of("average").await;
    assert_eq!((&average.data["agent"], &average.data["width_s"]), (&"r1".into(), &5.into()));
    assert_eq!(average.id, reading.id.map(|id| id + 1), "events are counted");
    assert!(stream.next_of("health").await.data["latency_ms"]["p50"].is_u64());
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_said() {
    let mut site = Site::start().await;
    let mut stream = Stream::open(&site, "?only=average,limit").await;
    site.commit(next(1)).await.unwrap();
    assert_eq!(stream.next().await.unwrap().name, "average");
    for wrong in ["", "limits", "limit,", "limit,%20average", "lagged"] {
        let detail = site.refused("GET", &format!("/api/v1/events?only={wrong}"), 400).await;
        assert!(detail.contains("agent,reading,average"), "{detail}");
    }
}

#[tokio::test]
async fn what_the_store_refuses_is_not_said() {
    let mut site = Site::start().await;
    let mut stream = Stream::open(&site, "?only=reading").await;
    // Another run leads in the store.
    let db = rusqlite::Connection::open(site.dir.path().join("fogline.db")).unwrap();
    db.execute("UPDATE state SET run = 77", []).unwrap();
    assert_eq!(site.commit(next(1)).await, Err(StoreFault::Deposed));
    db.execute("UPDATE state SET run = 2", []).unwrap();
    let mut second = next(2);
    second.points[0].agent.agent = Name::new("r2").unwrap();
    site.commit(second).await.unwrap();
    assert_eq!(stream.next().await.unwrap().data["agent"], "r2");
}

#[tokio::test]
async fn a_new_leader_is_said_by_those_who_stand_by_too() {
    let site = Site::start().await;
    let mut stream = Stream::open(&site, "?only=leader").await;
    assert_eq!(stream.next().await.unwrap().data["role"], "leading");
    site.stand_by();
    let heard = stream.next().await.unwrap();
    assert_eq!((&heard.data["role"], &heard.data["leader"]), (&"standing_by".into(), &"cloud-2".into()));
    site.snapshots.send_modify(|site| (site.role, site.leader) = (Role::StandingBy, None));
    assert_eq!(stream.next().await.unwrap().data["leader"], Value::Null);
}

#[tokio::test]
async fn one_who_does_not_read_hears_how_much_was_missed_and_goes_on() {
    let site = Site::start().await;
    let mut stream = Stream::open(&site, "?only=invoice").await;
    // As many again as are kept, two events each.
    for first in (1..4 * BATCHES_KEPT as u64).step_by(2) {
        let event = |name| Said { name, data: "{}".to_owned() };
        site.watch.say(Batch { first, events: vec![event("invoice"), event("limit")] });
        if first == 1 {
            assert_eq!(stream.next().await.unwrap().id, Some(1));
        }
    }
    let lagged = stream.next().await.unwrap();
    let missed = lagged.data["missed"].as_u64().unwrap();
    assert_eq!((lagged.name.as_str(), missed), ("lagged", 2 * (BATCHES_KEPT as u64 - 1)));
    let mut heard = 0;
    for id in (missed + 3..).step_by(2).take(BATCHES_KEPT) {
        assert_eq!(stream.next().await.unwrap().id, Some(id));
        heard += 1;
    }
    assert_eq!(heard, BATCHES_KEPT);
}

/// It takes as long as it says: 10 s.
#[tokio::test]
async fn a_stream_on_which_nothing_is_said_is_kept_alive() {
    let site = Site::start().await;
    let mut stream = Stream::open(&site, "?only=invoice").await;
    let begun = std::time::Instant::now();
    let first = tokio::time::timeout(PATIENCE, stream.body.next()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b":") && begun.elapsed() >= Duration::from_secs(9), "{first:?}");
}

#[tokio::test]
async fn only_so_many_may_watch() {
    let site = Site::start().await;
    let mut streams = Vec::new();
    for _ in 0..WATCHERS_MAX {
        streams.push(Stream::open(&site, "").await);
    }
    assert!(site.refused("GET", "/api/v1/events", 503).await.contains("64"));
    streams.pop();
    Stream::open(&site, "").await;
}

#[tokio::test]
async fn it_ends_when_the_ingester_stops() {
    let mut site = Site::start().await;
    let mut stream = Stream::open(&site, "?only=invoice").await;
    site.live.take().unwrap().stop();
    assert!(stream.next().await.is_none());
    let mut late = Stream::open(&site, "?only=invoice").await;
    assert!(late.next().await.is_none());
}
