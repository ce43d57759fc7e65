//! How readings arrive, and how decisions are answered.

use crate::dashboards::board::{Board, Item};
use crate::dashboards::panel::{BAD, GOOD, Panel, WARNING};
use crate::dashboards::query::{Select, prometheus};
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;

/// What the leader knows of each agent, every 10 s.
const DELIVERY: &str = "fogline_delivery";
/// How each ingester is, every 10 s.
const INGESTER: &str = "fogline_ingester";

pub(super) fn board() -> Board {
    Board {
        name: "delivery",
        title: "Delivery",
        description: "How late readings are, what was sent twice, what the database refuses, and how soon decisions are answered.",
        variables: vec![
            Variable::tag("ingester", "Ingester", INGESTER, "", ".*"),
            Variable::region(DELIVERY),
            Variable::agent(DELIVERY),
        ],
        items: vec![
            Item::Row("In the time shown"),
            total("Received", "readings", "Readings that came in, those that were sent twice included.", None).into(),
            total("Stored", "stored", "Readings that the database has taken.", None).into(),
            total(
                "Duplicates",
                "duplicates",
                "Readings that were received before, acknowledged again, and not written again.",
                None,
            )
            .into(),
            total(
                "Dead letters",
                "dead",
                "Readings that the database refuses for good: kept by the ingester, to be looked at.",
                Some(1.0),
            )
            .into(),
            total("Out of range", "out_of_range", "Values that cannot be true: stored, marked, not averaged.", None)
                .into(),
            outstanding().into(),
            Item::Row("Readings"),
            latency().into(),
            latency_of_agents().into(),
            duplicates().into(),
            resent().into(),
            dead().into(),
            faults().into(),
            Item::Row("Decisions"),
            decisions().into(),
            answer_time().into(),
            unanswered().into(),
            repeats().into(),
            Item::Row("Ingesters"),
            leading().into(),
        ],
    }
}

fn of_ingesters(what: &str) -> Select {
    Select::new(what, INGESTER).of("ingester")
}

fn of_agents(what: &str) -> Select {
    Select::new(what, DELIVERY).of_agents().over_time("null").by("agent")
}

fn total(title: &'static str, field: &str, description: &str, bad: Option<f64>) -> Panel {
    let panel = Panel::number(title, description, unit::READINGS).calculated("sum");
    let panel = panel.ask(of_ingesters(&format!("sum(\"{field}\")")).named(title));
    match bad {
        Some(bad) => panel.thresholds(&[(None, GOOD), (Some(bad), BAD)]),
        None => panel,
    }
}

fn outstanding() -> Panel {
    Panel::number("Unanswered now", "Decisions that are sent until their agents answer.", unit::COUNT)
        .thresholds(&[(None, GOOD), (Some(10.0), WARNING), (Some(100.0), BAD)])
        .ask(of_ingesters("last(\"outstanding\")").by("ingester").named("$tag_ingester"))
}

fn latency() -> Panel {
    let quantile = |field: &str, name: &str| {
        of_ingesters(&format!("max(\"{field}\")"))
            .over_time("null")
            .by("ingester")
            .named(&format!("{name} $tag_ingester"))
    };
    Panel::chart(
        "Latency end to end",
        "From a reading's time to the database's success, of the last minute. After an outage the backlog is in it. The clocks of edge \
         and ingester may differ, and by as much this is wrong.",
        unit::SECONDS,
    )
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(2.0), WARNING), (Some(10.0), BAD)])
    .ask(quantile("latency_p50_s", "median"))
    .ask(quantile("latency_p99_s", "99 of 100"))
}

fn latency_of_agents() -> Panel {
    Panel::chart("Latency by agent", "The mean of each agent's readings, as above.", unit::SECONDS)
        .from(0.0)
        .thresholds(&[(None, GOOD), (Some(2.0), WARNING), (Some(10.0), BAD)])
        .ask(of_agents("mean(\"latency_mean_s\")").named("$tag_agent"))
}

fn duplicates() -> Panel {
    Panel::bars(
        "Duplicates",
        "Readings that were received before. Some are usual after an outage: an acknowledgement was lost, so they were sent again.",
        unit::READINGS,
    )
    .ask(of_ingesters("sum(\"duplicates\")").over_time("0").by("ingester").named("$tag_ingester"))
}

fn resent() -> Panel {
    Panel::chart(
        "Resent",
        "Readings that agents sent more than once, a second, as Prometheus has it from the agents it asks.",
        unit::READINGS_PER_S,
    )
    .from(0.0)
    .ask(prometheus("sum by (instance) (rate(fogline_agent_resent_total[$__rate_interval]))", "{{instance}}"))
}

fn dead() -> Panel {
    Panel::bars(
        "Dead letters",
        "Readings that the database refuses for good: of another type than before, mostly. GET /api/v1/dead-letters has them.",
        unit::READINGS,
    )
    .ask(of_ingesters("sum(\"dead\")").over_time("0").by("ingester").named("$tag_ingester"))
}

fn faults() -> Panel {
    Panel::bars(
        "Store errors",
        "Commits and look-ups that failed. They are tried again, and meanwhile nothing is acknowledged: queues on the edge fill.",
        unit::COUNT,
    )
    .ask(of_ingesters("sum(\"store_errors\")").over_time("0").by("ingester").named("$tag_ingester"))
}

fn decisions() -> Panel {
    let over_time = |field: &str| Select::new(&format!("sum(\"{field}\")"), DELIVERY).of_agents().over_time("0");
    Panel::bars("Limits and notices", "Decisions made for the agents that are chosen, and their answers.", unit::COUNT)
        .ask(over_time("decisions").named("made"))
        .ask(over_time("acknowledged").named("acknowledged"))
}

fn answer_time() -> Panel {
    Panel::chart(
        "Time to answer",
        "The longest that an answer of each agent took, from the decision on.",
        unit::SECONDS,
    )
    .from(0.0)
    .thresholds(&[(None, GOOD), (Some(5.0), WARNING), (Some(30.0), BAD)])
    .ask(of_agents("max(\"ack_max_s\")").named("$tag_agent"))
}

fn unanswered() -> Panel {
    Panel::bars(
        "Never answered",
        "Decisions that were replaced, or whose time ran out, before their agent answered: it is away.",
        unit::COUNT,
    )
    .ask(of_agents("sum(\"unanswered\")").named("$tag_agent"))
}

fn repeats() -> Panel {
    let over_time = |field: &str| of_ingesters(&format!("sum(\"{field}\")")).over_time("0");
    Panel::bars(
        "Decisions sent",
        "Messages with decisions, repeats included, and answers. Much more sent than answered: agents are away.",
        unit::COUNT,
    )
    .ask(over_time("decisions_sent").named("sent"))
    .ask(over_time("decisions_acknowledged").named("answered"))
}

fn leading() -> Panel {
    let states = [(0, "stands by", "blue"), (1, "leads", GOOD)];
    Panel::states(
        "Who leads",
        "One ingester of a region leads, others stand by. Without a leader nothing is stored.",
        &states,
    )
    .ask(of_ingesters("last(\"leading\")").over_time("null").by("ingester").named("$tag_ingester"))
}
