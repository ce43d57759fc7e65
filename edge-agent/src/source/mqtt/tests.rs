//! Messages as devices send them, and a real broker that dies, comes back, and sends again what was not acknowledged.

mod broker;
mod payloads;

use super::*;
use crate::settings::keys::{Keys, Problems};
use crate::shape::ShapeConfig;
use crate::source::{Offer, Source, Step};
use broker::Broker;
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::time::{Duration, Instant};

fn config(text: &str) -> MqttConfig {
    let problems = Problems::default();
    let mut keys = Keys::new("sources[0]", text.parse().unwrap(), &problems);
    let config = super::read(&mut keys, &mut ShapeConfig::default(), None, Some("mqtt"));
    keys.finish();
    assert_eq!(problems.into_inner(), Vec::<String>::new());
    config.unwrap()
}

fn step(source: &mut FeedSource) -> Option<Offer> {
    match source.step(Now { mono: Monotonic::ZERO, wall: Wall::MIN }).unwrap() {
        Step::Offer(offer) => Some(offer),
        Step::Wait(_) => None,
        Step::End => panic!("it ended"),
    }
}

/// The next offer, while `meanwhile` is done between the steps.
fn next(source: &mut FeedSource, mut meanwhile: impl FnMut()) -> Offer {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < deadline, "nothing came");
        if let Some(offer) = step(source) {
            return offer;
        }
        meanwhile();
    }
}

fn values(offer: &Offer) -> Vec<f64> {
    offer.readings.iter().filter_map(|reading| reading.number("value")).collect()
}

fn source(broker: &Broker, more: &str) -> FeedSource {
    let text = format!("broker = '127.0.0.1:{}'\n{more}", broker.port());
    open("mqtt", config(&text)).unwrap()
}

const PLANT: &str = "[[topics]]\ntopic = 'plant/+'\nkind = 'heat'\n";

#[test]
fn a_broker_that_dies_and_comes_back_is_found_again() {
    let Some(mut broker) = Broker::start("") else { return };
    // Retained long ago: it is no measurement of now.
    broker.publish("plant/boiler", "11", true);
    let mut taken = source(&broker, PLANT);
    let offer = next(&mut taken, || broker.publish("plant/boiler", "21", false));
    assert_eq!(values(&offer), [21.0]);
    let reading = offer.readings.get(0).unwrap();
    assert_eq!((reading.sensor(), reading.kind()), ("boiler", "heat"));
    broker.kill();
    // It notices, and goes on trying.
    for _ in 0..3 {
        let left = step(&mut taken);
        assert!(left.is_none_or(|offer| values(&offer) == [21.0]));
    }
    broker.restart();
    let deadline = Instant::now() + Duration::from_secs(60);
    while values(&next(&mut taken, || broker.publish("plant/boiler", "31", false))) != [31.0] {
        assert!(Instant::now() < deadline, "nothing new came");
    }
}

#[test]
fn what_was_not_committed_the_broker_sends_again() {
    let Some(broker) = Broker::start("") else { return };
    let mut first = source(&broker, PLANT);
    // Subscribed once something comes.
    let offer = next(&mut first, || broker.publish("plant/a", "0", false));
    offer.receipts.iter().for_each(crate::source::Receipt::give);
    while let Some(offer) = step(&mut first) {
        offer.receipts.iter().for_each(crate::source::Receipt::give);
    }
    for value in ["1", "2", "3"] {
        broker.publish("plant/a", value, false);
    }
    let offers: Vec<Offer> = (0..3).map(|_| next(&mut first, || {})).collect();
    assert_eq!(offers.iter().flat_map(values).collect::<Vec<f64>>(), [1.0, 2.0, 3.0]);
    // The first is committed, the others are lost with the agent.
    offers[0].receipts.iter().for_each(crate::source::Receipt::give);
    assert!(step(&mut first).is_none());
    drop((first, offers));
    let mut second = source(&broker, PLANT);
    let again: Vec<f64> = (0..2).flat_map(|_| values(&next(&mut second, || {}))).collect();
    assert_eq!(again, [2.0, 3.0]);
    assert!(step(&mut second).is_none(), "what was acknowledged does not come again");
}

#[test]
fn what_is_published_while_the_agent_is_away_comes_when_it_is_back() {
    let Some(broker) = Broker::start("") else { return };
    let mut first = source(&broker, PLANT);
    let offer = next(&mut first, || broker.publish("plant/a", "0", false));
    offer.receipts.iter().for_each(crate::source::Receipt::give);
    while let Some(offer) = step(&mut first) {
        offer.receipts.iter().for_each(crate::source::Receipt::give);
    }
    drop(first);
    broker.publish("plant/a", "7", false);
    assert_eq!(values(&next(&mut source(&broker, PLANT), || {})), [7.0]);
}

#[test]
fn a_user_with_a_password_from_a_file_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "s3cret\n").unwrap();
    let users = folder.path().join("users");
    // Made by `mosquitto_passwd -c users edge` with the password s3cret.
    if !broker::make_user(&users, "edge", "s3cret") {
        return;
    }
    let Some(broker) = Broker::start(&format!("allow_anonymous false\npassword_file {}\n", users.display())) else {
        return;
    };
    let broker = broker.with_user("edge", "s3cret");
    let more = format!("user = 'edge'\npassword_file = '{}'\n{PLANT}", password.display());
    let mut taken = source(&broker, &more);
    assert_eq!(values(&next(&mut taken, || broker.publish("plant/a", "5", false))), [5.0]);
}

#[test]
fn a_broker_is_trusted_by_its_certificate_only() {
    let (folder, stranger) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let [certificate, key] = broker::make_certificate(folder.path());
    let [other, _] = broker::make_certificate(stranger.path());
    let tls = format!("cafile {0}\ncertfile {0}\nkeyfile {1}\n", certificate.display(), key.display());
    let Some(broker) = Broker::start_tls(&tls) else { return };
    let start = |ca: &std::path::Path| {
        let text =
            format!("broker = 'mqtts://localhost:{}'\nbroker_ca = '{}'\n{PLANT}", broker.tls_port(), ca.display());
        open("mqtt", config(&text)).unwrap()
    };
    let mut trusting = start(&certificate);
    assert_eq!(values(&next(&mut trusting, || broker.publish("plant/a", "5", false))), [5.0]);
    drop(trusting);
    let mut careful = start(&other);
    for _ in 0..3 {
        broker.publish("plant/a", "6", false);
        assert!(step(&mut careful).is_none(), "it speaks to a stranger");
    }
}

#[test]
fn discovered_sensors_are_read_with_their_units() {
    let Some(broker) = Broker::start("") else { return };
    let config = r#"{"name":"Temperature","stat_t":"~/state","~":"esp/attic","unit_of_meas":"°C","val_tpl":"{{ value_json.t | float }}","dev":{"name":"Attic"}}"#;
    broker.publish("homeassistant/sensor/attic/temperature/config", config, true);
    let mut taken = source(&broker, "discovery = true\nkind = 'climate'\n");
    let offer = next(&mut taken, || broker.publish("esp/attic/state", r#"{"t":"19.5","x":1}"#, false));
    let reading = offer.readings.get(0).unwrap();
    assert_eq!((reading.sensor(), reading.kind(), reading.number("t_c")), ("attic", "climate", Some(19.5)));
}

#[test]
fn topics_have_units_of_their_own() {
    let text = "[[topics]]\ntopic = 'us/+'\nfields.t_c = { from = 't', unit = '°F' }\n[[topics]]\ntopic = 'eu/+'\nfields.t_c = { from = 't' }\n";
    let mut topics = topics::Topics::new(&config(text));
    let mut take = |topic: &str| {
        let mut readings = fogline_protocol::reading::Readings::new();
        let message = topics::Message { topic, payload: b"{\"t\":50}", retained: false };
        topics.take(message, Wall::MIN, &mut readings, &mut Vec::new()).unwrap();
        readings.get(0).unwrap().number("t_c").unwrap()
    };
    assert!((take("us/a") - 10.0).abs() < 1e-9);
    assert!((take("eu/a") - 50.0).abs() < 1e-9);
}

#[test]
fn settings_that_cannot_be_are_told_of() {
    let problems = Problems::default();
    let text = "broker = 'http://x'\npreset = 'hue'\nbase = 'a/#'\npassword_file = '/no/such'\ndiscovery_prefix = 'x'\n\
                [[topics]]\nsensor = '{0}'\nformat = 'xml'\n[[topics]]\ntopic = 'a#'\nregex = 'x'\n";
    let mut keys = Keys::new("sources[0]", text.parse().unwrap(), &problems);
    super::read(&mut keys, &mut ShapeConfig::default(), None, None);
    keys.finish();
    let found = problems.into_inner();
    for key in [
        "broker:",
        "preset:",
        "base:",
        "password_file:",
        "user:",
        "discovery_prefix:",
        "topics[0].topic:",
        "topics[0].sensor:",
        "topics[0].format:",
        "topics[1].topic:",
        "topics[1].regex:",
    ] {
        assert!(found.iter().any(|problem| problem.starts_with(&format!("sources[0].{key}"))), "{key} {found:#?}");
    }
}
