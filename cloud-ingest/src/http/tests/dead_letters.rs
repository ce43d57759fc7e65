//! What an operator does about dead letters.

use super::super::testing::Site;

async fn ids(site: &Site) -> Vec<String> {
    let letters = site.json("/api/v1/dead-letters").await;
    letters["items"].as_array().unwrap().iter().map(|letter| letter["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn one_is_given_back_and_one_discarded() {
    let site = Site::start().await;
    let known = ids(&site).await;
    let retry = format!("/api/v1/dead-letters/{}/retry", known[0]);
    let retried = site.ask("POST", &retry).await;
    assert_eq!((retried.status.as_u16(), retried.body.len()), (204, 0));
    let discarded = site.ask("DELETE", &format!("/api/v1/dead-letters/{}", known[1])).await;
    assert_eq!(discarded.status, 204);
    assert_eq!(ids(&site).await, known[2..]);
    assert!(site.refused("POST", &retry, 404).await.contains(&known[0]), "it is gone");
    let db = rusqlite::Connection::open(site.dir.path().join("fogline.db")).unwrap();
    let stored: (String, i64) = db
        .query_row("SELECT agent, seq FROM readings WHERE stream = '0000000000000009'", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(stored, ("r3".to_owned(), 1));
}

#[tokio::test]
async fn what_is_no_dead_letter_is_not_known() {
    let site = Site::start().await;
    for id in ["1", "x", "1-0000000000000009-2", "99999999999999999999", "%2e%2e", "1-0000000000000009-1x"] {
        site.refused("POST", &format!("/api/v1/dead-letters/{id}/retry"), 404).await;
        site.refused("DELETE", &format!("/api/v1/dead-letters/{id}"), 404).await;
    }
    assert_eq!(ids(&site).await.len(), 3);
}

#[tokio::test]
async fn one_that_stands_by_says_who_leads_and_changes_nothing() {
    let site = Site::start().await;
    site.stand_by();
    let id = &ids(&site).await[0];
    for (method, path) in [("POST", format!("{id}/retry")), ("DELETE", id.clone())] {
        let detail = site.refused(method, &format!("/api/v1/dead-letters/{path}"), 421).await;
        assert!(detail.contains("ask cloud-2"), "{detail}");
    }
    assert_eq!(ids(&site).await.len(), 3);
}

#[tokio::test]
async fn one_that_was_deposed_and_does_not_know_it_changes_nothing() {
    let site = Site::start().await;
    let id = &ids(&site).await[0];
    let db = rusqlite::Connection::open(site.dir.path().join("fogline.db")).unwrap();
    db.execute("UPDATE state SET run = 77", []).unwrap();
    site.refused("DELETE", &format!("/api/v1/dead-letters/{id}"), 503).await;
    assert_eq!(ids(&site).await.len(), 3);
}

#[tokio::test]
async fn when_the_store_is_gone_it_says_so() {
    let site = Site::start().await;
    let id = &ids(&site).await[0];
    let Site { store, routes, .. } = site;
    tokio::task::spawn_blocking(|| store.stop()).await.unwrap().unwrap();
    let request = axum::http::Request::delete(format!("/api/v1/dead-letters/{id}")).body(axum::body::Body::empty());
    let answer = tower_service::Service::call(&mut routes.clone(), request.unwrap()).await.unwrap();
    assert_eq!(answer.status(), 503);
}
