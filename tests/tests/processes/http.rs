//! What the ingester answers over HTTP, and how that changes when its broker goes.

use fogline_tests::real::{Kind, Site, get, until};
use serde_json::Value;

#[test]
fn the_ingester_tells_how_it_is() {
    let Some(mut site) = Site::start(Kind::Embedded) else { return };
    let agent = site.agent("lane-1").watches_a_road("20").start();
    let http = site.ingester.http();
    let page = |path: &str| get(http, path).expect("the ingester answers");

    assert_eq!(page("/healthz").0, 200);
    assert_eq!(page("/readyz").0, 200);
    let limit = agent.until_limited();
    let lane = until("the agent is listed with its limit", || {
        let agents: Value = serde_json::from_str(&page("/api/v1/agents").1).unwrap();
        let lane = agents["agents"].as_array().unwrap().iter().find(|agent| agent["agent"] == "lane-1")?.clone();
        (lane["decisions"][0]["fate"] == "applied").then_some(lane)
    });
    assert!((60.0..=130.0).contains(&limit), "{limit} km/h");
    assert_eq!((&lane["region"], &lane["status"]["online"]), (&"north".into(), &true.into()));
    assert!(lane["streams"][0]["through"].as_u64().is_some_and(|through| through > 0), "{lane}");
    assert_eq!(page("/api/v1/agents?limit=0").0, 400, "a page has at least one agent");
    assert_eq!(page("/nothing").0, 404);

    let metrics = page("/metrics").1;
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("fogline_") && value.parse::<f64>().is_ok(), "{line}");
    }
    assert!(site.ingester.metric("fogline_ingest_stored_total") > 0);

    site.broker.program.kill();
    until("it is not ready without its broker", || (page("/readyz").0 == 503).then_some(()));
    assert_eq!(page("/healthz").0, 200, "but it lives");
    let audited = site.audit(&[&agent]).passes();
    assert!(audited.total.stored > 0, "{audited}");
}
