//! Nodes that measure the air of a city.

use crate::dashboards::board::Board;
use crate::dashboards::panel::{BAD, GOOD, Panel, WARNING};
use crate::dashboards::query::Select;
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;
use fogline_protocol::usecase::GLOBAL;

const KIND: &str = "city";
/// Of fine dust: what the European Union allows as the mean of a year, and of a day (Directive 2008/50/EC, annex XI).
const LIMITS_UGM3: [f64; 2] = [40.0, 50.0];

pub(super) fn board() -> Board {
    Board {
        name: KIND,
        title: "City",
        description: "Fine dust in a city, as its nodes average it: each by itself, and all together as the coordinator does.",
        variables: vec![Variable::region(KIND), Variable::agent(KIND)],
        items: vec![whole().into(), samples().into(), nodes().into(), parts().into(), counts().into(), table().into()],
    }
}

fn of_nodes(what: &str) -> Select {
    Select::new(what, KIND).of_agents().only(&format!("\"sensor\" != '{GLOBAL}'"))
}

fn of_all(what: &str) -> Select {
    Select::new(what, KIND).of_regions().only(&format!("\"sensor\" = '{GLOBAL}'"))
}

fn dust(title: &'static str, description: &str) -> Panel {
    let [year, day] = LIMITS_UGM3;
    Panel::of(unit::field(KIND, "pm10_ugm3"), title, description).from(0.0).thresholds(&[
        (None, GOOD),
        (Some(year), WARNING),
        (Some(day), BAD),
    ])
}

fn whole() -> Panel {
    let [year, day] = LIMITS_UGM3;
    Panel::number("Fine dust", "The newest average of the whole city.", &unit::of("µg/m³"))
        .size(12, 5)
        .thresholds(&[(None, GOOD), (Some(year), WARNING), (Some(day), BAD)])
        .ask(of_all("last(\"pm10_ugm3\")").by("region").named("$tag_region"))
}

fn samples() -> Panel {
    Panel::number("Samples", "That the averages of the whole city in the time shown are of.", unit::COUNT)
        .size(12, 5)
        .ask(of_all("sum(\"n\")").by("region").named("$tag_region"))
}

fn nodes() -> Panel {
    dust("By node", "The average of the sensors that stream to each node. Dashed: the limits of a year and of a day.")
        .ask(of_nodes("mean(\"pm10_ugm3\")").over_time("null").by("sensor").named("$tag_sensor"))
}

fn parts() -> Panel {
    dust("Whole city", "What the coordinator makes of all nodes. A hole is a time without a coordinator.")
        .ask(of_all("mean(\"pm10_ugm3\")").over_time("null").by("region").named("$tag_region"))
}

fn counts() -> Panel {
    Panel::bars(
        "Samples by node",
        "How many samples each node averaged: sensors go to the nearest node that is there.",
        unit::COUNT,
    )
    .size(24, 7)
    .ask(of_nodes("sum(\"n\")").over_time("0").by("sensor").named("$tag_sensor"))
}

fn table() -> Panel {
    let columns = r#""region", "agent", "sensor", "pm10_ugm3", "n""#;
    Panel::table("Averages", "The newest 50, with the agent that brought each.")
        .ask(Select::new(columns, KIND).of_agents().rows(50).named(""))
}
