//! Garages: how full they are, and who drives in and out.

use crate::dashboards::board::Board;
use crate::dashboards::panel::Panel;
use crate::dashboards::query::Select;
use crate::dashboards::unit;
use crate::dashboards::variable::Variable;

const KIND: &str = "parking";

pub(super) fn board() -> Board {
    Board {
        name: KIND,
        title: "Parking",
        description: "How full garages are, and how many cars drive in and out. Licence plates are in the ledger only: here is a keyed hash.",
        variables: vec![Variable::region(KIND), Variable::agent(KIND)],
        items: vec![
            inside().into(),
            room().into(),
            tariff().into(),
            occupied().into(),
            movements().into(),
            table().into(),
        ],
    }
}

fn garages(what: &str) -> Select {
    Select::new(what, KIND).of_agents()
}

fn number(title: &'static str, description: &str, field: &str) -> Panel {
    Panel::number(title, description, &unit::of(unit::field(KIND, field).unit))
        .size(8, 5)
        .ask(garages(&format!("last(\"{field}\")")).by("sensor").named("$tag_sensor"))
}

fn inside() -> Panel {
    number("Cars inside", "The newest count of each garage.", "occupied")
}

fn room() -> Panel {
    number("Room", "For how many cars each garage has room.", "capacity")
}

fn tariff() -> Panel {
    number("Price", "Of a started hour in each garage.", "tariff_cents_per_hour")
}

fn occupied() -> Panel {
    Panel::of(
        unit::field(KIND, "occupied"),
        "Occupied",
        "Cars in each garage; the line that does not move is the room there is.",
    )
    .from(0.0)
    .ask(garages("last(\"occupied\")").over_time("previous").by("sensor").named("$tag_sensor"))
    .ask(garages("last(\"capacity\")").over_time("previous").by("sensor").named("room in $tag_sensor"))
}

fn movements() -> Panel {
    let cars = |event: &str, name: &str| {
        let of_event = garages("count(\"occupied\")").only(&format!("\"event\" = '{event}'"));
        of_event.over_time("0").named(name)
    };
    Panel::bars("Entries and exits", "Cars that drove in and out of all garages that are chosen.", "suffix: cars")
        .ask(cars("entry", "in"))
        .ask(cars("exit", "out"))
}

fn table() -> Panel {
    let columns = r#""region", "sensor", "event", "occupied", "capacity", "tariff_cents_per_hour""#;
    Panel::table(
        "Movements",
        "The newest 50 entries and exits. Invoices are in the ledger: GET /api/v1/regions/REGION/invoices.",
    )
    .ask(Select::new(columns, KIND).of_agents().rows(50).named(""))
}
