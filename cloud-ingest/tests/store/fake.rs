//! A server that answers writes as the rows of the table say, and keeps points by their identity.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use influxdb_line_protocol::{ParsedLine, parse_lines};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How the server behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Behaviour {
    /// Takes everything.
    Good,
    /// Takes everything, and answers after this time.
    Slow(Duration),
    /// Answers this and writes nothing.
    Answers(u16),
    /// Answers 400 to a body with a bad line, and writes nothing of it.
    RefusesWhole,
    /// The same, and 503 to all requests after so many.
    RefusesWholeThenFails { after: u32 },
    /// Answers this to a body with a bad line, and writes the others.
    RefusesLines(u16),
    /// Answers 413 to bodies longer than this.
    TakesUpTo(usize),
    /// Writes, and never answers.
    LosesReply,
}

/// Measurement with tags, and time.
type Identity = (String, i64);

pub(crate) struct Seen {
    pub(crate) behaviour: Behaviour,
    pub(crate) points: BTreeMap<Identity, BTreeMap<String, String>>,
    /// Lines written, points that replaced themselves included.
    pub(crate) lines: usize,
    pub(crate) requests: u32,
    under_way: u32,
    pub(crate) under_way_max: u32,
}

impl Seen {
    /// How many points a measurement has.
    pub(crate) fn count(&self, measurement: &str) -> usize {
        self.points.keys().filter(|(series, _)| series.split(',').next() == Some(measurement)).count()
    }

    /// A field of the only point of a measurement.
    pub(crate) fn field(&self, measurement: &str, field: &str) -> &str {
        let mut found = self.points.iter().filter(|((series, _), _)| series.split(',').next() == Some(measurement));
        let (_, fields) = found.next().unwrap();
        assert!(found.next().is_none(), "more than one point of {measurement}");
        &fields[field]
    }
}

pub(crate) struct Fake {
    pub(crate) url: String,
    seen: Arc<Mutex<Seen>>,
    _runtime: tokio::runtime::Runtime,
}

impl Fake {
    pub(crate) fn start(behaviour: Behaviour) -> Self {
        let seen = Seen { behaviour, points: BTreeMap::new(), lines: 0, requests: 0, under_way: 0, under_way_max: 0 };
        let seen = Arc::new(Mutex::new(seen));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/api/v2/write", post(write))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&seen));
        runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, seen, _runtime: runtime }
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.seen().behaviour = behaviour;
    }
}

async fn write(State(seen): State<Arc<Mutex<Seen>>>, body: Bytes) -> (StatusCode, String) {
    let behaviour = {
        let mut seen = seen.lock().unwrap();
        seen.requests += 1;
        seen.under_way += 1;
        seen.under_way_max = seen.under_way_max.max(seen.under_way);
        seen.behaviour
    };
    if let Behaviour::Slow(delay) = behaviour {
        tokio::time::sleep(delay).await;
    }
    let answer = answer(&mut seen.lock().unwrap(), behaviour, std::str::from_utf8(&body).unwrap());
    seen.lock().unwrap().under_way -= 1;
    match answer {
        Some((status, text)) => (StatusCode::from_u16(status).unwrap(), text.to_owned()),
        None => std::future::pending().await,
    }
}

fn answer(seen: &mut Seen, behaviour: Behaviour, body: &str) -> Option<(u16, &'static str)> {
    let lines: Vec<ParsedLine<'_>> = parse_lines(body).collect::<Result<_, _>>().unwrap();
    let bad = |line: &ParsedLine<'_>| line.field_set.iter().any(|(name, _)| *name == "bad");
    let any_bad = lines.iter().any(bad);
    let refusal = match behaviour {
        Behaviour::Answers(status) => return Some((status, "as told")),
        Behaviour::TakesUpTo(most) if body.len() > most => return Some((413, "too large")),
        Behaviour::RefusesWholeThenFails { after } if seen.requests > after => return Some((503, "later")),
        Behaviour::RefusesWhole | Behaviour::RefusesWholeThenFails { .. } if any_bad => {
            return Some((400, "a bad line"));
        }
        Behaviour::RefusesLines(status) if any_bad => Some((status, "partial write: a bad line")),
        _ => None,
    };
    for line in lines.iter().filter(|line| refusal.is_none() || !bad(line)) {
        let identity = (line.series.to_string(), line.timestamp.unwrap());
        let fields = line.field_set.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        seen.points.entry(identity).or_default().extend(fields);
        seen.lines += 1;
    }
    match behaviour {
        Behaviour::LosesReply => None,
        _ => Some(refusal.unwrap_or((204, ""))),
    }
}
