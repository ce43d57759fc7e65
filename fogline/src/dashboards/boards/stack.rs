//! The programs themselves: broker, ingester, database. Asks Prometheus, so that it works when the database does not.

use crate::dashboards::board::{Board, Item};
use crate::dashboards::panel::{BAD, GOOD, Panel, WARNING};
use crate::dashboards::query::prometheus;
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;

pub(super) fn board() -> Board {
    Board {
        name: "stack",
        title: "Stack",
        description: "Broker, ingester and database as programs: whether they are up, how much they do, what waits in them.",
        variables: vec![
            Variable::label("job", "Program", "up"),
            Variable::label("instance", "Instance", "up{job=~\"$job\"}"),
        ],
        items: vec![
            Item::Row("All"),
            up().into(),
            Item::Row("Broker"),
            clients().into(),
            messages().into(),
            bytes().into(),
            waiting().into(),
            refusals().into(),
            round_trip().into(),
            Item::Row("Ingester"),
            leading().into(),
            stored().into(),
            held().into(),
            store_errors().into(),
            refused().into(),
            telemetry().into(),
            Item::Row("Database"),
            store_up().into(),
            memory().into(),
        ],
    }
}

/// A metric of the programs that are chosen.
fn of(metric: &str) -> String {
    format!("{metric}{{job=~\"$job\", instance=~\"$instance\"}}")
}

fn rate(metric: &str) -> String {
    format!("rate({}[$__rate_interval])", of(metric))
}

fn up() -> Panel {
    let states = [(0, "down", BAD), (1, "up", GOOD)];
    Panel::states("Up", "Whether Prometheus had an answer from each program.", &states)
        .ask(prometheus(&of("up"), "{{job}} {{instance}}"))
}

fn clients() -> Panel {
    Panel::chart("Clients", "Connections of the broker, by what they are doing.", unit::COUNT)
        .from(0.0)
        .ask(prometheus(&of("fogline_broker_clients"), "{{state}} {{instance}}"))
}

fn messages() -> Panel {
    Panel::chart("Messages", "That clients published, and that were sent to clients, a second.", "suffix: messages/s")
        .from(0.0)
        .ask(prometheus(&rate("fogline_broker_messages_in_total"), "in {{instance}}"))
        .ask(prometheus(&rate("fogline_broker_messages_out_total"), "out {{instance}}"))
}

fn bytes() -> Panel {
    Panel::chart("Traffic", "Bytes from clients and to clients, a second.", "Bps")
        .from(0.0)
        .ask(prometheus(&rate("fogline_broker_bytes_in_total"), "in {{instance}}"))
        .ask(prometheus(&rate("fogline_broker_bytes_out_total"), "out {{instance}}"))
}

fn waiting() -> Panel {
    Panel::chart(
        "Waiting in the broker",
        "Bytes for clients that are slow or away. The broker ends the connection of one for which too much waits.",
        unit::BYTES,
    )
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(16_777_216.0), WARNING), (Some(268_435_456.0), BAD)])
    .ask(prometheus(&of("fogline_broker_waiting_bytes"), "{{instance}}"))
}

fn refusals() -> Panel {
    Panel::chart(
        "Refusals",
        "What the broker refused, a second: a login, a topic that is another's, a packet that is none.",
        "suffix: refusals/s",
    )
    .from(0.0)
    .ask(prometheus(&rate("fogline_broker_refusals_total"), "{{what}}: {{reason}} {{instance}}"))
}

fn round_trip() -> Panel {
    Panel::chart("Round trip", "The last one through the broker's router, which its watchdog makes.", unit::SECONDS)
        .from(0.0)
        .thresholds(&[(None, GOOD), (Some(0.5), WARNING), (Some(5.0), BAD)])
        .ask(prometheus(&of("fogline_broker_round_trip_seconds"), "{{instance}}"))
}

fn leading() -> Panel {
    let states = [(0, "stands by", "blue"), (1, "leads", GOOD)];
    Panel::states(
        "Who leads",
        "One ingester leads; without one nothing is stored, and queues on the edge fill.",
        &states,
    )
    .ask(prometheus(&of("fogline_ingest_leading"), "{{instance}}"))
}

fn stored() -> Panel {
    Panel::chart(
        "Readings",
        "Received and stored, a second. Received more than stored: duplicates, or a store that is down.",
        unit::READINGS_PER_S,
    )
    .from(0.0)
    .ask(prometheus(&rate("fogline_ingest_readings_total"), "received {{instance}}"))
    .ask(prometheus(&rate("fogline_ingest_stored_total"), "stored {{instance}}"))
}

fn held() -> Panel {
    Panel::chart(
        "Held in the ingester",
        "Bytes of readings between the network and the store. It grows while the store is slow, up to the ingester's memory.",
        unit::BYTES,
    )
    .from(0.0)
    .ask(prometheus(&of("fogline_ingest_held_bytes"), "{{instance}}"))
}

fn store_errors() -> Panel {
    Panel::chart(
        "Store errors",
        "Commits and look-ups that failed, a second. They are tried again.",
        "suffix: errors/s",
    )
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(0.01), WARNING), (Some(1.0), BAD)])
    .ask(prometheus(&rate("fogline_ingest_store_errors_total"), "{{instance}}"))
}

fn refused() -> Panel {
    Panel::chart(
        "Messages taken",
        "Messages of agents that the ingester took, a second, by the last level of their topic.",
        "suffix: messages/s",
    )
    .from(0.0)
    .ask(prometheus(&rate("fogline_ingest_messages_taken_total"), "{{channel}} {{instance}}"))
}

fn telemetry() -> Panel {
    Panel::chart(
        "Points for boards",
        "That the ingester wrote for these boards, a second, and that it dropped because the database did not take them.",
        "suffix: points/s",
    )
    .size(24, 7)
    .from(0.0)
    .ask(prometheus(&rate("fogline_ingest_telemetry_points_total"), "written {{instance}}"))
    .ask(prometheus(&rate("fogline_ingest_telemetry_dropped_total"), "dropped {{instance}}"))
}

fn store_up() -> Panel {
    let states = [(0, "down", BAD), (1, "up", GOOD)];
    Panel::states("Store, as ingesters see it", "Whether the store does what each ingester asks it for.", &states)
        .ask(prometheus(&of("fogline_ingest_store_up"), "{{instance}}"))
}

fn memory() -> Panel {
    Panel::chart("Memory", "Resident memory of the programs that say it: the database does.", unit::BYTES)
        .size(24, 8)
        .from(0.0)
        .ask(prometheus(&of("process_resident_memory_bytes"), "{{job}} {{instance}}"))
}
