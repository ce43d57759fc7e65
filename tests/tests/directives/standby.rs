//! Two sites with a state each: what an operator was told to be kept is kept by the one that takes over.

use crate::operator::{is_computed, is_set, operator};
use fogline_tests::real::{Influxd, Kind, Shared, Sites, until};

#[test]
fn the_one_that_takes_over_keeps_to_it() {
    let Some(server) = Influxd::start() else { return };
    let shared = Shared::Influx(server.translator().url(), server.api().url());
    let Some(mut sites) = Sites::start(Kind::under_test(), shared) else { return };
    let agent = sites.agent("lane-1").watches_a_road("20").start();
    until("a limit is computed", || is_computed(&agent));

    let refused = operator(&sites.ingesters[1], "limit set 65 --region north --for 30m");
    assert!(!refused.content && refused.text.contains("ask ingest-1"), "{refused:?}");
    let said = operator(&sites.ingesters[0], "limit set 65 --region north --for 30m --wait 0s");
    assert!(said.text.contains("set: 65 km/h"), "{said:?}");
    // It was said to be kept: by both.
    sites.ingesters[0].program.kill();
    sites.until_leads(1);
    until("the limit holds", || is_set(&agent, 65.0));
    let listed = operator(&sites.ingesters[1], "limit list");
    assert!(listed.text.contains("all of region north"), "{listed:?}");

    sites.ingesters[0].restart();
    sites.until_stands_by(0);
    let said = operator(&sites.ingesters[1], "limit clear --region north --wait 30s");
    assert!(said.content, "{said:?}");
    sites.ingesters[1].program.kill();
    sites.until_leads(0);
    until("what is computed holds", || is_computed(&agent));
    let listed = operator(&sites.ingesters[0], "limit list");
    assert!(listed.text.contains("no operator has set a limit"), "{listed:?}");
}
