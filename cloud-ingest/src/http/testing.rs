//! A site whose pages can be asked for without a network.

use super::{Served, routes};
use crate::directing::{Asked, Directing};
use crate::live::{Feed, Live, LiveTask, Meter, Vitals, Whereabouts};
use crate::store::testing::{EPOCH_US, agent, commit, decision, points, state, take};
use crate::store::{SqliteStore, Store, StoreThread};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use fogline_protocol::ids::Name;
use fogline_protocol::node::{CloudSnapshot, SiteSnapshot};
use fogline_protocol::store::{AgentStatus, Commit, Fate, Fold, StoreAnswer, StoreCommand, StoreFault};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, Scope};
use fogline_protocol::wire::{Outcome, Role, Status};
use http_body_util::BodyExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tower_service::Service as _;

/// Run 1 leads, unless it is said to stand by.
pub(super) struct Site {
    pub(super) routes: Router,
    pub(super) feed: Feed,
    pub(super) snapshots: watch::Sender<SiteSnapshot>,
    pub(super) store: StoreThread,
    pub(super) live: Option<LiveTask>,
    pub(super) watch: Live,
    answers: mpsc::Receiver<StoreAnswer>,
    /// What operators decide, for the node that is not there.
    pub(super) asked: Asked,
    pub(super) dir: TempDir,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Site {
    /// One of agents, averages, decisions and dead letters.
    pub(super) async fn start() -> Self {
        Self::with(|store| {
            for id in 1..=3 {
                store.commit(&full(id)).unwrap();
            }
            with_letters(store);
        })
        .await
    }

    /// One whose store holds what `fill` puts there.
    pub(super) async fn with(fill: impl FnOnce(&mut SqliteStore)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut state = state(&dir);
        state.take_over(take(1)).unwrap();
        let mut store = SqliteStore::new(state);
        fill(&mut store);
        let (sink, mut answers) = mpsc::channel(8);
        let store = StoreThread::spawn(Box::new(store), sink).unwrap();
        store.send(StoreCommand::TakeOver(take(2))).unwrap();
        answers.recv().await.unwrap();
        let (snapshots, watched) = watch::channel(snapshot());
        let database = dir.path().join("fogline.db");
        let brokers = vec!["127.0.0.1:1883".to_owned(), "127.0.0.1:1884".to_owned()];
        let meter = Arc::new(Mutex::new(Meter::new(Instant::now())));
        let (ingester, whereabouts) = ("cloud-1".to_owned(), Whereabouts::default());
        let vitals = Vitals { ingester, brokers: brokers.clone(), snapshots: watched.clone(), meter };
        let (feed, live, task) = LiveTask::start(vitals, database.clone());
        whereabouts.heard("fogline/v1/north/r1/up/hello", 1);
        let watch = live.clone();
        let (link, changes) = (Box::new(Default::default), store.changes());
        let (directing, asked) = Directing::new();
        let (places, price_eur_per_kwh) = (Arc::default(), 0.3);
        let served = Served {
            places,
            price_eur_per_kwh,
            seekers: Default::default(),
            database,
            snapshots: watched,
            link,
            brokers,
            whereabouts,
            live,
            shares: false,
            changes,
            telemetry: None,
            directing,
        };
        Self { routes: routes(Arc::new(served)), feed, snapshots, store, live: Some(task), watch, answers, asked, dir }
    }

    /// Asks for something.
    pub(super) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    /// Sends a body.
    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send(Request::post(path).body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.routes.clone().call(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// What a page answers with success.
    pub(super) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    /// Asks for something that is refused with this status, and gives the detail.
    pub(super) async fn refused(&self, method: &str, path: &str, status: u16) -> String {
        let answer = self.ask(method, path).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{method} {path}");
        let problem = answer.json();
        assert_eq!((&problem["type"], &problem["status"]), (&"about:blank".into(), &status.into()));
        problem["detail"].as_str().unwrap().to_owned()
    }

    /// Commits it, as the node does, and says what the store answered.
    pub(super) async fn commit(&mut self, commit: Commit) -> Result<(), StoreFault> {
        let command = StoreCommand::Commit(Arc::new(Commit { run: 2, ..commit }));
        self.feed.asked(&command);
        self.store.send(command).unwrap();
        let answer = self.answers.recv().await.unwrap();
        self.feed.answered(&answer, Wall::from_us(EPOCH_US + 100_000));
        let StoreAnswer::Committed(_, result) = answer else { panic!("{answer:?}") };
        result.map(drop)
    }

    /// Another ingester leads now.
    pub(super) fn stand_by(&self) {
        self.snapshots.send_modify(|site| {
            (site.role, site.leader) = (Role::StandingBy, Some(Name::new("cloud-2").unwrap()));
        });
    }
}

fn snapshot() -> SiteSnapshot {
    SiteSnapshot {
        role: Role::Leading,
        leader: Some(Name::new("cloud-1").unwrap()),
        term: None,
        connected: vec![1],
        realm: fogline_protocol::realm::Realm::Everywhere,
        peers: vec![],
        rivals: vec![],
        waits_for: None,
        others: 0,
        in_step: true,
        followers_in_step: 0,
        leads: 1,
        standby: Some(true),
        cloud: CloudSnapshot {
            withheld: 0,
            inside: 0,
            connected: true,
            term: None,
            agents: 2,
            at_brokers: BTreeMap::new(),
            active: 1,
            credit: 1,
            held_bytes: 17,
            outstanding: 0,
            store_down: None,
            counters: Default::default(),
        },
    }
}

/// Readings, averages of a minute, a status, and decisions of three agents in two regions.
fn full(id: u64) -> Commit {
    let folds = (0..5).flat_map(|n| {
        let start = Wall::from_us(EPOCH_US + n * 5_000_000);
        let mut aggregate = Aggregate::default();
        [80.0, 100.0].into_iter().for_each(|value| aggregate.add(value));
        let fold = move |scope, width_s| Fold { scope, kind: "road", field: "speed_kmh", width_s, start, aggregate };
        [fold(Scope::Agent(agent("north", "r1")), 5), fold(Scope::Region(Name::new("north").unwrap()), 5)]
    });
    let mut acknowledged = decision("r1", id);
    acknowledged.fate = Fate::Acknowledged(Outcome::Applied);
    let status = Status {
        online: true,
        connection: (1, 2),
        ts_us: EPOCH_US,
        queued: 3,
        queued_bytes: 300,
        oldest_us: Some(EPOCH_US),
        dropped: 0,
        damaged: 0,
    };
    let of = |id| AgentStatus { agent: id, status: status.clone(), heard: Wall::from_us(EPOCH_US) };
    Commit {
        folds: if id == 1 { folds.collect() } else { vec![] },
        decisions: vec![acknowledged, decision("r2", id)],
        statuses: vec![of(agent("north", "r1")), of(agent("south", "r1"))],
        ..commit(1, id, 3 * id)
    }
}

/// Three dead letters of agent r3.
fn with_letters(store: &mut SqliteStore) {
    let refused = Commit { points: vec![points(&agent("north", "r3"), 9, 1, 3)], ..Commit::default() };
    crate::store::testing::bury(store.state(), &refused, &[1, 2, 3]);
}

/// A commit of run 2 with readings of agent r1.
pub(super) fn next(id: u64) -> Commit {
    commit(2, id, 100 + 3 * id)
}
