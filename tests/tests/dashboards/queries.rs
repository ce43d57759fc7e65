//! Every question of every board and alert, asked of real servers.

use crate::fleet::{Fleet, values};
use crate::interpolation::Chosen;
use crate::prometheus::Prometheus;
use crate::{alerts, dashboards, panels, targets, variables};
use fogline_tests::real::{Influxd, Program, Recipe, free_port, until};
use serde_json::Value;
use std::io::Write as _;
use std::net::TcpStream;

/// All, as the page shows it first; and some of each.
const CHOICES: [Chosen; 2] = [
    Chosen { region: ".*", agent: ".*", range_s: 900, interval_s: 10 },
    Chosen { region: "(north|city)", agent: "(lane-1|mast|meter|garages|node-1|node-2)", range_s: 900, interval_s: 10 },
];

#[test]
fn every_query_gives_rows() {
    let Some(fleet) = Fleet::start() else { return };
    let broker = WatchedBroker::start();
    let targets = [
        ("fogline-broker", broker.http.clone()),
        ("fogline-ingest", fleet.sites.ingesters[0].http().to_string()),
        ("fogline-ingest-2", fleet.sites.ingesters[1].http().to_string()),
        ("fogline-agent", fleet.watched_http.clone()),
        ("influxdb", fleet.influxd.api().url().trim_start_matches("http://").to_owned()),
    ];
    let Some(prometheus) = Prometheus::start(&targets) else { return };
    let servers = Servers { influxd: &fleet.influxd, prometheus: &prometheus };
    let mut asked = 0;
    for (file, dashboard) in dashboards() {
        asked += servers.panels(&file, &dashboard);
        servers.annotations(&file, &dashboard);
        servers.variables(&file, &dashboard);
    }
    assert!(asked > 80, "only {asked} queries were found");
    alerts().iter().for_each(|rule| servers.alert(rule));
    what_happened_is_shown(&fleet.influxd);
    // What is written for boards is no reading; what the small queue dropped was said.
    let account = fleet.sites.audit(&[&fleet.watched]).passes();
    assert!(account.total.dropped > 0, "a queue was to overflow: {account}");
}

/// A broker whose pages Prometheus looks at.
struct WatchedBroker {
    _program: Program,
    http: String,
}

impl WatchedBroker {
    fn start() -> Self {
        let http = format!("127.0.0.1:{}", free_port());
        let listen = format!("127.0.0.1:{}", free_port());
        let recipe = Recipe::ours("fogline-broker").args(["--listen", &listen, "--http", &http]);
        let program = Program::start(recipe.ready_when("fogline-broker ready on"));
        // Something to refuse: without it there is no count of refusals.
        TcpStream::connect(&listen).unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        Self { _program: program, http }
    }
}

struct Servers<'a> {
    influxd: &'a Influxd,
    prometheus: &'a Prometheus,
}

impl Servers<'_> {
    /// Whether a question has an answer, from whoever it is put to.
    fn has_rows(&self, asker: &Value, chosen: &Chosen) -> bool {
        match asker["query"].as_str() {
            Some(query) => !values(self.influxd, &chosen.interpolate(query)).is_empty(),
            None => !self.prometheus.query(&chosen.interpolate(asker["expr"].as_str().unwrap())).is_empty(),
        }
    }

    /// All of a board; says how many.
    fn panels(&self, file: &str, dashboard: &Value) -> usize {
        let mut asked = 0;
        for panel in panels(dashboard) {
            for target in targets(panel) {
                for chosen in CHOICES {
                    let what = format!("{file}, {}: rows from {target}", panel["title"]);
                    until(&what, || self.has_rows(target, &chosen).then_some(()));
                    asked += 1;
                }
            }
        }
        asked
    }

    /// Failovers and faults were there; a recovery too, when the killed broker came back.
    fn annotations(&self, file: &str, dashboard: &Value) {
        for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
            if annotation["builtIn"] == 1 {
                continue;
            }
            let what = format!("{file}: {} are marked", annotation["name"]);
            until(&what, || self.has_rows(&annotation["target"], &CHOICES[0]).then_some(()));
        }
    }

    fn variables(&self, file: &str, dashboard: &Value) {
        for variable in variables(dashboard).iter().filter(|variable| variable["type"] == "query") {
            let found = match &variable["query"] {
                Value::String(query) => values(self.influxd, &CHOICES[0].interpolate(query)).len(),
                query => {
                    let query = CHOICES[0].interpolate(query["query"].as_str().unwrap());
                    let (metric, label) =
                        query.trim_start_matches("label_values(").trim_end_matches(')').rsplit_once(", ").unwrap();
                    self.prometheus.label_values(metric, label).len()
                }
            };
            assert!(found > 0, "{file}: nothing to choose for {}", variable["name"]);
        }
    }

    fn alert(&self, rule: &Value) {
        let model = &rule["data"][0]["model"];
        until(&format!("{}: rows from {model}", rule["title"]), || self.has_rows(model, &CHOICES[0]).then_some(()));
    }
}

/// What was made to happen is in the numbers, and not only rows of zeros.
fn what_happened_is_shown(influxd: &Influxd) {
    let sum = |query: &str| values(influxd, query).iter().filter_map(Value::as_f64).sum::<f64>();
    let one = |field: &str| sum(&format!("SELECT sum(\"{field}\") FROM \"fogline_ingester\""));
    assert!((one("dead") - 1.0).abs() < 1e-9, "{} dead letters", one("dead"));
    assert!(one("decisions_acknowledged") > 0.0);
    assert!(sum("SELECT sum(\"gaps\") FROM \"fogline_delivery\" WHERE \"agent\" = 'small'") > 0.0);
    let stored = sum("SELECT sum(\"stored\") FROM \"fogline_delivery\" WHERE \"agent\" = 'lane-2'");
    assert!(stored > 0.0 && stored <= sum("SELECT count(\"seq\") FROM \"road\" WHERE \"agent\" = 'lane-2'"));
    assert!(sum("SELECT last(\"agents\") FROM \"fogline_fleet\" WHERE \"region\" = 'north'") >= 5.0);
}
