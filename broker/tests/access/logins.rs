//! Logging in.

use std::{net::IpAddr, time::Duration};

use fogline_broker::access::{Access, AccessConfig, Anonymous, LoginRefused, LoginRequest, Role};
use tokio::time::Instant;

use crate::site::{ADDRESS, PASSWORD, Site, login, person, request, user};

/// How many agents must come back after an outage, and within what time.
const AGENTS: usize = 5_000;
const WITHIN: Duration = Duration::from_secs(10);

fn site() -> Site {
    let users = [
        user("lane-1", "agent", "north"),
        user("lane-2", "agent", "north"),
        user("hub", "ingest", "*"),
        person("anna", "operator"),
        person("Ben@example.org", "admin"),
        user("old", "operator", "-").replace(" sha256", " !sha256"),
        "lane-3 agent north -\n".to_owned(),
    ];
    Site::new(&users.concat(), "role operator\nallow write by-client/%c/#\nallow write by-user/%u/#\n")
}

fn with_certificate<'a>(name: &'a str, user: Option<&'a str>, client_id: &'a str) -> LoginRequest<'a> {
    LoginRequest { address: ADDRESS, client_id, user, password: None, certificate_user: Some(name) }
}

#[tokio::test(start_paused = true)]
async fn tokens_and_passwords_are_told_right_from_wrong() {
    let site = site();
    let access = site.open();
    assert_eq!(login(&access, "lane-1", "lane-1").await.unwrap().role(), Role::Agent);
    assert_eq!(access.login(&request("anna", PASSWORD, "x")).await.unwrap().role(), Role::Operator);
    assert_eq!(access.login(&request("Ben@example.org", PASSWORD, "y")).await.unwrap().role(), Role::Admin);
    for (name, password) in [
        ("lane-1", "token-lane-2"),
        ("lane-1", ""),
        ("anna", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("old", "token-old"),
        ("lane-3", ""),
        ("lane-3", "-"),
        ("ANNA", PASSWORD),
    ] {
        let refused = access.login(&request(name, password, name)).await.unwrap_err();
        assert_eq!(refused, LoginRefused::BadCredentials, "{name} {password}");
    }
    let nobody = LoginRequest { user: None, password: None, ..request("", "", "x") };
    assert_eq!(access.login(&nobody).await.unwrap_err(), LoginRefused::NotAuthorized);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_takes_the_same_time_whoever_it_is() {
    let site = site();
    let access = site.open();
    for (last, name, password) in [
        (1, "nobody", "wrong"),
        (2, "lane-1", "wrong"),
        (3, "anna", "wrong"),
        (4, "old", "wrong"),
        (5, "old", "token-old"),
        (6, "lane-3", "wrong"),
    ] {
        let start = Instant::now();
        let address = IpAddr::from([198, 51, 100, last]);
        let refused = access.login(&LoginRequest { address, ..request(name, password, name) }).await.unwrap_err();
        assert_eq!(refused, LoginRefused::BadCredentials);
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(500) && took < Duration::from_millis(510), "{name}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn client_ids_are_not_taken_from_others() {
    let site = site();
    let access = site.open();
    for (name, client_id) in
        [("lane-1", "lane-2"), ("lane-1", ""), ("lane-1", "other"), ("hub", "lane-1"), ("hub", "x")]
    {
        assert_eq!(
            login(&access, name, client_id).await.unwrap_err(),
            LoginRefused::NotAuthorized,
            "{name} {client_id}"
        );
    }
    for (client_id, free) in
        [("anna", true), ("", true), ("tool-1", true), ("lane-1", false), ("old", false), ("hub", false)]
    {
        assert_eq!(access.login(&request("anna", PASSWORD, client_id)).await.is_ok(), free, "{client_id}");
    }
}

#[tokio::test]
async fn a_certificate_is_enough_for_a_user_of_the_file() {
    let site = site();
    let access = site.open();
    for (name, user) in [("lane-1", None), ("lane-3", None), ("lane-3", Some("lane-3"))] {
        let identity = access.login(&with_certificate(name, user, name)).await.unwrap();
        assert_eq!((identity.user(), identity.role()), (Some(name), Role::Agent));
        assert!(identity.may_publish(&format!("fogline/v1/north/{name}/up/hello")));
    }
    for (name, user, client_id) in
        [("nobody", None, "nobody"), ("lane-1", Some("hub"), "lane-1"), ("lane-1", None, "lane-2"), ("old", None, "x")]
    {
        let refused = access.login(&with_certificate(name, user, client_id)).await.unwrap_err();
        assert_eq!(refused, LoginRefused::NotAuthorized, "{name} {client_id}");
    }
}

#[tokio::test]
async fn a_client_id_never_widens_a_rule() {
    let site = site();
    let access = site.open();
    let publish = async |client_id: &str, topic: &str| {
        access.login(&request("anna", PASSWORD, client_id)).await.unwrap().may_publish(topic)
    };
    assert!(publish("tool", "by-client/tool/x").await && publish("tool", "by-user/anna/x").await);
    assert!(!publish("tool", "by-client/other/x").await);
    for (client_id, topic) in
        [("+", "by-client/other/x"), ("#", "by-client/x"), ("a/b", "by-client/a/b/c"), ("", "by-client//x")]
    {
        assert!(!publish(client_id, topic).await, "{client_id}");
        assert!(publish(client_id, "by-user/anna/x").await, "{client_id}: other rules apply");
    }
}

#[tokio::test]
async fn an_open_broker_lets_everybody_do_everything_but_one_thing() {
    let access = Access::open(AccessConfig::default(), Anonymous::Allowed).unwrap();
    for request in [LoginRequest { user: None, password: None, ..request("", "", "x") }, request("any", "thing", "any")]
    {
        let identity = access.login(&request).await.unwrap();
        assert_eq!((identity.user(), identity.role()), (None, Role::Anonymous));
        assert!(identity.may_publish("a/b") && identity.may_subscribe("#") && identity.may_subscribe("$SYS/#"));
        assert!(identity.may_subscribe("test/#"), "it merely overlaps what is denied");
        assert!(!identity.may_subscribe("test/nosubscribe") && !identity.may_receive("test/nosubscribe"));
        assert!(identity.may_publish("test/nosubscribe"));
    }
    let closed = Access::open(AccessConfig::default(), Anonymous::Refused).unwrap();
    let nobody = LoginRequest { user: None, password: None, ..request("", "", "x") };
    assert_eq!(closed.login(&nobody).await.unwrap_err(), LoginRefused::NotAuthorized);
}

#[tokio::test]
async fn beside_users_the_anonymous_are_still_not_somebody_else() {
    let site = site();
    let access = Access::open(site.config(), Anonymous::Allowed).unwrap();
    let nobody = |client_id| LoginRequest { user: None, password: None, ..request("", "", client_id) };
    assert_eq!(access.login(&nobody("x")).await.unwrap().role(), Role::Anonymous);
    assert_eq!(access.login(&nobody("lane-1")).await.unwrap_err(), LoginRefused::NotAuthorized);
}

#[tokio::test(start_paused = true)]
async fn guessing_is_slowed_down_and_harms_nobody_else() {
    let site = site();
    let access = site.open();
    access.login(&request("Ben@example.org", PASSWORD, "y")).await.unwrap();
    let mut blocked = 0;
    for n in 0..100 {
        // Names that change do not help.
        let name = if n % 2 == 0 { "anna".to_owned() } else { format!("guess-{n}") };
        match access.login(&request(&name, "wrong", "x")).await.unwrap_err() {
            LoginRefused::BadCredentials => {}
            LoginRefused::TooManyAttempts { retry_after } => {
                assert!(retry_after <= Duration::from_secs(10), "{retry_after:?}");
                blocked += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(blocked > 0, "too many attempts are noticed");
    let here = access.login(&request("anna", PASSWORD, "x")).await;
    assert!(matches!(here, Err(LoginRefused::TooManyAttempts { .. })), "{here:?}");
    login(&access, "lane-1", "lane-1").await.expect("tokens from the same address are let in");
    access.login(&request("Ben@example.org", PASSWORD, "y")).await.expect("and who logged in from there before");
    let elsewhere = LoginRequest { address: [203, 0, 113, 9].into(), ..request("anna", PASSWORD, "x") };
    let start = Instant::now();
    access.login(&elsewhere).await.expect("and the same user from elsewhere");
    assert!(start.elapsed() < Duration::from_millis(400), "without a delay");
}

#[tokio::test(start_paused = true)]
async fn many_guesses_at_once_are_no_way_around() {
    let site = site();
    let access = site.open();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let access = access.clone();
        tasks.spawn(async move { access.login(&request("anna", "wrong", "x")).await.unwrap_err() });
    }
    let refusals = tasks.join_all().await;
    let looked_at = refusals.iter().filter(|refused| **refused == LoginRefused::BadCredentials).count();
    assert!((1..=10).contains(&looked_at), "{looked_at} of 40");
}

#[tokio::test]
async fn five_thousand_agents_come_back_at_once() {
    let names: Vec<_> = (0..AGENTS).map(|n| format!("agent-{n}")).collect();
    let site = Site::new(&names.iter().map(|name| user(name, "agent", "north")).collect::<String>(), "");
    let access = site.open();
    let start = Instant::now();
    for name in &names {
        login(&access, name, name).await.unwrap();
    }
    assert!(start.elapsed() < WITHIN, "{:?}", start.elapsed());
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    let site = site();
    let access = site.open();
    let request = request("lane-1", "token-lane-1", "lane-1");
    let identity = access.login(&request).await.unwrap();
    let shown = format!("{request:?} {identity:?} {access:?} {:?}", LoginRefused::BadCredentials);
    for secret in ["token-lane-1", "sha256", "argon2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!shown.contains(&format!("{:?}", b"token-lane-1")), "{shown}");
}
