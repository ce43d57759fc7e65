//! Agents: who is there, what waits in their queues, how late it is, and what is lost.

use crate::dashboards::board::{Board, Item};
use crate::dashboards::panel::{BAD, GOOD, Panel, WARNING};
use crate::dashboards::query::Select;
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;

/// What agents say of themselves, every 10 s.
const STATUS: &str = "fogline_agent";
/// What the leader knows of each of them, every 10 s.
const DELIVERY: &str = "fogline_delivery";
/// The same of all agents of a region.
const FLEET: &str = "fogline_fleet";

pub(super) fn board() -> Board {
    Board {
        name: "fleet",
        title: "Fleet",
        description: "Who is there, what waits in the queues on the edge, how late it is, and what is lost.",
        variables: vec![Variable::region(STATUS), Variable::agent(STATUS)],
        items: vec![
            Item::Row("Regions"),
            agents().into(),
            silent().into(),
            waiting().into(),
            oldest().into(),
            stored().into(),
            lost().into(),
            Item::Row("Agents"),
            online().into(),
            silence().into(),
            queued().into(),
            lag().into(),
            bytes().into(),
            gaps().into(),
            rate().into(),
            dropped().into(),
            events().into(),
        ],
    }
}

fn of_regions(what: &str) -> Select {
    Select::new(what, FLEET).of_regions().by("region")
}

fn by_agent(what: &str, measurement: &str) -> Select {
    Select::new(what, measurement).of_agents().over_time("null").by("agent")
}

fn agents() -> Panel {
    Panel::number("Online", "Agents that were heard within a minute and did not say goodbye.", unit::COUNT)
        .thresholds(&[(None, BAD), (Some(1.0), GOOD)])
        .ask(of_regions("last(\"online\")").named("$tag_region"))
}

fn silent() -> Panel {
    Panel::number(
        "Silent",
        "Agents that were heard within a day, and not within the last minute: look for their power and network.",
        unit::COUNT,
    )
    .thresholds(&[(None, GOOD), (Some(1.0), BAD)])
    .ask(of_regions("last(\"silent\")").named("$tag_region"))
}

fn waiting() -> Panel {
    Panel::number("Waiting", "Readings in all queues on the edge: accepted, and not stored yet.", unit::READINGS)
        .thresholds(&[(None, GOOD), (Some(10_000.0), WARNING), (Some(100_000.0), BAD)])
        .ask(of_regions("last(\"queued\")").named("$tag_region"))
}

fn oldest() -> Panel {
    Panel::number("Greatest lag", "Age of the oldest reading that waits on any agent.", unit::SECONDS)
        .thresholds(&[(None, GOOD), (Some(10.0), WARNING), (Some(60.0), BAD)])
        .ask(of_regions("last(\"oldest_age_s\")").named("$tag_region"))
}

fn stored() -> Panel {
    Panel::number("Stored", "Readings stored in the time shown.", unit::READINGS)
        .ask(of_regions("sum(\"stored\")").named("$tag_region"))
}

fn lost() -> Panel {
    Panel::number(
        "Lost",
        "Readings that will never come, recorded in the time shown: a full queue dropped them, or damage took them.",
        unit::READINGS,
    )
    .thresholds(&[(None, GOOD), (Some(1.0), BAD)])
    .ask(Select::new("sum(\"gaps\")", DELIVERY).of_agents().by("region").named("$tag_region"))
}

fn online() -> Panel {
    let states = [(0, "offline", BAD), (1, "online", GOOD)];
    Panel::states("Agents", "What each agent last said of itself; its broker speaks for one that is gone.", &states)
        .ask(by_agent("last(\"online\")", STATUS).named("$tag_agent"))
}

fn silence() -> Panel {
    Panel::chart(
        "Silence",
        "Since each agent was heard last. Agents speak every 10 s, so a minute means that one is gone, whatever it said before.",
        unit::SECONDS,
    )
    .size(24, 7)
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(30.0), WARNING), (Some(60.0), BAD)])
    .ask(by_agent("max(\"silent_s\")", DELIVERY).named("$tag_agent"))
}

fn queued() -> Panel {
    Panel::chart(
        "Queue depth",
        "Readings in the queue of each agent: accepted, and not acknowledged by the ingester yet. It fills while broker, ingester \
         or database are away, and drains afterwards; one that only grows will overflow.",
        unit::READINGS,
    )
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(10_000.0), WARNING), (Some(100_000.0), BAD)])
    .ask(by_agent("max(\"queued\")", STATUS).named("$tag_agent"))
}

fn lag() -> Panel {
    Panel::chart(
        "Lag",
        "Age of the oldest reading in the queue of each agent. Some seconds are usual; minutes are an outage or its backlog.",
        unit::SECONDS,
    )
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(10.0), WARNING), (Some(60.0), BAD)])
    .ask(by_agent("max(\"oldest_age_s\")", STATUS).named("$tag_agent"))
}

fn bytes() -> Panel {
    Panel::chart("Queue size", "Bytes of readings in the queue of each agent: what its disk must hold.", unit::BYTES)
        .from(0.0)
        .ask(by_agent("max(\"queued_bytes\")", STATUS).named("$tag_agent"))
}

fn gaps() -> Panel {
    Panel::bars(
        "Gaps",
        "Readings that will never come, when the ingester recorded them. Each is named by its number: see the audit.",
        unit::READINGS,
    )
    .ask(by_agent("sum(\"gaps\")", DELIVERY).named("$tag_agent"))
}

fn rate() -> Panel {
    Panel::bars("Stored by agent", "Readings of each agent that the database has taken.", unit::READINGS)
        .ask(by_agent("sum(\"stored\")", DELIVERY).named("$tag_agent"))
}

fn dropped() -> Panel {
    Panel::chart(
        "Dropped",
        "Readings that the full queue of each agent had to drop since the queue was made, as it says itself.",
        unit::READINGS,
    )
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(1.0), BAD)])
    .ask(by_agent("max(\"dropped\")", STATUS).named("$tag_agent"))
}

fn events() -> Panel {
    Panel::table(
        "Events",
        "The newest 50 failovers, faults and recoveries, of ingesters and agents: the marks on the charts of all boards.",
    )
    .ask(Select::new(r#""event", "ingester", "region", "agent", "text""#, "fogline_event").rows(50).named(""))
}
