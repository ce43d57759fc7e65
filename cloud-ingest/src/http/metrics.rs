//! `GET /metrics`, in Prometheus' text format.

use super::Served;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use fogline_protocol::node::{CloudSnapshot, SiteSnapshot};
use fogline_protocol::wire::Role;
use fogline_runtime::link::LinkMetrics;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Arc<Served>> {
    OpenApiRouter::new().routes(routes!(page))
}

/// Counters and gauges, in the text format of Prometheus
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operation", responses(
    (status = 200, description = "The metrics", content_type = "text/plain", body = String),
))]
async fn page(State(served): State<Arc<Served>>) -> impl IntoResponse {
    let snapshot = served.snapshots.borrow().clone();
    let telemetry = served.telemetry.as_ref().map_or_else(String::new, |counts| counts.metrics());
    let page = render(&snapshot, (served.link)(), &served.brokers) + &telemetry;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], page)
}

/// Name, type, meaning and value of a metric without labels.
type Metric = (&'static str, &'static str, &'static str, u64);

fn render(site: &SiteSnapshot, link: LinkMetrics, brokers: &[String]) -> String {
    let snapshot = &site.cloud;
    let mut out = String::new();
    for (name, kind, help, value) in site_metrics(site)
        .into_iter()
        .chain(node_metrics(snapshot))
        .chain(time_metrics(snapshot))
        .chain(link_metrics(link))
    {
        // Writing into a String cannot fail.
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}").ok();
    }
    let (taken, refused) = ("fogline_ingest_messages_taken_total", "fogline_ingest_messages_refused_total");
    labelled(&mut out, taken, "Messages of agents that were taken.", "channel", &snapshot.counters.taken);
    labelled(&mut out, refused, "Messages of agents that were not taken.", "reason", &snapshot.counters.refused);
    let at = "fogline_ingest_agents_at_broker";
    writeln!(out, "# HELP {at} Agents in memory, by the broker at which they were heard last.\n# TYPE {at} gauge").ok();
    for (place, broker) in brokers.iter().enumerate() {
        let agents = snapshot.at_brokers.get(&place).copied().unwrap_or(0);
        writeln!(out, "{at}{{broker=\"{broker}\"}} {agents}").ok();
    }
    let takes = "fogline_ingest_takes_info";
    writeln!(out, "# HELP {takes} Whose agents it takes while it leads.\n# TYPE {takes} gauge").ok();
    writeln!(out, "{takes}{{takes=\"{}\"}} 1", site.realm).ok();
    out += &fogline_service::reload::metrics("fogline_ingest");
    let build = "fogline_build_info";
    writeln!(out, "# HELP {build} The program.\n# TYPE {build} gauge").ok();
    writeln!(out, "{build}{{program=\"fogline-ingest\",version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")).ok();
    out
}

fn labelled(out: &mut String, name: &str, help: &str, label: &str, counts: &BTreeMap<&'static str, u64>) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} counter").ok();
    for (value, count) in counts {
        writeln!(out, "{name}{{{label}=\"{value}\"}} {count}").ok();
    }
}

fn site_metrics(site: &SiteSnapshot) -> Vec<Metric> {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let (counter, gauge) = ("counter", "gauge");
    vec![
        ("fogline_ingest_leading", gauge, "1 while it takes readings.", u64::from(site.role == Role::Leading)),
        ("fogline_ingest_leads_total", counter, "How often it took the lead.", site.leads),
        ("fogline_ingest_in_step", gauge, "1 while it could take over without loss.", u64::from(site.in_step)),
        (
            "fogline_ingest_rivals",
            gauge,
            "Other ingesters heard lately that take some of its regions, and not the same ones: a mistake.",
            number(site.rivals.len()),
        ),
        (
            "fogline_ingest_waits_for_rival",
            gauge,
            "1 while it does not lead because such a one does.",
            u64::from(site.waits_for.is_some()),
        ),
        ("fogline_ingest_messages_of_others_total", counter, "Messages of agents of other regions.", site.others),
        (
            "fogline_ingest_peers",
            gauge,
            "Other ingesters of its realm that were heard lately.",
            number(site.peers.len()),
        ),
        (
            "fogline_ingest_billing_alone",
            gauge,
            "1 while it leads and nobody else keeps the ledger of the garages.",
            u64::from(site.standby == Some(false)),
        ),
        (
            "fogline_ingest_acks_withheld",
            gauge,
            "Streams of which an acknowledgement waits until a bill is kept elsewhere too.",
            number(site.cloud.withheld),
        ),
        ("fogline_ingest_cars_inside", gauge, "Cars in garages.", number(site.cloud.inside)),
        ("fogline_ingest_brokers_connected", gauge, "Brokers it is connected to.", number(site.connected.len())),
    ]
}

fn node_metrics(snapshot: &CloudSnapshot) -> Vec<Metric> {
    let count = &snapshot.counters;
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let (counter, gauge) = ("counter", "gauge");
    vec![
        ("fogline_ingest_messages_total", counter, "Messages of agents.", count.messages),
        ("fogline_ingest_readings_total", counter, "Readings received, duplicates included.", count.readings),
        ("fogline_ingest_duplicates_total", counter, "Readings that were received before.", count.duplicates),
        ("fogline_ingest_stored_total", counter, "Readings written to the store.", count.stored),
        ("fogline_ingest_dead_letters_total", counter, "Readings that the store refuses for good.", count.dead),
        (
            "fogline_ingest_out_of_range_total",
            counter,
            "Values that cannot be true: stored, not averaged.",
            count.out_of_range,
        ),
        ("fogline_ingest_hellos_total", counter, "Hellos of agents.", count.hellos),
        ("fogline_ingest_acks_total", counter, "Acknowledgements of readings, sent.", count.acks),
        ("fogline_ingest_commits_total", counter, "Commits to the store.", count.commits),
        (
            "fogline_ingest_store_errors_total",
            counter,
            "Commits and look-ups that failed and are tried again.",
            count.store_errors,
        ),
        ("fogline_ingest_decisions_total", counter, "Decisions made.", count.decisions_issued),
        ("fogline_ingest_decisions_sent_total", counter, "Decisions sent, repeats included.", count.decisions_sent),
        (
            "fogline_ingest_decisions_acknowledged_total",
            counter,
            "Decisions that their agent answered.",
            count.decisions_acknowledged,
        ),
        (
            "fogline_ingest_answers_ignored_total",
            counter,
            "Answers that no decision waits for: late, repeated or made up.",
            count.answers_ignored,
        ),
        (
            "fogline_ingest_terms_ignored_total",
            counter,
            "Terms in hellos that cannot be true, and raised nothing.",
            count.terms_ignored,
        ),
        (
            "fogline_ingest_decisions_outstanding",
            gauge,
            "Decisions that are not answered yet.",
            number(snapshot.outstanding),
        ),
        ("fogline_ingest_agents", gauge, "Agents in memory.", number(snapshot.agents)),
        ("fogline_ingest_agents_active", gauge, "Agents that share the credit.", number(snapshot.active)),
        ("fogline_ingest_credit_bytes", gauge, "Bytes that each of them may have unacknowledged.", snapshot.credit),
        ("fogline_ingest_held_bytes", gauge, "Bytes between the network and the store.", snapshot.held_bytes),
        (
            "fogline_ingest_term",
            gauge,
            "The counter of the term; while standing by the highest heard of.",
            snapshot.term.as_ref().map_or(0, |term| term.counter),
        ),
        (
            "fogline_ingest_store_up",
            gauge,
            "1 while the store does what it is asked for.",
            u64::from(snapshot.store_down.is_none()),
        ),
    ]
}

fn time_metrics(snapshot: &CloudSnapshot) -> [Metric; 3] {
    let (count, counter) = (&snapshot.counters, "counter");
    [
        (
            "fogline_ingest_readings_restamped_total",
            counter,
            "New readings from before their agent's clock was set, with the times they got since.",
            count.restamped,
        ),
        (
            "fogline_ingest_readings_unset_total",
            counter,
            "New readings of a clock that was not set: stored, not averaged.",
            count.unset,
        ),
        (
            "fogline_ingest_readings_future_total",
            counter,
            "New readings from minutes ahead of the ingester's clock.",
            count.future,
        ),
    ]
}

fn link_metrics(link: LinkMetrics) -> [Metric; 7] {
    let (counter, gauge) = ("counter", "gauge");
    [
        ("fogline_ingest_broker_connected", gauge, "1 while connected and subscribed.", u64::from(link.connected)),
        ("fogline_ingest_broker_connects_total", counter, "Connections made.", link.connects),
        ("fogline_ingest_broker_failures_total", counter, "Connections and attempts that failed.", link.failures),
        ("fogline_ingest_broker_published_total", counter, "Messages sent.", link.published),
        ("fogline_ingest_broker_dropped_total", counter, "Messages thrown away with their connection.", link.dropped),
        ("fogline_ingest_broker_refused_total", counter, "Messages for which the link had no room.", link.refused),
        (
            "fogline_ingest_broker_shed_total",
            counter,
            "Messages received and thrown away, to be sent again.",
            link.shed,
        ),
    ]
}
