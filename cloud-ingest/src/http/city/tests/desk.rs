//! An ingester's pages and its store, without the network.

use super::super::super::{Served, routes};
use crate::directing::Directing;
use crate::live::{Feed, LiveTask, Meter, Vitals, Whereabouts};
use crate::store::{Sharing, SqliteStore, StateDb, StoreThread, Synchronous};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header::CONTENT_TYPE};
use fogline_protocol::ids::Name;
use fogline_protocol::node::{CloudConfig, SiteConfig, SiteNode, SiteSnapshot};
use fogline_protocol::store::{StoreAnswer, StoreCommand, TakeOver};
use fogline_protocol::time::Wall;
use fogline_protocol::wire::Role;
use fogline_runtime::clock::Clock;
use fogline_runtime::link::LinkMetrics;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tower_service::Service;

/// Somebody who asks an ingester that leads, until it is told to stand by.
pub(super) struct Desk {
    dir: TempDir,
    running: Option<Running>,
}

struct Running {
    router: Router,
    thread: StoreThread,
    _answers: mpsc::Receiver<StoreAnswer>,
    snapshots: watch::Sender<SiteSnapshot>,
    _feed: Feed,
    _live_task: LiveTask,
}

impl Desk {
    pub(super) fn new() -> Self {
        let mut desk = Self { dir: tempfile::tempdir().unwrap(), running: None };
        desk.restart();
        desk
    }

    /// Stops and starts again, with the same file.
    pub(super) fn restart(&mut self) {
        self.start(snapshot(Role::Leading, Some("cloud-1")), false);
    }

    /// Starts again as one that does not lead; `shares`: the leader has the same file.
    pub(super) fn stand_by(&mut self, leader: Option<&str>, shares: bool) {
        self.start(snapshot(Role::StandingBy, leader), shares);
    }

    fn start(&mut self, snapshot: SiteSnapshot, shares: bool) {
        if let Some(running) = self.running.take() {
            drop(running.router);
            running.thread.stop().unwrap();
        }
        let path = self.dir.path().join("fogline.db");
        let state = StateDb::open(&path, Synchronous::Normal, Sharing::Alone).unwrap();
        let (sink, _answers) = mpsc::channel(8);
        let thread = StoreThread::spawn(Box::new(SqliteStore::new(state)), sink).unwrap();
        if snapshot.role == Role::Leading {
            let take = TakeOver { run: 1, above: 0, since: Wall::MIN };
            thread.send(StoreCommand::TakeOver(take)).unwrap();
        }
        let (snapshots, watched) = watch::channel(snapshot);
        let meter = Arc::new(Mutex::new(Meter::new(Instant::now())));
        let (ingester, brokers) = ("cloud-1".to_owned(), Vec::new());
        let vitals = Vitals { ingester, brokers, snapshots: watched.clone(), meter };
        let (_feed, live, _live_task) = LiveTask::start(vitals, path.clone());
        let served = Served {
            places: std::sync::Arc::default(),
            price_eur_per_kwh: 0.3,
            seekers: Default::default(),
            database: path,
            snapshots: watched,
            link: Box::new(LinkMetrics::default),
            brokers: Vec::new(),
            whereabouts: Whereabouts::default(),
            live,
            shares,
            changes: thread.changes(),
            telemetry: None,
            directing: Directing::new().0,
        };
        let router = routes(Arc::new(served));
        self.running = Some(Running { router, thread, _answers, snapshots, _feed, _live_task });
    }

    /// Damages the file behind the ingester's back.
    pub(super) fn drop_tables(&self) {
        let db = rusqlite::Connection::open(self.dir.path().join("fogline.db")).unwrap();
        db.execute_batch("DROP TABLE city_node; DROP TABLE city_measurement; DROP TABLE setting").unwrap();
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "").await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &body.to_string()).await
    }

    pub(super) async fn delete(&self, path: &str, body: &Value) -> Answer {
        self.ask("DELETE", path, &body.to_string()).await
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        let running = self.running.as_ref().unwrap();
        assert!(running.snapshots.receiver_count() > 0, "the pages look at it");
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = running.router.clone().call(request).await.unwrap().into_parts();
        let kind = parts.headers.get(CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let asked = format!("{method} {path}");
        Answer { asked, status: parts.status.as_u16(), kind, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}

fn snapshot(role: Role, leader: Option<&str>) -> SiteSnapshot {
    let (now, name) = (Clock::new().now(), |name: &str| Name::new(name).unwrap());
    let node = SiteNode::new(SiteConfig::new(CloudConfig::new(name("cloud-1"), 1)), now);
    SiteSnapshot { role, leader: leader.map(name), ..node.snapshot(now.mono) }
}

/// What came back.
pub(super) struct Answer {
    asked: String,
    status: u16,
    kind: String,
    body: String,
}

impl Answer {
    fn check(&self, status: u16, kind: &str) {
        let Self { asked, body, .. } = self;
        assert_eq!((self.status, self.kind.as_str()), (status, kind), "{asked}: {body}");
    }

    pub(super) fn text(self, status: u16, kind: &str) -> String {
        self.check(status, kind);
        self.body
    }

    pub(super) fn json(self, status: u16) -> Value {
        self.check(status, "application/json");
        serde_json::from_str(&self.body).unwrap()
    }

    pub(super) fn empty(self, status: u16) {
        self.check(status, "");
        assert_eq!(self.body, "");
    }

    /// Problem details whose text has these words.
    pub(super) fn problem(self, status: u16, words: &str) {
        self.check(status, "application/problem+json");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            problem["status"] == status && !detail.is_empty() && detail.contains(words),
            "{}: {detail}",
            self.asked
        );
    }
}
