//! Changes while the broker runs.

use std::time::Duration;

use fogline_broker::access::{Access, AccessConfig, Anonymous, LoginRequest};
use tokio::time::timeout;

use crate::site::{ADDRESS, Site, login, token_hash, user};

/// Longer than a change takes to be noticed.
const PATIENCE: Duration = Duration::from_secs(30);

fn agents(names: &[&str]) -> String {
    names.iter().map(|name| user(name, "agent", "north")).collect()
}

#[test]
fn all_problems_of_both_files_come_together() {
    let site = Site::new("a agent north x\nb agent\n", "allow read a\nrole agent\nallow read a#\n");
    let error = Access::open(site.config(), Anonymous::Refused).unwrap_err();
    let (users, rules) = (site.path("users").display().to_string(), site.path("rules").display().to_string());
    let places: Vec<_> =
        error.problems().iter().map(|problem| problem.split(": ").take(2).collect::<Vec<_>>()).collect();
    assert_eq!(places, [[&*users, "line 1"], [&*users, "line 2"], [&*rules, "line 1"], [&*rules, "line 3"]]);
    assert!(error.to_string().starts_with("4 problems"), "{error}");
}

#[test]
fn a_missing_file_is_a_problem_with_a_remedy() {
    let config = AccessConfig { users: Some("/nonexistent/users".into()), rules: None };
    let error = Access::open(config, Anonymous::Refused).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/users") && error.contains("user add"), "{error}");
}

#[tokio::test]
async fn a_connection_ends_when_its_user_is_gone_or_another_one() {
    let site = Site::new(&agents(&["a"]), "");
    let access = site.open();
    let identity = login(&access, "a", "a").await.unwrap();
    for (users, stays) in [
        (agents(&["b"]), false),
        (user("a", "agent", "south"), true),
        (agents(&["a", "b"]), true),
        (user("a", "ingest", "north"), false),
        (format!("a agent north {}\n", token_hash("another")), false),
        (agents(&["a"]).replace("sha256", "!sha256"), false),
    ] {
        site.write("users", &users);
        access.reload().unwrap();
        assert_eq!(access.refresh(&identity).is_some(), stays, "{users}");
    }
}

#[tokio::test]
async fn rights_are_those_of_now() {
    let site = Site::new(&agents(&["a"]), "");
    let access = site.open();
    let identity = login(&access, "a", "a").await.unwrap();
    assert!(!identity.may_publish("extra/a"));
    site.write("rules", "role agent\nallow write extra/%u\ndeny write fogline/v1/north/peers/#\n");
    site.write("users", &user("a", "agent", "north,south"));
    access.reload().unwrap();
    let identity = access.refresh(&identity).unwrap();
    assert!(identity.may_publish("extra/a") && identity.may_publish("fogline/v1/south/a/up/x"));
    assert!(!identity.may_publish("fogline/v1/north/peers/a/x") && identity.may_publish("fogline/v1/south/peers/a/x"));
}

#[tokio::test]
async fn a_certificate_outlives_a_token_and_no_removal() {
    let site = Site::new(&agents(&["a"]), "");
    let access = site.open();
    let request =
        LoginRequest { address: ADDRESS, client_id: "a", user: None, password: None, certificate_user: Some("a") };
    let identity = access.login(&request).await.unwrap();
    site.write("users", &format!("a agent north {}\n", token_hash("another")));
    access.reload().unwrap();
    assert!(access.refresh(&identity).is_some());
    site.write("users", "");
    access.reload().unwrap();
    assert!(access.refresh(&identity).is_none());
}

#[tokio::test]
async fn a_client_id_that_becomes_a_users_name_is_given_back() {
    let site = Site::new(&user("looker", "operator", "-"), "");
    let access = site.open();
    let identity = login(&access, "looker", "lane-9").await.unwrap();
    site.write("users", &(user("looker", "operator", "-") + &agents(&["lane-9"])));
    access.reload().unwrap();
    assert!(access.refresh(&identity).is_none());
}

#[tokio::test]
async fn a_bad_file_keeps_what_it_said_and_does_not_stop_the_other() {
    let site = Site::new(&agents(&["a"]), "role agent\nallow write extra\n");
    let access = site.open();
    let changes = access.changes();
    let identity = login(&access, "a", "a").await.unwrap();
    site.write("users", "nonsense\n");
    site.write("rules", "nonsense\n");
    let error = access.reload().unwrap_err();
    assert_eq!((error.problems().len(), *changes.borrow()), (2, 0));
    assert!(access.refresh(&identity).unwrap().may_publish("extra"));
    // Whoever was removed is out, whatever is wrong with the rules.
    site.write("users", &agents(&["b"]));
    assert_eq!(access.reload().unwrap_err().problems().len(), 1);
    assert_eq!(*changes.borrow(), 1);
    assert!(access.refresh(&identity).is_none());
    assert!(login(&access, "b", "b").await.unwrap().may_publish("extra"));
}

#[tokio::test]
async fn changed_files_are_noticed() {
    let site = Site::new(&agents(&["a"]), "");
    let access = site.open();
    let identity = login(&access, "a", "a").await.unwrap();
    let mut changes = access.changes();
    let watching = access.clone();
    let watch = tokio::spawn(async move { watching.watch().await });
    site.write("users", &agents(&["b"]));
    timeout(PATIENCE, changes.changed()).await.expect("noticed").unwrap();
    assert!(access.refresh(&identity).is_none());
    site.write("rules", "role agent\nallow write extra\n");
    timeout(PATIENCE, changes.changed()).await.expect("noticed").unwrap();
    assert!(login(&access, "b", "b").await.unwrap().may_publish("extra"));
    watch.abort();
}
