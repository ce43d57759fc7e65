//! `/openapi.json`: what the API is, for programs. Made from the handlers and their types.

use super::Served;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use bytes::Bytes;
use std::sync::Arc;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

/// What the document says of the API as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Fogline",
        description = "What an ingester knows: agents, readings, averages, limits, dead letters. Times end in `_us`: microseconds \
                       since 1970-01-01 UTC. Lists come in pages: `limit`, and `after` with the `next` of the page before. Where \
                       tokens are configured, send `Authorization: Bearer TOKEN`; what changes something needs the role operator."
    ),
    tags(
        (name = "agents", description = "Who there is, and what was decided for them"),
        (name = "decisions", description = "What operators decide: limits, and how agents work"),
        (name = "readings", description = "What was measured"),
        (name = "city", description = "Particulate matter: nodes, and their averages"),
        (name = "use cases", description = "Households, and garages with their bills"),
        (name = "operation", description = "How the ingester is, and what needs its operator"),
    ),
    // Without tokens whoever is on the machine may ask.
    security((), ("token" = [])),
    modifiers(&Token),
)]
struct Document;

/// How a token is sent.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("See `fogline token`")).build();
        document.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// No paths yet.
pub(super) fn titled() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::with_openapi(Document::openapi())
}

/// The page with the document.
pub(super) fn route(document: &utoipa::openapi::OpenApi) -> Router<Arc<Served>> {
    // It is made of texts and numbers, which JSON can say.
    let json = Bytes::from(document.to_json().unwrap_or_default());
    Router::new().route("/openapi.json", get(async move || ([(CONTENT_TYPE, "application/json")], json)))
}
