//! Speeds, and the limits that follow from them.

use crate::dashboards::board::Board;
use crate::dashboards::panel::Panel;
use crate::dashboards::query::Select;
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;

const KIND: &str = "road";
/// The decisions of the register `limit`.
const LIMIT: &str = "fogline_limit";

pub(super) fn board() -> Board {
    Board {
        name: "road",
        title: "Road",
        description: "How fast cars drive, and which limit their sensors show.",
        variables: vec![Variable::region(KIND), Variable::agent(KIND)],
        items: vec![
            limit().into(),
            mean().into(),
            cars().into(),
            extremes().into(),
            regions().into(),
            speeds().into(),
            decisions().into(),
        ],
    }
}

fn speed(what: &str) -> Select {
    Select::new(what, KIND).of_agents()
}

fn limit() -> Panel {
    Panel::number("Speed limit", "The newest limit of each region.", &unit::of("km/h"))
        .size(8, 5)
        .ask(Select::new("last(\"limit_kmh\")", LIMIT).of_agents().by("region").named("$tag_region"))
}

fn mean() -> Panel {
    Panel::number("Mean speed", "Of all cars of each region in the time shown.", &unit::of("km/h"))
        .size(8, 5)
        .ask(speed("mean(\"speed_kmh\")").by("region").named("$tag_region"))
}

fn cars() -> Panel {
    Panel::number("Cars", "That passed in the time shown.", "suffix: cars")
        .size(8, 5)
        .ask(speed("count(\"speed_kmh\")").by("region").named("$tag_region"))
}

fn regions() -> Panel {
    Panel::of(
        unit::field(KIND, "speed_kmh"),
        "Mean speed and limit",
        "The mean of all cars of a region, and the limit in force there: the multiple of 10 km/h nearest to the mean of 5 seconds.",
    )
    .ask(speed("mean(\"speed_kmh\")").over_time("null").by("region").named("$tag_region"))
    .ask(
        Select::new("last(\"limit_kmh\")", LIMIT)
            .of_agents()
            .over_time("previous")
            .by("region")
            .named("limit in $tag_region"),
    )
}

fn speeds() -> Panel {
    Panel::of(unit::field(KIND, "speed_kmh"), "Speed by sensor", "The mean of the cars at each agent.")
        .ask(speed("mean(\"speed_kmh\")").over_time("null").by("agent").named("$tag_agent"))
}

fn extremes() -> Panel {
    Panel::of(unit::field(KIND, "speed_kmh"), "Slowest and fastest", "Of all cars that are chosen.")
        .size(24, 7)
        .ask(speed("min(\"speed_kmh\")").over_time("null").named("slowest"))
        .ask(speed("max(\"speed_kmh\")").over_time("null").named("fastest"))
}

fn decisions() -> Panel {
    let columns = r#""region", "agent", "limit_kmh", "mean_kmh", "n", "fate""#;
    Panel::table(
        "Decisions",
        "The newest 50 limits: the mean they follow from, of how many cars, and what became of each. `applied` and `superseded` \
         are acknowledged; `outstanding` is sent until it is; `replaced` and `expired` no agent has answered.",
    )
    .ask(Select::new(columns, LIMIT).of_agents().rows(50).named(""))
}
