//! The boards, one file each.

mod city;
mod delivery;
mod fleet;
mod parking;
mod power;
mod road;
mod stack;
mod weather;

use super::board::Board;
use super::panel::Panel;
use super::query::Select;
use fogline_protocol::usecase::UseCase;

/// Name and title of every board, in the order of the links on each. The first is Grafana's home.
pub(super) const NAMES: [(&str, &str); 8] = [
    ("fleet", "Fleet"),
    ("road", "Road"),
    ("weather", "Weather"),
    ("power", "Power by state"),
    ("parking", "Parking"),
    ("city", "City"),
    ("delivery", "Delivery"),
    ("stack", "Stack"),
];

/// All boards.
pub(super) fn all() -> Vec<Board> {
    vec![
        fleet::board(),
        road::board(),
        weather::board(),
        power::board(),
        parking::board(),
        city::board(),
        delivery::board(),
        stack::board(),
    ]
}

/// A chart of each field of a use case that is averaged, by agent and sensor.
fn field_charts(usecase: &dyn UseCase) -> Vec<Panel> {
    let averaged = usecase.fields().iter().filter(|field| field.averaged);
    let chart = |field: &fogline_protocol::usecase::Field| {
        let values = Select::new(&format!("mean(\"{}\")", field.name), usecase.kind()).of_agents();
        let true_ones = values.only(&format!("\"{0}\" >= {1} AND \"{0}\" <= {2}", field.name, field.min, field.max));
        Panel::of(*field, field.name, "The mean of each sensor, of what can be true.")
            .ask(true_ones.over_time("null").by("agent").by("sensor").named("$tag_agent $tag_sensor"))
    };
    averaged.map(chart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_boards() {
        let names: Vec<_> = all().iter().map(|board| (board.name, board.title)).collect();
        assert_eq!(names, NAMES);
    }
}
