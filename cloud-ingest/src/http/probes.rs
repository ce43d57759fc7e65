//! `/healthz` and `/readyz`: for what restarts a program, and for what sends work to it.

use super::Served;
use axum::extract::State;
use axum::http::StatusCode;
use fogline_protocol::node::SiteSnapshot;
use fogline_protocol::wire::Role;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// Whether the program lives
///
/// Needs no token, ever.
#[utoipa::path(get, path = "/healthz", tag = "operation", security(()), responses(
    (status = 200, description = "It does", content_type = "text/plain", body = String),
))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether readings can be taken and stored now, here or by the leader that this one stands by
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, description = "They can", content_type = "text/plain", body = String),
    (status = 503, description = "They cannot, and why", content_type = "text/plain", body = String),
))]
async fn readyz(State(served): State<Arc<Served>>) -> (StatusCode, String) {
    let site = served.snapshots.borrow();
    let not = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why);
    match (&site.cloud.store_down, site.connected.is_empty(), site.role, &site.leader) {
        (Some(fault), ..) => not(format!("{fault}\n")),
        (None, true, ..) => not("not connected to a broker\n".to_owned()),
        (None, false, Role::Leading, _) if site.standby == Some(false) && site.cloud.inside > 0 => {
            (StatusCode::OK, "ok: leading alone, nobody else keeps the ledger of the garages\n".to_owned())
        }
        (None, false, Role::Leading, _) => (StatusCode::OK, "ok\n".to_owned()),
        (None, false, ..) if site.waits_for.is_some() => not(waiting(&site)),
        (None, false, _, Some(leader)) => (StatusCode::OK, format!("ok: standing by, {leader} leads\n")),
        (None, false, _, None) => not("no ingester leads yet\n".to_owned()),
    }
}

/// It does not stand by: of what it takes only a part has a leader.
fn waiting(site: &SiteSnapshot) -> String {
    let rival = site.rivals.iter().find(|(name, _)| Some(name) == site.waits_for.as_ref());
    rival.map_or_else(
        || "another ingester that takes some of the same regions leads\n".to_owned(),
        |(name, takes)| {
            format!(
                "{name} leads {takes}, which has regions in common with {}: give each region to one realm\n",
                site.realm
            )
        },
    )
}
