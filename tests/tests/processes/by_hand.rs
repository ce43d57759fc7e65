//! Other people's MQTT tools: `mosquitto_sub` and `mosquitto_pub`, at QoS 1.

use crate::through_both_brokers;
use fogline_tests::real::{Kind, Site, Watcher, publish_by_hand};
use serde_json::json;

through_both_brokers!(a_limit_is_read_by_hand, a_batch_is_written_by_hand);

fn a_limit_is_read_by_hand(kind: Kind) {
    let Some(site) = Site::start(kind) else { return };
    let Some(watcher) = Watcher::start(&site.broker, "fogline/v1/+/+/down/limit") else { return };
    let _agent = site.agent("lane-1").watches_a_road("20").start();

    let limit = watcher.message("fogline/v1/north/lane-1/down/limit", "limit_kmh");
    assert_eq!((&limit["v"], &limit["key"]), (&json!(1), &json!("limit")), "{limit}");
    let kmh = limit.pointer("/body/limit_kmh").and_then(serde_json::Value::as_f64);
    assert!(kmh.is_some_and(|kmh| (60.0..=130.0).contains(&kmh)), "{limit}");
}

fn a_batch_is_written_by_hand(kind: Kind) {
    let Some(site) = Site::start(kind) else { return };
    let Some(watcher) = Watcher::start(&site.broker, "fogline/v1/north/by-hand/down/#") else { return };
    let batch = r#"{"v":1,"stream":"00000000c0ffee01","floor":1,"first":1,"gaps":[],"clock":0,"readings":[
        {"ts_us":1577145601420000,"sensor":"meter","kind":"power","fields":{"power_w":42.39}},
        {"ts_us":1577145603420000,"sensor":"meter","kind":"power","fields":{"power_w":42.61}}]}"#;
    if !publish_by_hand(&site.broker, "fogline/v1/north/by-hand/up/readings", batch) {
        return;
    }

    let ack = watcher.message("fogline/v1/north/by-hand/down/ack", "c0ffee01");
    assert_eq!(ack["streams"], json!([{ "stream": "00000000c0ffee01", "through": 2, "ranges": [] }]), "{ack}");
    let account = site.ingester.database().account("by-hand");
    assert_eq!((account.readings, account.power_mw), (2, 85_000));
    assert_eq!((account.first_us, account.last_us), (Some(1_577_145_601_420_000), Some(1_577_145_603_420_000)));
}
