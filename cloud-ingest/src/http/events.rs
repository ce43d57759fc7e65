//! `GET /api/v1/events`: what goes on, as server-sent events (WHATWG HTML, section 9.2).

use super::Served;
use super::error::{ApiError, Refusals};
use super::parameters::Parameters;
use crate::live::{Batch, EVENT_NAMES, Live, Said, WATCHERS_MAX, Watching};
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};
use serde::Deserialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// A comment is sent when nothing else was for so long: proxies end connections on which nothing comes, most after 30 s or more.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(events))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// Only these events, separated by commas: agent, reading, average, limit, directive, invoice, health, leader.
    #[param(example = "limit,average")]
    only: Option<String>,
}

/// What goes on, as server-sent events
///
/// `agent`, `reading`, `average`, `limit`, `directive`, `invoice`, `health` and `leader`, each with a JSON object as its data, at most twice a second. Who
/// reads too slowly hears `lagged` with how many it `missed`. It begins with `leader` and `health`. An ingester that stands by
/// says nothing else.
#[utoipa::path(get, path = "/api/v1/events", operation_id = "events", tag = "readings", params(Asked), responses(
    (status = 200, description = "They come until one side ends it", content_type = "text/event-stream", body = String),
    Refusals,
))]
async fn events(
    State(served): State<Arc<Served>>,
    Parameters(asked): Parameters<Asked>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let only = asked.only.as_deref().map(names).transpose()?;
    let stream = stream(&served.live, only).ok_or_else(|| {
        ApiError::Full(format!(
            "{WATCHERS_MAX} streams of events are open, and that is the most: close one, or ask again later"
        ))
    })?;
    Ok(Sse::new(stream).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// The events that are asked for.
fn names(only: &str) -> Result<Vec<&'static str>, ApiError> {
    let known = |name: &str| EVENT_NAMES.into_iter().find(|known| *known == name);
    only.split(',').map(|name| known(name).ok_or_else(|| unknown(name))).collect()
}

fn unknown(name: &str) -> ApiError {
    let name: String = name.chars().take(32).collect();
    ApiError::BadRequest(format!(
        "there are no events {name:?}: only is some of {}, separated by commas",
        EVENT_NAMES.join(",")
    ))
}

/// One who watches.
struct Watcher {
    watching: Watching,
    only: Option<Vec<&'static str>>,
    waiting: VecDeque<Event>,
    /// The number of the next event, once one came.
    next: Option<u64>,
}

fn stream(
    live: &Live,
    only: Option<Vec<&'static str>>,
) -> Option<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let mut watcher = Watcher { watching: live.watch()?, only, waiting: VecDeque::new(), next: None };
    watcher.add(&Said::leader(&live.vitals.leading()), None);
    watcher.add(&Said::health(&live.vitals.health()), None);
    Some(unfold(watcher, async |mut watcher| {
        let event = watcher.next().await?;
        Some((Ok(event), watcher))
    }))
}

impl Watcher {
    /// The next event; none when nothing more will be said.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let said = tokio::select! {
                said = self.watching.said.recv() => said,
                // An error is that nobody can say so any more, which is the same.
                _ = self.watching.stopped.wait_for(|stopped| *stopped) => return None,
            };
            match said {
                Ok(batch) => self.take(&batch),
                // The next batch tells how many events that was.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn take(&mut self, batch: &Batch) {
        let missed = self.next.map_or(0, |next| batch.first.saturating_sub(next));
        if missed > 0 {
            self.add(&Said::lagged(missed), None);
        }
        for (said, id) in batch.events.iter().zip(batch.first..) {
            self.add(said, Some(id));
        }
        self.next = Some(batch.first + batch.events.len() as u64);
    }

    fn add(&mut self, said: &Said, id: Option<u64>) {
        let wanted = said.name == "lagged" || self.only.as_ref().is_none_or(|only| only.contains(&said.name));
        if wanted {
            let event = Event::default().event(said.name).data(&said.data);
            self.waiting.push_back(match id {
                Some(id) => event.id(id.to_string()),
                None => event,
            });
        }
    }
}
