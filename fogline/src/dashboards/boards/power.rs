//! Power of households, by federal state and by household.

use crate::dashboards::board::{Board, Item};
use crate::dashboards::panel::Panel;
use crate::dashboards::query::Select;
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;

const KIND: &str = "power";
/// Averages of 5 seconds, of agents, regions and groups.
const AVERAGE: &str = "fogline_average";

pub(super) fn board() -> Board {
    Board {
        name: "power",
        title: "Power by state",
        description: "Power of households, by the federal state that their postal code is in, and by household.",
        variables: vec![
            // A point of a group has no region. `.+`, because of points that are of no group.
            Variable::tag("group", "State", AVERAGE, "", ".+"),
            Variable::region(KIND),
            Variable::agent(KIND),
        ],
        items: vec![
            Item::Row("States"),
            newest().into(),
            states().into(),
            extremes().into(),
            counts().into(),
            Item::Row("Households"),
            households().into(),
            phases().into(),
            meters().into(),
        ],
    }
}

fn of_states(what: &str) -> Select {
    Select::new(what, AVERAGE).only("\"kind\" = 'power'").only("\"field\" = 'power_w'").of("group")
}

fn of_households(what: &str) -> Select {
    Select::new(what, KIND).of_agents().over_time("null")
}

fn newest() -> Panel {
    Panel::number("Power now", "The mean of the newest 5 seconds of each state.", &unit::of("W"))
        .size(24, 5)
        .ask(of_states("last(\"mean\")").by("group").named("$tag_group"))
}

fn states() -> Panel {
    let description = "The mean of the windows of 5 seconds of each state.";
    Panel::of(unit::field(KIND, "power_w"), "Power by state", description)
        .ask(of_states("mean(\"mean\")").over_time("null").by("group").named("$tag_group"))
}

fn extremes() -> Panel {
    let description = "The least and the most of any household of each state.";
    Panel::of(unit::field(KIND, "power_w"), "Least and most", description)
        .ask(of_states("min(\"min\")").over_time("null").by("group").named("least in $tag_group"))
        .ask(of_states("max(\"max\")").over_time("null").by("group").named("most in $tag_group"))
}

fn counts() -> Panel {
    Panel::bars("Values by state", "How many values each mean is of.", unit::READINGS)
        .size(24, 7)
        .ask(of_states("sum(\"n\")").over_time("0").by("group").named("$tag_group"))
}

fn households() -> Panel {
    Panel::of(unit::field(KIND, "power_w"), "Power by household", "The mean of each meter.")
        .ask(of_households("mean(\"power_w\")").by("agent").by("sensor").named("$tag_agent $tag_sensor"))
}

fn phases() -> Panel {
    let phase = |name: &str, title: &str| of_households(&format!("mean(\"{name}\")")).named(title);
    Panel::of(unit::field(KIND, "power1_w"), "Phases", "The mean of all meters that are chosen, on each phase.")
        .ask(phase("power1_w", "phase 1"))
        .ask(phase("power2_w", "phase 2"))
        .ask(phase("power3_w", "phase 3"))
}

fn meters() -> Panel {
    Panel::of(unit::field(KIND, "energy_kwh"), "Meter readings", "What each meter has counted.")
        .size(24, 7)
        .ask(of_households("last(\"energy_kwh\")").by("agent").by("sensor").named("$tag_agent $tag_sensor"))
}
