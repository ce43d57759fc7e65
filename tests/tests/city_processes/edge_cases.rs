//! The edge cases that must hold, each with real processes.

use crate::site::{City, leave};
use fogline_tests::real::{Program, until};
use std::collections::BTreeMap;
use std::time::Duration;

fn join(city: &City, names: &[&'static str]) -> BTreeMap<&'static str, Program> {
    let nodes = names.iter().map(|name| (*name, city.joining(name))).collect();
    city.agree(names);
    nodes
}

#[test]
fn two_join_at_once() {
    let city = City::start();
    let mut nodes = join(&city, &["a", "b"]);
    let first = city.agree(&["a", "b"]);
    nodes.insert("c", city.joining("c"));
    assert_eq!(city.agree(&["a", "b", "c"]), first, "a newcomer of higher id deposes nobody");
}

#[test]
fn one_joins_while_another_leaves() {
    let city = City::start();
    let mut nodes = join(&city, &["a", "b"]);
    // So many that each node has some, whoever came first to which place.
    let _sensors = city.sensors(12);
    city.sensors_stream(12);
    let coordinator = city.agree(&["a", "b"]);
    let _new = city.joining("c");
    leave(nodes.get_mut(coordinator.as_str()).unwrap());
    let rest = if coordinator == "a" { "b" } else { "a" };
    city.agree(&[rest, "c"]);
    city.sensors_stream(12);
    assert!(!city.api.ids().contains(&format!("{coordinator}-1")));
    city.stores(&format!("{coordinator}-1"), 1);
    city.nothing_is_there_twice();
}

#[test]
fn one_joins_during_an_election() {
    let city = City::start();
    let mut nodes = join(&city, &["a", "b", "c"]);
    let coordinator = city.agree(&["a", "b", "c"]);
    nodes.get_mut(coordinator.as_str()).unwrap().kill();
    let _new = city.joining("d");
    let mut rest: Vec<&str> = ["a", "b", "c"].into_iter().filter(|name| *name != coordinator).collect();
    rest.push("d");
    city.agree(&rest);
    let killed = format!("{coordinator}-1");
    until("the API has forgotten the one that was killed", || (!city.api.ids().contains(&killed)).then_some(()));
}

#[test]
fn the_coming_winner_leaves_during_an_election() {
    let city = City::start();
    let mut nodes = join(&city, &["a", "b", "c"]);
    let coordinator = city.agree(&["a", "b", "c"]);
    let rest: Vec<&str> = ["a", "b", "c"].into_iter().filter(|name| *name != coordinator).collect();
    nodes.get_mut(coordinator.as_str()).unwrap().kill();
    // The greater of the two would win.
    leave(nodes.get_mut(rest[1]).unwrap());
    assert_eq!(city.agree(&rest[..1]), rest[0]);
}

#[test]
fn sensors_with_no_node() {
    let city = City::start();
    let mut sensors = city.sensors(3);
    std::thread::sleep(Duration::from_secs(5));
    let _nodes = join(&city, &["a"]);
    city.sensors_stream(3);
    city.stores("a-1", 3);
    city.stores("global", 1);
    // What was sampled before there was a node is in the averages: windows that began before the node did.
    assert!(sensors.terminate().success());
    let said = sensors.output().whole();
    assert!(said.contains(" 0 dropped"), "{said}");
    city.nothing_is_there_twice();
}

#[test]
fn averages_to_a_coordinator_that_is_offline() {
    let city = City::start();
    let nodes = join(&city, &["a", "b"]);
    let _sensors = city.sensors(12);
    city.sensors_stream(12);
    let coordinator = city.agree(&["a", "b"]);
    let other = if coordinator == "a" { "b" } else { "a" };
    city.stores(&format!("{other}-1"), 1);
    nodes[coordinator.as_str()].pause();
    city.agree(&[other]);
    let before = city.stored().iter().filter(|row| row.0 == format!("{other}-1")).count();
    city.stores(&format!("{other}-1"), before + 3);
    nodes[coordinator.as_str()].resume();
    city.agree(&["a", "b"]);
    // Each window that the other one had samples in is there: what the first had not acknowledged went to itself.
    let stored = city.stored();
    let mut windows: Vec<i64> = stored.iter().filter(|row| row.0 == format!("{other}-1")).map(|row| row.1).collect();
    windows.sort_unstable();
    windows.dedup();
    assert!(windows.windows(2).all(|pair| pair[1] - pair[0] == 5_000_000), "a hole in {windows:?}");
}

#[test]
fn the_coordinator_leaves_before_the_global_average() {
    let city = City::start();
    let mut nodes = join(&city, &["a", "b"]);
    let _sensors = city.sensors(4);
    city.sensors_stream(4);
    let coordinator = city.agree(&["a", "b"]);
    city.stores("global", 2);
    // Local averages come a second after their windows' end: in the middle of an interval there are some.
    until("the middle of an interval", || {
        (2_000_000..3_500_000).contains(&(fogline_runtime::clock::wall().us() % 5_000_000)).then_some(())
    });
    leave(nodes.get_mut(coordinator.as_str()).unwrap());
    let agent = format!("{coordinator}-1");
    let parts = || {
        city.stored().into_iter().filter(|row| row.0 == "global" && row.3 == agent && row.2 % 5_000_000 != 0).count()
    };
    until("the average of the part of an interval", || (parts() >= 1).then_some(()));
    city.agree(&[if coordinator == "a" { "b" } else { "a" }]);
    city.nothing_is_there_twice();
}

#[test]
fn the_cloud_is_away() {
    let mut city = City::start();
    let mut nodes = join(&city, &["a", "b"]);
    let _sensors = city.sensors(4);
    city.sensors_stream(4);
    city.stores("global", 1);
    city.ingester.program.kill();
    let started = until("an average is seen", || city.now()["global"]["average"]["ts_us"].as_i64());
    let away = Duration::from_secs(15);
    let wanted = started + i64::try_from(away.as_micros()).unwrap();
    until("averages go on without the cloud", || {
        city.now()["global"]["average"]["ts_us"].as_i64().filter(|ts_us| *ts_us >= wanted)
    });
    city.ingester.restart();
    let all = || {
        let mut ends: Vec<i64> = city.stored().into_iter().filter(|row| row.0 == "global").map(|row| row.2).collect();
        ends.sort_unstable();
        ends
    };
    until("what was averaged meanwhile is stored", || all().last().filter(|last| **last >= wanted).copied());
    assert!(all().windows(2).all(|pair| pair[1] - pair[0] <= 5_000_000), "a hole in {:?}", all());
    city.nothing_is_there_twice();
    nodes.values_mut().for_each(leave);
    assert!(city.api.ids().is_empty());
}

#[test]
fn an_api_that_has_forgotten_a_node_hears_of_it_again() {
    let city = City::start();
    let _nodes = join(&city, &["a"]);
    assert_eq!(city.api.ids(), ["a-1"]);
    city.api.forget();
    until("registered again", || (city.api.ids() == ["a-1"]).then_some(()));
    let mut taken = city.joining("a");
    assert_eq!(taken.ended().code(), Some(1));
    assert!(taken.output().whole().contains("the id a-1 is taken"));
}
