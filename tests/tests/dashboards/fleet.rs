//! Two sites and agents of all use cases, as they run for years: with a database, faults, and a failover.

use fogline_tests::real::{Agent, AgentRecipe, Influxd, Kind, Program, Recipe, Shared, Sites, free_port, until};
use serde_json::Value;

/// Readings that the small queue has room for.
const SMALL: &str = "50";

pub(crate) struct Fleet {
    pub(crate) sites: Sites,
    pub(crate) influxd: Influxd,
    /// One whose pages Prometheus can look at.
    pub(crate) watched: Agent,
    /// Where they are.
    pub(crate) watched_http: String,
    agents: Vec<Agent>,
    _city: [Program; 2],
}

impl Fleet {
    /// Starts all of it, and lets happen what boards mark. None where no InfluxDB is installed and none need be.
    pub(crate) fn start() -> Option<Self> {
        let influxd = Influxd::start()?;
        let shared = Shared::Influx(influxd.translator().url(), influxd.api().url());
        let sites = Sites::start(Kind::Embedded, shared)?;
        let watched_http = format!("127.0.0.1:{}", free_port());
        let watched = sites.agent("lane-1").watches_a_road("5").args(["--http", &watched_http]).start();
        let agents = vec![
            sites.agent("lane-2").watches_a_road("5").start(),
            simulated(&sites, "mast", "weather"),
            simulated(&sites, "meter", "power"),
            sites.agent("houses").args(["--source", "households", "--households", "3"]).start(),
            sites
                .agent("garages")
                .args(["--source", "garage", "--garages", "2", "--capacity", "20", "--pace", "3600"])
                .start(),
        ];
        let city = ["nodes", "sensors"].map(|what| city(&sites, what));
        let mut fleet = Self { sites, influxd, watched, watched_http, agents, _city: city };
        fleet.refuse_a_reading();
        fleet.lose_readings();
        fleet.fail_over();
        Some(fleet)
    }

    /// The database knows speeds as numbers, and takes no text.
    fn refuse_a_reading(&self) {
        self.until_there("speeds", "SELECT count(\"speed_kmh\") FROM \"road\"");
        let file = self.sites.path("readings");
        std::fs::write(&file, "{\"fields\":{\"speed_kmh\":\"fast\"}}\n").unwrap();
        self.sites.agent("wrong").reads(&file).args(["--kind", "road", "--sensor", "s"]).start().finished();
        self.until_there("a dead letter", "SELECT sum(\"dead\") FROM \"fogline_ingester\" WHERE \"dead\" > 0");
    }

    /// An agent that may keep few readings, and cannot send them for a while.
    fn lose_readings(&mut self) {
        self.sites.brokers[0].program.kill();
        let small = AgentRecipe::new(&self.sites.brokers[0], "small", &self.sites.path("small"));
        let small = small.watches_a_road("100").args(["--queue-readings", SMALL]).start();
        until("a full queue drops readings", || {
            small.status()?.pointer("/queue/dropped")?.as_u64().filter(|dropped| *dropped > 0)
        });
        self.sites.brokers[0].program.restart();
        self.until_there("a gap", "SELECT sum(\"gaps\") FROM \"fogline_delivery\" WHERE \"gaps\" > 0");
        self.agents.push(small);
    }

    fn fail_over(&mut self) {
        self.sites.ingesters[0].program.kill();
        self.sites.until_leads(1);
        let event = "SELECT \"text\" FROM \"fogline_event\" WHERE \"event\" = 'failover' AND \"ingester\" = 'ingest-2'";
        self.until_there("a failover", event);
        self.sites.ingesters[0].restart();
    }

    fn until_there(&self, what: &str, query: &str) {
        until(what, || (!values(&self.influxd, query).is_empty()).then_some(()));
    }
}

fn simulated(sites: &Sites, name: &str, kind: &str) -> Agent {
    sites.agent(name).args(["--source", "simulate", "--kind", kind, "--rate", "2"]).start()
}

fn city(sites: &Sites, what: &str) -> Program {
    let api = format!("http://{}", sites.ingesters[0].http());
    let broker = sites.brokers[1].address();
    let recipe = Recipe::ours("fogline").args(["city", what, "--api", &api, "--broker", &broker, "--count", "2"]);
    Program::start(match what {
        "nodes" => recipe.args(["--name", "node", "--data-dir"]).arg(sites.path("city")),
        _ => recipe.args(["--rate", "5"]),
    })
}

/// The values of all series but their times, and those that are null.
pub(crate) fn values(server: &Influxd, query: &str) -> Vec<Value> {
    let answer = server.api().query(query);
    let result = &answer["results"][0];
    assert_eq!(result.get("error"), None, "{query}");
    let series = result["series"].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = series.iter().flat_map(|series| series["values"].as_array().unwrap());
    rows.flat_map(|row| row.as_array().unwrap().iter().skip(1).cloned()).filter(|value| !value.is_null()).collect()
}
