//! Whoever asks an ingester for a region that it does not take is told so, and nothing is set.

use crate::operator::operator;
use fogline_tests::real::{Broker, IngesterRecipe, Kind};

#[test]
fn a_region_that_another_ingester_takes_is_not_decided_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::under_test(), folder.path()) else { return };
    let recipe = IngesterRecipe::new("ingest-1", &[&broker], &folder.path().join("ingest"));
    let ingester = recipe.args(["--region", "a7,a8"]).start();
    for line in [
        "limit set 80 --region north --for 5m",
        "limit clear --agent north/lane-1",
        "agent config set --agent north/lane-1 sampling=1s",
    ] {
        let said = operator(&ingester, line);
        assert!(!said.content, "{line}: {said:?}");
        assert!(said.text.contains("takes a7,a8, and not region north: ask one that takes it"), "{line}: {said:?}");
    }
    assert!(operator(&ingester, "limit list").text.contains("no operator has set a limit"));
}
