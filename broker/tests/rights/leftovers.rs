//! What was accepted or granted before the rules changed, and is still there afterwards.

use crate::{
    changes::{DOWN, LIMIT, agent, decide, taken_over},
    client::{Answer, VERSIONS, log_in},
    model::everybody,
    site::{Files, Site, token, users},
    wire::{Client, Connect, Version, packet},
};

/// Messages that were accepted before, and not delivered because the client has taken none for a while.
#[tokio::test]
async fn what_waits_is_not_delivered_either() {
    for rules in [
        "role agent\ndeny read fogline/v1/north/lane-1-north/down/limit\nallow read marker\nallow read changed\n",
        "replace role agent\nallow read marker\nallow read changed\n",
    ] {
        let site = Site::with(Files::new(&users(&everybody()), "role agent\nallow read marker\n")).await;
        let who = agent();
        let token = token(&who.name);
        // A window of one message.
        let connect = Connect {
            version: Version::V5,
            properties: &[0x21, 0, 1],
            login: Some((&who.name, &token)),
            ..Connect::new(&who.name)
        };
        let mut client = Client::connect(site.address(), &connect).await;
        for filter in [DOWN, "marker"] {
            assert_eq!(client.subscribe(Version::V5, filter, 1).await, 1);
        }
        for _ in 0..3 {
            decide(&site, LIMIT).await;
        }
        let first = client.reader.message().await;
        site.change("rules", rules).await;
        taken_over(&mut client, Version::V5).await;
        let mut boss = log_in(site.address(), Version::V5, "boss").await;
        assert_eq!(boss.publish(Version::V5, 2, "marker", b"x").await, Answer::Taken);
        client.send(&packet::ack(0x40, first.id().unwrap())).await;
        assert_eq!(client.topics_before("marker").await, [""; 0], "{rules}");
    }
}

/// The same for a session whose client is away.
#[tokio::test]
async fn what_waited_for_a_client_that_was_away_is_not_delivered_either() {
    let site = Site::with(Files::new(&users(&everybody()), "role agent\nallow read marker\n")).await;
    let who = agent();
    let token = token(&who.name);
    let connect = Connect { clean: false, login: Some((&who.name, &token)), ..Connect::new(&who.name) };
    let mut client = Client::connect(site.address(), &connect).await;
    for filter in [DOWN, "marker"] {
        assert_eq!(client.subscribe(Version::V311, filter, 1).await, 1);
    }
    client.send(&packet::disconnect()).await;
    client.reader.closed().await;
    decide(&site, LIMIT).await;
    site.change("rules", "replace role agent\nallow read marker\n").await;
    let mut boss = log_in(site.address(), Version::V5, "boss").await;
    assert_eq!(boss.publish(Version::V5, 2, "marker", b"x").await, Answer::Taken);
    let mut client = Client::connect(site.address(), &connect).await;
    assert_eq!(client.topics_before("marker").await, [""; 0]);
}

/// A will is a message like any other when it is sent.
#[tokio::test]
async fn a_will_that_is_not_allowed_any_more_is_not_published() {
    const STATUS: &str = "fogline/v1/north/lane-1-north/up/status";
    for version in VERSIONS {
        let site = Site::start().await;
        let who = agent();
        let token = token(&who.name);
        let connect = Connect {
            version,
            will: Some((STATUS, b"offline")),
            login: Some((&who.name, &token)),
            ..Connect::new(&who.name)
        };
        let mut looker = log_in(site.address(), version, "looker").await;
        assert_eq!(looker.subscribe(version, "#", 1).await, 1);
        let mut client = Client::connect(site.address(), &connect).await;
        site.change("rules", "role agent\ndeny write fogline/v1/+/+/up/status\n").await;
        // Ended by the broker, which publishes the will before it closes: a second CONNECT is an error.
        client.send(&connect.packet()).await;
        client.reader.closed().await;
        let marker = "fogline/v1/north/lane-1-north/down/marker";
        // The next one under its name is let in when the one before has left its will.
        drop(Client::connect(site.address(), &Connect { will: None, ..connect }).await);
        decide(&site, marker).await;
        assert_eq!(looker.topics_before(marker).await, [""; 0]);
    }
}
