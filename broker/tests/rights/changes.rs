//! Rights that change while clients are connected.

use fogline_broker::access::Role;
use tokio::time::timeout;

use crate::{
    client::{Answer, NOT_AUTHORIZED, VERSIONS, log_in},
    model::{Who, agents, everybody},
    site::{Files, Site, hash, user, users},
    wire::{Client, PATIENCE, Version},
};

/// Administrative action (5.0, 3.14.2.1).
const ADMINISTRATIVE_ACTION: u8 = 0x98;

const READINGS: &str = "fogline/v1/north/lane-1-north/up/readings";
pub(crate) const LIMIT: &str = "fogline/v1/north/lane-1-north/down/limit";
pub(crate) const DOWN: &str = "fogline/v1/north/lane-1-north/down/#";

pub(crate) fn agent() -> Who {
    agents().remove(0)
}

/// Everybody, but for the first agent, whose line is `line`.
fn but(line: &str) -> String {
    line.to_owned() + &users(&everybody()[1..])
}

fn said(version: Version, reason: u8) -> Option<u8> {
    (version == Version::V5).then_some(reason)
}

/// A connected agent that listens to its decisions.
async fn listening(site: &Site, version: Version) -> Client {
    let mut client = log_in(site.address(), version, &agent().name).await;
    assert_eq!(client.subscribe(version, DOWN, 1).await, 1);
    client
}

/// The hub publishes; `Taken` says that the router has it.
pub(crate) async fn decide(site: &Site, topic: &str) {
    let mut hub = log_in(site.address(), Version::V5, "hub").await;
    assert_eq!(hub.publish(Version::V5, 2, topic, b"50").await, Answer::Taken);
}

/// Waits until a connection, which takes a change over in its own time, has the rules by which `changed` may be read.
pub(crate) async fn taken_over(client: &mut Client, version: Version) {
    let granted = async { while client.subscribe(version, "changed", 0).await != 0 {} };
    timeout(PATIENCE, granted).await.expect("taken over in time");
}

#[tokio::test]
async fn who_may_not_be_here_any_more_is_disconnected_and_told_why() {
    let who = agent();
    let as_ingester = user(&Who::new(&who.name, Role::Ingest, "north"));
    let new_token = format!("{} agent north {}\n", who.name, hash("another"));
    let disabled = user(&who).replace("sha256", "!sha256");
    for version in VERSIONS {
        for line in ["", &as_ingester, &new_token, &disabled] {
            let site = Site::start().await;
            let (mut gone, mut stays) =
                (listening(&site, version).await, log_in(site.address(), version, "lane-10-north").await);
            site.change("users", &but(line)).await;
            assert_eq!(gone.ended().await, said(version, ADMINISTRATIVE_ACTION), "{line}");
            let hello = "fogline/v1/north/lane-10-north/up/hello";
            assert_eq!(stays.publish(version, 2, hello, b"x").await, Answer::Taken, "others stay");
        }
    }
}

/// Without being told to: the files are looked at every two seconds.
#[tokio::test]
async fn a_removal_is_noticed_within_seconds() {
    let site = Site::start().await;
    let mut client = listening(&site, Version::V5).await;
    let start = std::time::Instant::now();
    site.files.write("users", &but(""));
    assert_eq!(client.ended().await, Some(ADMINISTRATIVE_ACTION));
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_may_not_be_read_any_more_is_not_delivered_and_what_may_not_be_written_is_refused() {
    for version in VERSIONS {
        for rules in [
            "role agent\ndeny readwrite fogline/v1/north/lane-1-north/#\nallow read marker\nallow read changed\n",
            "replace role agent\nallow read marker\nallow read changed\n",
        ] {
            let site = Site::with(Files::new(&users(&everybody()), "role agent\nallow read marker\n")).await;
            let mut client = listening(&site, version).await;
            assert_eq!(client.subscribe(version, "marker", 1).await, 1);
            // The topic is known to the connection from now on.
            assert_eq!(client.publish(version, 2, READINGS, b"x").await, Answer::Taken);
            site.change("rules", rules).await;
            taken_over(&mut client, version).await;
            decide(&site, LIMIT).await;
            let mut boss = log_in(site.address(), version, "boss").await;
            assert_eq!(boss.publish(version, 2, "marker", b"x").await, Answer::Taken);
            assert_eq!(client.topics_before("marker").await, [""; 0], "{rules}");
            let refused = if version == Version::V5 { Answer::Refused(NOT_AUTHORIZED) } else { Answer::Ended(None) };
            assert_eq!(client.publish(version, 2, READINGS, b"x").await, refused, "{rules}");
        }
    }
}

/// A connection remembers who gets what it publishes to a topic, and must not go on by that.
#[tokio::test]
async fn a_topic_that_was_published_to_before_is_judged_anew() {
    /// A connection looks at changes between packets, in no certain order, so it may take one or two.
    const PACKETS: usize = 100;
    for version in VERSIONS {
        let site = Site::start().await;
        let mut client = log_in(site.address(), version, &agent().name).await;
        assert_eq!(client.publish(version, 2, READINGS, b"x").await, Answer::Taken);
        site.change("rules", "role agent\ndeny write fogline/v1/north/lane-1-north/up/#\n").await;
        let mut answers = Vec::new();
        while answers.len() < PACKETS && answers.last().is_none_or(|answer| *answer == Answer::Taken) {
            answers.push(client.publish(version, 2, READINGS, b"x").await);
        }
        let refused = if version == Version::V5 { Answer::Refused(NOT_AUTHORIZED) } else { Answer::Ended(None) };
        assert_eq!(answers.last(), Some(&refused), "after {}", answers.len());
    }
}

/// A number that stands for a topic (5.0, 3.3.2.3.4) gives no right to it.
#[tokio::test]
async fn an_alias_does_not_outlive_the_right_to_its_topic() {
    const ALIAS: [u8; 3] = [0x23, 0, 1];
    let site = Site::start().await;
    let mut client = log_in(site.address(), Version::V5, &agent().name).await;
    assert_eq!(client.publish_with(Version::V5, 2, READINGS, &ALIAS, b"x").await, Answer::Taken);
    assert_eq!(client.publish_with(Version::V5, 2, "", &ALIAS, b"x").await, Answer::Taken);
    site.change("rules", "role agent\ndeny write fogline/v1/north/lane-1-north/up/#\nallow read changed\n").await;
    taken_over(&mut client, Version::V5).await;
    let refused = Answer::Refused(NOT_AUTHORIZED);
    assert_eq!(client.publish_with(Version::V5, 2, "", &ALIAS, b"x").await, refused);
    let others = "fogline/v1/north/lane-10-north/up/readings";
    assert_eq!(client.publish_with(Version::V5, 2, others, &ALIAS, b"x").await, refused);
    assert_eq!(client.publish_with(Version::V5, 2, "", &ALIAS, b"x").await, refused);
}
