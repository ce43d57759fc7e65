//! What provisioned dashboards and alert rules must and must not have.

use crate::interpolation::names;
use crate::{alerts, dashboards, grafana, panels, targets, variables};
use serde_json::Value;
use std::collections::BTreeSet;

/// Agents say how they are every 10 s and readings come every second: a page that asks more often only loads the database.
const REFRESH_MIN_S: u64 = 5;
/// Grafana's grid.
const COLUMNS: u64 = 24;
/// What may stand behind a `$`: our variables, Grafana's macros, and the parts of an alias. Anything else would be shown
/// as it is, the names of environment variables above all.
const KNOWN_NAMES: [&str; 16] = [
    "datasource",
    "prometheus",
    "region",
    "agent",
    "group",
    "ingester",
    "job",
    "instance",
    "timeFilter",
    "__interval",
    "__rate_interval",
    "tag_agent",
    "tag_region",
    "tag_group",
    "tag_sensor",
    "tag_ingester",
];

#[test]
fn a_dashboard_can_be_provisioned_on_any_grafana() {
    let mut uids = BTreeSet::new();
    for (file, dashboard) in dashboards() {
        let uid = dashboard["uid"].as_str().unwrap_or_default();
        assert!((1..=40).contains(&uid.len()), "{file}: a fixed uid of 1 to 40 characters is needed");
        assert!(uids.insert(uid.to_owned()), "{file}: uid {uid} is used twice");
        for key in ["id", "__inputs", "__requires"] {
            assert!(dashboard.get(key).is_none(), "{file}: {key} belongs to one Grafana only");
        }
        assert_eq!(dashboard["editable"], false, "{file}: what is edited in the browser is overwritten");
        assert!(dashboard["schemaVersion"].as_u64().is_some(), "{file}: schemaVersion is missing");
        for text in ["title", "description"] {
            assert!(!dashboard[text].as_str().unwrap_or_default().is_empty(), "{file}: {text} is missing");
        }
    }
}

#[test]
fn no_dashboard_asks_more_often_than_readings_come() {
    for (file, dashboard) in dashboards() {
        let offered = dashboard["timepicker"]["refresh_intervals"].as_array().expect("refresh_intervals");
        for interval in offered.iter().chain([&dashboard["refresh"]]) {
            assert!(seconds(interval.as_str().unwrap()) >= REFRESH_MIN_S, "{file}: refresh {interval}");
        }
    }
}

fn seconds(interval: &str) -> u64 {
    let (number, unit) = interval.split_at(interval.len() - 1);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => panic!("{interval} is not an interval"),
    };
    number.parse::<u64>().unwrap() * factor
}

#[test]
fn data_sources_region_and_agent_can_be_chosen() {
    let provisioned: String = ["fogline.yaml", "prometheus.yaml"]
        .map(|file| std::fs::read_to_string(grafana().join("provisioning/datasources").join(file)).unwrap())
        .concat();
    for (file, dashboard) in dashboards() {
        let list = variables(&dashboard);
        let sources: Vec<&Value> = list.iter().filter(|variable| variable["type"] == "datasource").collect();
        assert!(!sources.is_empty(), "{file}: no data source");
        for source in sources {
            let uid = source["current"]["value"].as_str().unwrap();
            assert!(provisioned.contains(&format!("uid: {uid}\n")), "{file}: {uid} is not provisioned");
        }
        let chosen: Vec<&Value> = list.iter().filter(|variable| variable["type"] == "query").collect();
        for variable in &chosen {
            let name = &variable["name"];
            assert_eq!((&variable["multi"], &variable["includeAll"]), (&true.into(), &true.into()), "{file}: {name}");
            let source = variable["datasource"]["uid"].as_str().unwrap();
            assert!(["${datasource}", "${prometheus}"].contains(&source), "{file}: {name}");
        }
        let names: Vec<&str> = chosen.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
        let wanted: &[&str] = if file == "stack.json" { &["job", "instance"] } else { &["region", "agent"] };
        assert!(wanted.iter().all(|name| names.contains(name)), "{file}: {names:?}");
    }
}

#[test]
fn boards_lead_to_all_others() {
    let boards = dashboards();
    let uids: BTreeSet<String> = boards.iter().map(|(_, board)| board["uid"].as_str().unwrap().to_owned()).collect();
    for (file, dashboard) in &boards {
        let own = dashboard["uid"].as_str().unwrap();
        let links = dashboard["links"].as_array().unwrap();
        let mut led: BTreeSet<String> =
            links.iter().map(|link| link["url"].as_str().unwrap().trim_start_matches("/d/").to_owned()).collect();
        assert!(links.iter().all(|link| link["keepTime"] == true && link["includeVars"] == true), "{file}");
        assert!(led.insert(own.to_owned()), "{file} leads to itself");
        assert_eq!(led, uids, "{file}");
    }
}

#[test]
fn failovers_and_faults_are_marked_on_all_boards_of_the_database() {
    for (file, dashboard) in dashboards() {
        let marks = dashboard["annotations"]["list"].as_array().unwrap();
        let marked = |word: &str| marks.iter().any(|mark| mark["name"] == word && mark["enable"] == true);
        assert_eq!(marked("Failovers") && marked("Faults"), file != "stack.json", "{file}");
    }
}

#[test]
fn alerts_can_be_provisioned_and_show_where_to_look() {
    let (mut uids, boards) = (BTreeSet::new(), dashboards());
    for rule in alerts() {
        let title = rule["title"].as_str().unwrap();
        assert!(uids.insert(rule["uid"].as_str().unwrap().to_owned()), "{title}: its uid is used twice");
        assert!(!rule.to_string().contains('$'), "{title}: Grafana would look for a variable of its environment");
        assert!(["OK", "Alerting"].contains(&rule["noDataState"].as_str().unwrap()), "{title}");
        for text in ["summary", "description"] {
            assert!(rule["annotations"][text].as_str().unwrap().len() > 10, "{title}: {text}");
        }
        let parts = rule["data"].as_array().unwrap();
        let letters: Vec<&Value> = parts.iter().map(|part| &part["refId"]).collect();
        assert_eq!(letters, ["A", "B", "C"], "{title}");
        assert_eq!(rule["condition"], "C", "{title}");
        let (_, board) = boards.iter().find(|(_, board)| board["uid"] == rule["dashboardUid"]).expect(title);
        assert!(panels(board).any(|panel| panel["id"] == rule["panelId"]), "{title}: no such panel");
    }
    let contacts = std::fs::read_to_string(grafana().join("provisioning/alerting/contacts.yaml")).unwrap();
    assert!(contacts.contains("receiver: fogline\n") && contacts.contains("name: fogline\n"));
    assert!(!contacts.contains('$'), "a variable that is not set would keep Grafana from starting");
}

#[test]
fn panels_say_what_they_show_and_in_which_unit() {
    for (file, dashboard) in dashboards() {
        for panel in panels(&dashboard) {
            let title = panel["title"].as_str().unwrap_or_default();
            assert!(!title.is_empty(), "{file}: panel {} has no title", panel["id"]);
            let description = panel["description"].as_str().unwrap_or_default();
            assert!(description.len() > title.len(), "{file}: {title} has no description");
            let unit = panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap_or_default();
            assert!(!unit.is_empty(), "{file}: {title} has no unit");
            assert!(!targets(panel).is_empty(), "{file}: {title} asks for nothing");
            for asker in targets(panel).iter().chain([panel]) {
                let uid = asker["datasource"]["uid"].as_str().unwrap();
                assert!(
                    ["${datasource}", "${prometheus}"].contains(&uid),
                    "{file}: {title} has a data source of its own"
                );
            }
            for query in targets(panel).iter().filter_map(|target| target["query"].as_str()) {
                assert!(query.contains("$timeFilter"), "{file}: {title} reads all of the time");
                assert!(!query.contains("FROM ("), "{file}: {title} has a query inside of another");
                let of_all = query.contains("\"fogline_event\"");
                assert!(query.contains("=~ /^$") || of_all, "{file}: {title} ignores what is chosen");
            }
        }
    }
}

#[test]
fn panels_fill_the_grid_without_overlap() {
    for (file, dashboard) in dashboards() {
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in dashboard["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: panel id {} is used twice", panel["id"]);
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            let (x, y, w, h) = (place("x"), place("y"), place("w"), place("h"));
            assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{file}: {} is outside of the grid", panel["title"]);
            let mut cells = (y..y + h).flat_map(|row| (x..x + w).map(move |column| (row, column)));
            assert!(cells.all(|cell| taken.insert(cell)), "{file}: {} overlaps another panel", panel["title"]);
        }
        let rows = taken.last().unwrap().0 + 1;
        assert_eq!(u64::try_from(taken.len()).unwrap(), rows * COLUMNS, "{file}: the grid has holes");
    }
}

#[test]
fn only_grafana_s_own_names_are_expanded() {
    for (file, dashboard) in dashboards() {
        for text in texts(&dashboard) {
            for name in names(text) {
                assert!(KNOWN_NAMES.contains(&name), "{file}: ${name} means nothing in {text:?}");
            }
        }
    }
}

/// All texts of a document but for patterns of values, in which `$__all` is a word of its own.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) if text == "$__all" => Vec::new(),
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(entries) => entries.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}
