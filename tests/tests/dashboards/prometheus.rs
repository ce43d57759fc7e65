//! A real Prometheus, which looks at real programs.

use fogline_tests::real::{Program, Recipe, free_port, get, service, until};
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use tempfile::TempDir;

pub(crate) struct Prometheus {
    _program: Program,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one that looks at these once a second: the name of the job, and the address. The names are those of
    /// `grafana/prometheus.yml`. None where it is not installed and need not be.
    pub(crate) fn start(targets: &[(&str, String)]) -> Option<Self> {
        let program = service("prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let jobs: String = targets
            .iter()
            .map(|(job, at)| format!("  - job_name: {job}\n    static_configs: [{{ targets: [\"{at}\"] }}]\n"))
            .collect();
        let own = format!("  - job_name: prometheus\n    static_configs: [{{ targets: [\"{address}\"] }}]\n");
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, format!("global: {{ scrape_interval: 1s }}\nscrape_configs:\n{jobs}{own}")).unwrap();
        let recipe = Recipe::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let server = Self { _program: Program::start(recipe), address, _folder: folder };
        until("Prometheus answers", || get(server.address, "/-/ready").filter(|(status, _)| *status == 200));
        Some(server)
    }

    /// The series that an expression has now.
    pub(crate) fn query(&self, expression: &str) -> Vec<Value> {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (status, body) = get(self.address, &format!("/api/v1/query?query={encoded}")).unwrap();
        assert_eq!(status, 200, "{expression}\n{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        answer["data"]["result"].as_array().unwrap().clone()
    }

    /// The values of a label of a metric.
    pub(crate) fn label_values(&self, metric: &str, label: &str) -> Vec<String> {
        let series = self.query(metric);
        series.iter().filter_map(|series| series["metric"][label].as_str().map(str::to_owned)).collect()
    }
}
