//! What two sites cannot share is refused at the start, with the reason.

use fogline_tests::real::{Broker, Ingester, IngesterRecipe, Kind, Shared, Site, Sites};
use std::process::ExitStatus;

fn refused(recipe: &IngesterRecipe, status: i32, words: &[&str]) {
    let (ended, said): (ExitStatus, String) = recipe.run();
    assert_eq!(ended.code(), Some(status), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[test]
fn another_store_beside_one_that_is_in_use() {
    let Some(sites) = Sites::start(Kind::under_test(), Shared::File) else { return };
    // A higher rank changes nothing: the others are at work.
    let another = sites.another("ingest-3", "own").args(["--rank", "7"]);
    refused(&another, 1, &["ingest-1", "another store (sqlite:", "--shared", "--store influxdb", "--region"]);
    assert!(sites.ingesters[0].leads() && sites.ingesters[1].stands_by());
}

#[test]
fn a_file_that_is_not_shared() {
    let Some(mut site) = Site::start(Kind::under_test()) else { return };
    let folder = site.ingester.folder().to_owned();
    let second = IngesterRecipe::new("ingest-2", &[&site.broker], &folder);
    let path = folder.display().to_string();
    refused(&second, 1, &[&path, "in use by another ingester", "--shared"]);
    refused(&second.clone().args(["--shared"]), 1, &[&path, "shares it with nobody", "--shared"]);
    assert!(site.ingester.leads());

    // And one that is shared cannot be had alone.
    site.ingester.program.kill();
    let shared = Ingester::start_with(&site.broker, &folder, &["--shared"]);
    refused(&second, 1, &[&path, "in use by another ingester"]);
    assert!(shared.leads());
}

#[test]
fn a_shared_file_where_there_is_none() {
    let Some(site) = Site::start(Kind::under_test()) else { return };
    let influx = ["--shared", "--store", "influxdb", "--influxdb-url", "http://127.0.0.1:1"];
    let recipe = IngesterRecipe::new("ingest-2", &[&site.broker], &site.path("own")).args(influx);
    refused(&recipe, 2, &["shared: only a SQLite file", "by its address"]);
}

#[test]
fn a_file_that_is_shared_by_one_that_takes_other_agents() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::under_test(), folder.path()) else { return };
    let shared = |name: &str, takes: [&str; 2]| {
        IngesterRecipe::new(name, &[&broker], &folder.path().join("ingest")).args(["--shared"]).args(takes)
    };
    let first = shared("ingest-1", ["--share", "1/2"]).start();
    let words = ["takes 1/2", "this one takes 2/2", "--data-dir"];
    refused(&shared("ingest-2", ["--share", "2/2"]), 1, &words);
    assert!(first.leads());
    let second = shared("ingest-2", ["--share", "1/2"]).start();
    assert!(first.leads() && second.stands_by());
}

#[test]
fn regions_and_shares_that_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::under_test(), folder.path()) else { return };
    let with = |args: &[&str]| {
        IngesterRecipe::new("ingest-1", &[&broker], &folder.path().join("ingest")).args(args.iter().copied())
    };
    refused(&with(&["--share", "3/2"]), 2, &["share: \"3/2\" is not a share", "2/4"]);
    refused(&with(&["--region", "a7", "--share", "1/2"]), 2, &["give one of region and share"]);
    refused(&with(&["--region", "a7,A8"]), 2, &["region: ", "A8"]);
}
