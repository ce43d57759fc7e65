//! Each view shows what real processes do.

use crate::stage::{LAPTOP, Stage};
use fogline_tests::real::{Program, Recipe, get, until};

/// Waits until a text that is there becomes another one.
fn until_it_changes(stage: &Stage, selector: &str, is_figure: impl Fn(&str) -> bool) {
    let first = stage.browser.until_text("a figure is shown", selector, &is_figure);
    stage.browser.until_text("it changes", selector, |text| is_figure(text) && text != first);
}

fn has_digit(text: &str) -> bool {
    text.contains(|sign: char| sign.is_ascii_digit())
}

/// In both lights; the console must have nothing to say.
fn keep_pictures(stage: &Stage, view: &str) {
    for scheme in ["dark", "light"] {
        stage.browser.look(LAPTOP, scheme);
        stage.keep_picture(&format!("{view}-{scheme}"));
    }
    stage.assert_quiet(&[]);
}

#[test]
fn fleet_shows_who_is_there_and_who_goes() {
    let Some(mut stage) = Stage::with_a_road() else { return };
    stage.open("fleet");
    let (row, broker) = ("#view-fleet tbody tr", stage.broker.address());
    stage.browser.until_text("the agent is online at its broker", row, |text| {
        ["lane-1", "north", "online", broker.as_str()].iter().all(|part| text.contains(part))
    });
    until_it_changes(&stage, "#view-fleet tbody tr td:nth-child(7)", has_digit);
    keep_pictures(&stage, "fleet");
    stage.agents[0].program.kill();
    stage.browser.until_text("its going is seen", row, |text| text.contains("offline"));
}

#[test]
fn road_shows_averages_and_acknowledged_limits() {
    let Some(stage) = Stage::with_a_road() else { return };
    stage.open("road");
    until_it_changes(&stage, "#view-road .summary", |text| text.contains("north") && has_digit(text));
    let sign = "#view-road .signs li";
    stage.browser.until_text("a limit is shown and acknowledged", sign, |text| {
        has_digit(text)
            && text.contains("lane-1")
            && text.contains("acknowledged")
            && !text.contains("not acknowledged")
    });
    stage.browser.until_text("the chart is drawn", "#view-road .chart .main-svg", has_digit);
    keep_pictures(&stage, "road");
}

#[test]
fn weather_shows_curves_and_the_newest() {
    let Some(mut stage) = Stage::empty() else { return };
    let station = stage.agent("station-1").args(["--source", "simulate", "--kind", "weather", "--rate", "10"]);
    stage.agents.push(station.start());
    stage.open("weather");
    stage.browser.until_text("an average is shown", "#view-weather .summary", |text| {
        text.contains("hPa") && text.contains("north")
    });
    // The average of a calm hour stays for long, with one digit behind the point; when the newest reading was taken does not.
    until_it_changes(&stage, "#view-weather section tbody tr", |text| {
        text.contains("station-1") && text.contains("hPa") && text.contains("°C")
    });
    keep_pictures(&stage, "weather");
}

#[test]
fn power_shows_states_and_households() {
    let Some(mut stage) = Stage::empty() else { return };
    let homes = stage.agent("homes").args(["--source", "households", "--households", "20"]);
    stage.agents.push(homes.start());
    stage.open("power");
    let states = "#view-power .half tbody tr";
    stage.browser.until_text("a state is listed", states, has_digit);
    let mean = "#view-power .tile:nth-child(2) dd";
    stage.browser.until_text("an average is shown", mean, |text| text.contains('W') && has_digit(text));
    stage.browser.until_text("bars are drawn", "#view-power .chart .main-svg", |text| text.contains("kWh"));
    // The average of a quiet hour may stay for long; what a household has measured last does not.
    let home = "#view-power section:last-of-type tbody tr";
    until_it_changes(&stage, home, |text| text.contains("house") && text.contains('W'));
    keep_pictures(&stage, "power");
}

#[test]
fn garages_show_occupancy_and_invoices() {
    let Some(mut stage) = Stage::empty() else { return };
    let garages = ["--source", "garage", "--garages", "2", "--capacity", "30", "--pace", "600"];
    let garages = stage.agent("garages").args(garages);
    stage.agents.push(garages.start());
    stage.open("garages");
    until_it_changes(&stage, "#view-garages .tile:nth-child(2) dd", has_digit);
    stage.browser.until_text("the bars are drawn", "#view-garages .chart .main-svg", |text| text.contains("garage"));
    let invoice = "#view-garages section tbody tr";
    stage.browser.until_text("an invoice is listed", invoice, |text| text.contains("EUR"));
    keep_pictures(&stage, "garages");
}

#[test]
fn city_shows_nodes_their_coordinator_and_averages() {
    let Some(mut stage) = Stage::empty() else { return };
    let (api, broker) = (format!("http://{}", stage.ingester.http()), stage.broker.address());
    let part = |what: &str| Recipe::ours("fogline").args(["city", what, "--api", &api, "--broker", &broker]);
    let nodes = part("nodes").args(["--count", "3", "--data-dir"]).arg(stage.path("nodes"));
    let sensors = part("sensors").args(["--count", "10", "--rate", "5"]).ready_when("sensors ready");
    stage.others.push(Program::start(nodes));
    stage.others.push(Program::start(sensors));
    until("three nodes are known to the API", || {
        let (_, nodes) = get(stage.ingester.http(), "/api/nodes")?;
        (nodes.matches("\"id\"").count() == 3).then_some(())
    });
    stage.open("city");
    let coordinator = "#view-city .tile:nth-child(3) dd";
    let coordinator = stage.browser.until_text("the coordinator is marked", coordinator, |text| text.contains("node"));
    let sensors = "#view-city .tile:nth-child(2) dd";
    stage.browser.until_text("all sensors are on the map", sensors, |text| text.contains("10"));
    let map = "#view-city .chart .main-svg";
    stage.browser.until_text("the map has it", map, |text| text.contains(&coordinator));
    let role =
        "return [...document.querySelectorAll('#view-city section tbody tr')].map((row) => row.textContent).join()";
    let roles = stage.browser.run(role);
    assert_eq!(roles.as_str().unwrap().matches("coordinator").count(), 1, "{roles}");
    until_it_changes(&stage, "#view-city .tile:nth-child(4) dd", |text| text.contains("µg/m³") && has_digit(text));
    keep_pictures(&stage, "city");
}

#[test]
fn health_shows_rates_and_latency() {
    let Some(stage) = Stage::with_a_road() else { return };
    stage.open("health");
    until_it_changes(&stage, "#view-health .tile:nth-child(1) dd", has_digit);
    until_it_changes(&stage, "#view-health .tile:nth-child(2) dd", |text| text.contains("ms") && has_digit(text));
    stage
        .browser
        .until_text("no dead letters", "#view-health .empty", |text| text.contains("store has taken everything"));
    keep_pictures(&stage, "health");
}
