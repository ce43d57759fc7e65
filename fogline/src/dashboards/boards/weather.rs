//! Air pressure and temperature.

use super::field_charts;
use crate::dashboards::board::{Board, Item};
use crate::dashboards::panel::Panel;
use crate::dashboards::query::Select;
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;
use fogline_protocol::usecase::{UseCase, Weather};

const KIND: &str = "weather";

pub(super) fn board() -> Board {
    let mut items: Vec<Item> =
        vec![newest("Temperature", "temperature_c").into(), newest("Pressure", "pressure_hpa").into(), stored().into()];
    items.extend(field_charts(&Weather).into_iter().map(|chart| chart.size(24, 8).into()));
    items.push(table().into());
    Board {
        name: Weather.kind(),
        title: "Weather",
        description: "Air pressure and temperature, and readings that cannot be true.",
        variables: vec![Variable::region(KIND), Variable::agent(KIND)],
        items,
    }
}

/// Without what cannot be true.
fn true_values(what: &str, field: &str) -> Select {
    let field = unit::field(KIND, field);
    let (name, min, max) = (field.name, field.min, field.max);
    Select::new(what, KIND).of_agents().only(&format!("\"{name}\" >= {min} AND \"{name}\" <= {max}"))
}

fn newest(title: &'static str, field: &'static str) -> Panel {
    let unit = unit::of(unit::field(KIND, field).unit);
    Panel::number(title, "The newest of each region that can be true.", &unit)
        .size(8, 5)
        .ask(true_values(&format!("last(\"{field}\")"), field).by("region").named("$tag_region"))
}

fn stored() -> Panel {
    Panel::number(
        "Readings",
        "Readings of each region in the time shown; what cannot be true among them is stored with a mark, and not averaged.",
        unit::READINGS,
    )
    .size(8, 5)
    .ask(Select::new("count(\"temperature_c\")", KIND).of_agents().by("region").named("$tag_region"))
}

fn table() -> Panel {
    let columns = r#""region", "agent", "sensor", "temperature_c", "pressure_hpa", "fogline_flags""#;
    Panel::table(
        "Newest readings",
        "The newest 50 as they are stored. `fogline_flags` says `outlier` of one that cannot be true, `restamped` and `unset` of one \
         whose clock was not set.",
    )
    .ask(Select::new(columns, KIND).of_agents().rows(50).named(""))
}
