//! Health, metrics and the API, over HTTP. Who may ask is the [door](fogline_door::http)'s matter.
//!
//! One file for each resource: it has `routes()`, with handlers that `utoipa::path` describes, and is named once in [`api`].
//! The router and the document at `/openapi.json` are made from that one list.

mod agents;
mod body;
mod city;
mod dead_letters;
mod directing;
mod directives;
mod error;
mod events;
mod garages;
mod health;
mod households;
mod latest;
mod limits;
mod metrics;
mod openapi;
mod parameters;
mod probes;
mod readings;
mod regions;
mod room;
mod served;
mod swagger;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub(crate) use city::Seekers;
pub(crate) use served::Served;

use axum::Router;
use axum::http::{Method, Uri};
use error::ApiError;
use fogline_door::http::{Door, DoorError, HttpConfig, serve as serve_routes};
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;

/// All that the OpenAPI document describes: one line for each resource.
fn api() -> OpenApiRouter<Arc<Served>> {
    openapi::titled()
        .merge(probes::routes())
        .merge(metrics::routes())
        .merge(health::routes())
        .merge(regions::routes())
        .merge(agents::routes())
        .merge(limits::routes())
        .merge(directives::routes())
        .merge(directing::routes())
        .merge(readings::routes())
        .merge(latest::routes())
        .merge(households::routes())
        .merge(garages::routes())
        .merge(events::routes())
        .merge(dead_letters::routes())
        .merge(city::routes())
}

/// All that is served.
fn routes(served: Arc<Served>) -> Router {
    let (routes, document) = api().split_for_parts();
    routes
        .merge(openapi::route(&document))
        .merge(swagger::routes())
        .merge(room::routes())
        .fallback(async |uri: Uri| ApiError::NoPage(uri.path().to_owned()))
        .method_not_allowed_fallback(async |method: Method| ApiError::Method(method))
        .with_state(served)
}

/// Serves it until the door is stopped or dropped.
///
/// # Errors
/// When others can reach the address and there are no tokens, when it cannot be listened on, and when tokens, certificate
/// or key cannot be used.
pub(crate) async fn serve(config: HttpConfig, served: Served) -> Result<Door, DoorError> {
    let config = HttpConfig { open_paths: room::open_paths(), ..config };
    serve_routes(config, routes(Arc::new(served))).await
}
