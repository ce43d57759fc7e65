//! Newest readings, households and states, garages and their ledger.

use super::super::testing::Site;
use crate::store::testing::{EPOCH_US, agent};
use fogline_protocol::ids::{Name, StreamId};
use fogline_protocol::store::{Bills, Clarification, Commit, Departure, Fold, Latest, Stay, Unclear};
use fogline_protocol::time::Wall;
use fogline_protocol::usecase::power::Places;
use fogline_protocol::window::{Aggregate, Scope};
use serde_json::{Value, json};

fn latest(of: &str, kind: &str, sensor: &str, flags: u8, fields: Value) -> Latest {
    let Value::Object(fields) = fields else { panic!("{fields}") };
    let (owner, stream) = ((&agent("north", of)).into(), StreamId::from_bits(7));
    let (kind, sensor) = (kind.to_owned(), sensor.to_owned());
    Latest { owner, kind, sensor, ts_us: EPOCH_US, clock: 0, stream, seq: 5, flags, fields }
}

fn stay(seq: u64, plate: &str, left: bool) -> Stay {
    let stream = StreamId::from_bits(7);
    let at_us = EPOCH_US + i64::try_from(seq).unwrap();
    Stay {
        owner: (&agent("north", "garages")).into(),
        garage: "east".to_owned(),
        stream,
        seq,
        plate: plate.to_owned(),
        plate_hash: format!("hash-{seq}"),
        entered_us: EPOCH_US,
        tariff_cents: 250,
        left: left.then_some(Departure { stream, seq: seq + 1, left_us: at_us, hours: 2, cents: 500 }),
        unresolved: false,
    }
}

/// Two households, two garages, two invoices, a car inside, and one clarification.
async fn site() -> Site {
    let mut site = Site::start().await;
    let power = |sensor: &str, w: f64| latest("meters", "power", sensor, 1, json!({"power_w": w, "energy_kwh": 7.5}));
    let parking = |sensor: &str, cars: f64| {
        latest(
            "garages",
            "parking",
            sensor,
            0,
            json!({"occupied": cars, "capacity": 100.0, "tariff_cents_per_hour": 250.0}),
        )
    };
    let mut aggregate = Aggregate::default();
    [200.0, 400.0].into_iter().for_each(|value| aggregate.add(value));
    let (kind, field, start) = ("power", "power_w", Wall::from_us(EPOCH_US));
    let state =
        Places::default().state(&Places::default().postcode(&agent("north", "meters"), "house-1")).unwrap().to_owned();
    let scope = Scope::Group(Name::new(&format!("de-{}", state.to_ascii_lowercase())).unwrap());
    let Stay { owner, garage, stream, plate, plate_hash, .. } = stay(9, "B-FG 9", false);
    let unclear =
        Clarification { owner, garage, stream, seq: 9, what: Unclear::SecondEntry, ts_us: 5, plate, plate_hash };
    let stays = vec![stay(1, "B-FG 1", true), stay(3, "B-FG 2", true), stay(6, "B-FG 3", false)];
    let commit = Commit {
        id: 1,
        latest: vec![power("house-1", 100.0), power("house-2", 200.0), parking("east", 3.0), parking("west", 4.0)],
        bills: Bills { stays, clarifications: vec![unclear] },
        folds: vec![Fold { scope, kind, field, width_s: 3600, start, aggregate }],
        ..Commit::default()
    };
    site.commit(commit).await.unwrap();
    site
}

#[tokio::test]
async fn what_use_cases_have_to_say() {
    let site = site().await;
    insta::assert_json_snapshot!("latest", site.json("/api/v1/readings/latest?kind=power&limit=1").await);
    insta::assert_json_snapshot!("households", site.json("/api/v1/households").await);
    insta::assert_json_snapshot!("garages", site.json("/api/v1/garages?limit=1").await);
    insta::assert_json_snapshot!("invoices", site.json("/api/v1/invoices").await);
    insta::assert_json_snapshot!("clarifications", site.json("/api/v1/clarifications").await);
}

#[tokio::test]
async fn no_answer_has_a_plate() {
    let site = site().await;
    for path in ["garages", "invoices", "clarifications", "readings/latest", "dead-letters"] {
        let text = site.json(&format!("/api/v1/{path}")).await.to_string();
        assert!(!text.contains("B-FG"), "{path}: {text}");
    }
}

#[tokio::test]
async fn pages_of_use_cases_have_all_items_once() {
    let site = site().await;
    for list in [
        "readings/latest?",
        "readings/latest?region=north&agent=garages&",
        "households?",
        "garages?",
        "invoices?",
        "clarifications?",
    ] {
        let whole = site.json(&format!("/api/v1/{list}")).await;
        let (mut items, mut after) = (Vec::new(), String::new());
        while items.len() < 10 {
            let page = site.json(&format!("/api/v1/{list}limit=1{after}")).await;
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        assert_eq!(Value::Array(items), whole["items"], "{list}");
        assert!(!whole["items"].as_array().unwrap().is_empty(), "{list}");
    }
}

#[tokio::test]
async fn a_state_has_the_mean_of_its_households_and_its_price() {
    let site = site().await;
    let states = site.json("/api/v1/states").await;
    let states = states["items"].as_array().unwrap();
    assert_eq!(states.len(), 16);
    let known: u64 = states.iter().map(|state| state["households"].as_u64().unwrap()).sum();
    assert_eq!(known, 2);
    let household = &site.json("/api/v1/households").await["items"][0];
    let letters = household["state"].as_str().unwrap();
    let state = states.iter().find(|state| state["state"] == letters).unwrap();
    let kwh = 300.0 * 8766.0 / 1000.0;
    assert_eq!(
        (&state["mean_w"], &state["annual_kwh"], &state["price_eur"]),
        (&json!(300.0), &json!(kwh), &json!(kwh * 0.3))
    );
    assert!(states.iter().any(|state| state["mean_w"].is_null() && state["price_eur"].is_null()));
    let of = site.json(&format!("/api/v1/households?state={letters}")).await;
    assert!(of["items"].as_array().unwrap().contains(household));
    assert!(site.refused("GET", "/api/v1/households?state=XX", 400).await.contains("/api/v1/states"));
}

#[tokio::test]
async fn a_person_is_forgotten_by_the_one_that_leads_only() {
    let site = site().await;
    let body = r#"{"plate":"no such plate"}"#;
    let answer = site.post("/api/v1/parking/forget", body).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({"removed": 0})));
    for wrong in [
        "",
        "{}",
        r#"{"plate":""}"#,
        r#"{"plate":7}"#,
        r#"{"plate":"x","all":true}"#,
        "[",
        &format!(r#"{{"plate":"{}"}}"#, "x".repeat(257)),
    ] {
        assert_eq!(site.post("/api/v1/parking/forget", wrong).await.status, 400, "{wrong}");
    }
    site.stand_by();
    assert_eq!(site.post("/api/v1/parking/forget", body).await.status, 421);
}
