//! Every query of every dashboard, asked of a real server.

use crate::ingest;
use crate::interpolation::Chosen;
use crate::points::{self, LAG_S, LENGTH_S, QUEUED, START_S};
use crate::{dashboards, panels, targets, variables};
use fogline_tests::real::Influxd;
use serde_json::Value;

/// All, as the page shows it first; and some of each.
const CHOICES: [(&str, &str); 2] = [(".*", ".*"), ("(a7|elm-street)", "(house-1|lane-2)")];

fn chosen((region, agent): (&'static str, &'static str)) -> Chosen {
    let (from_ms, to_ms) = (START_S * 1000, (START_S + LENGTH_S) * 1000);
    Chosen { region, agent, from_ms, to_ms, interval_s: 10 }
}

fn server() -> Option<Influxd> {
    let server = Influxd::start()?;
    ingest::store(&points::commit(), &server);
    Some(server)
}

#[test]
fn every_query_gives_rows() {
    let Some(server) = server() else { return };
    let mut asked = 0;
    for (file, dashboard) in dashboards() {
        for (panel, target) in
            panels(&dashboard).flat_map(|panel| targets(panel).iter().map(move |target| (panel, target)))
        {
            for choice in CHOICES {
                let query = chosen(choice).interpolate(target["query"].as_str().unwrap());
                let values = values(&server, &query);
                assert!(
                    values.iter().any(|value| !value.is_null()),
                    "{file}, {}: nothing from {query}",
                    panel["title"]
                );
                asked += 1;
            }
        }
    }
    assert!(asked > 20, "only {asked} queries were found");
}

#[test]
fn the_choices_are_the_regions_and_agents() {
    let Some(server) = server() else { return };
    for (file, dashboard) in dashboards() {
        let choices = |name: &str, choice| {
            let variable = variables(&dashboard).iter().find(|variable| variable["name"] == name).unwrap();
            let query = chosen(choice).interpolate(variable["query"].as_str().unwrap());
            let mut found: Vec<_> =
                values(&server, &query).iter().map(|value| value.as_str().unwrap().to_owned()).collect();
            found.sort_unstable();
            found.dedup();
            found
        };
        assert_eq!(choices("region", CHOICES[0]), ["a7", "elm-street"], "{file}");
        assert_eq!(choices("agent", ("(a7)", ".*")), ["lane-1", "lane-2", "lane-3"], "{file}");
    }
}

#[test]
fn totals_and_averages_are_right() {
    let Some(server) = server() else { return };
    let (_, dashboard) = dashboards().into_iter().find(|(file, _)| file == "fogline.json").unwrap();
    let all = |title: &str, index: usize| {
        let panel =
            panels(&dashboard).find(|panel| panel["title"] == title).unwrap_or_else(|| panic!("no panel {title}"));
        values(&server, &chosen(CHOICES[0]).interpolate(targets(panel)[index]["query"].as_str().unwrap()))
    };
    let numbers =
        |title: &str, index: usize| -> Vec<f64> { all(title, index).iter().filter_map(Value::as_f64).collect() };
    let same = |title: &str, index: usize, expected: f64| {
        let found = numbers(title, index);
        assert!(!found.is_empty() && found.iter().all(|value| (value - expected).abs() < 1e-9), "{title}: {found:?}");
    };
    assert_eq!(numbers("Readings stored", 0), [240.0, 360.0]);
    same("Readings waiting", 0, f64::from(5 * QUEUED));
    same("Lag", 0, LAG_S);
    same("Readings dropped", 0, 5.0);
    same("Agents online", 0, 5.0);
    same("Average speed and limit", 0, 100.0);
    same("Average speed and limit", 1, 100.0);
    let rates = numbers("Readings by the time they were taken", 0);
    assert!(rates.iter().all(|rate| [0.0, 2.0, 3.0].contains(rate)) && rates.contains(&3.0), "{rates:?}");
    assert!(numbers("Dropped", 0).contains(&1.0));
    let online = numbers("Online", 0);
    assert!(online.contains(&0.0) && online.contains(&1.0), "{online:?}");
}

/// The values of all series but their times.
fn values(server: &Influxd, query: &str) -> Vec<Value> {
    let answer = server.api().query(query);
    let result = &answer["results"][0];
    assert_eq!(result.get("error"), None, "{query}");
    let series = result["series"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = series.iter().flat_map(|series| series["values"].as_array().unwrap());
    rows.flat_map(|row| row.as_array().unwrap().iter().skip(1).cloned()).collect()
}
