//! Fields over time.

use super::super::testing::Site;
use crate::store::testing::EPOCH_US;

const ROAD: &str = "/api/v1/readings?region=north&kind=road&field=speed_kmh";

#[tokio::test]
async fn a_field_over_time() {
    let site = Site::start().await;
    let (from, to) = (EPOCH_US + 5_000_000, EPOCH_US + 15_000_000);
    let path = format!("{ROAD}&agent=r1&from_us={from}&to_us={to}&width_s=5");
    insta::assert_json_snapshot!("readings", site.json(&path).await);
    let region = site.json(&format!("{ROAD}&from_us={EPOCH_US}&to_us={to}&width_s=5")).await;
    assert_eq!((region["items"].as_array().unwrap().len(), &region["agent"]), (3, &serde_json::Value::Null));
    let now = site.json(ROAD).await;
    assert_eq!(
        (&now["items"], &now["width_s"]),
        (&serde_json::json!([]), &60.into()),
        "of the last hour there is nothing"
    );
}

#[tokio::test]
async fn the_width_is_chosen_by_the_time_that_is_asked_for() {
    let site = Site::start().await;
    for (minutes, width_s) in [(41, 5), (42, 60), (500, 60), (501, 3600), (2000 * 60, 3600)] {
        let to = EPOCH_US + minutes * 60_000_000;
        let curve = site.json(&format!("{ROAD}&from_us={EPOCH_US}&to_us={to}&width_s=0")).await;
        assert_eq!(curve["width_s"], width_s, "{minutes} minutes");
    }
}

#[tokio::test]
async fn what_is_too_much_or_makes_no_sense_is_refused() {
    let site = Site::start().await;
    let too_long = format!("{ROAD}&from_us=0&to_us={}&width_s=5", 2001 * 5_000_000_i64);
    assert!(site.refused("GET", &too_long, 400).await.contains("2001 windows"));
    site.json(&format!("{ROAD}&from_us=0&to_us={}&width_s=5", 2000 * 5_000_000_i64)).await;
    assert!(site.refused("GET", &format!("{ROAD}&from_us=7&to_us=7"), 400).await.contains("not before"));
    assert!(site.refused("GET", &format!("{ROAD}&from_us=-1"), 400).await.contains("from_us is -1"));
    assert!(site.refused("GET", &format!("{ROAD}&to_us={}", i64::MAX), 400).await.contains("to_us"));
    assert!(site.refused("GET", &format!("{ROAD}&width_s=7"), 400).await.contains("width_s"));
    assert!(site.refused("GET", "/api/v1/readings?region=north&kind=road", 400).await.contains("field"));
    let unknown = "/api/v1/readings?region=north&kind=road&field=color";
    assert!(site.refused("GET", unknown, 404).await.contains("color"));
}
