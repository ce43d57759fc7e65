//! NATS ties no client id to a user: whoever is let in may take another's, and end its connection. With it comes a session, but
//! nothing that its new owner may not read.

use crate::{
    client::{Answer, knock, log_in},
    elsewhere::{Ground, Kind},
    model::{Who, agents},
    site::token,
    wire::{Client, Connect, Version},
};

const VERSION: Version = Version::V311;
const ID: &str = "an-id";

fn down(who: &Who) -> String {
    format!("fogline/v1/{}/{}/down", who.region, who.name)
}

async fn connect(ground: &Ground, who: &Who) -> Client {
    let token = token(&who.name);
    let connect = Connect { version: VERSION, clean: false, login: Some((&who.name, &token)), ..Connect::new(ID) };
    let (mut client, code) = knock(ground.address(), &connect).await;
    assert_eq!(code, 0);
    let filter = format!("{}/#", down(who));
    assert_eq!(client.subscribe(VERSION, &filter, 1).await, 1, "its own may be read");
    client
}

#[tokio::test]
async fn who_takes_a_session_on_nats_hears_nothing_of_what_was_subscribed_there() {
    let Some(ground) = Ground::start(Kind::Nats).await else { return };
    let [owner, taker, ..] = &agents()[..] else { panic!("two agents") };
    let mut hub = log_in(ground.address(), VERSION, "hub").await;
    let mut first = connect(&ground, owner).await;
    let mut second = connect(&ground, taker).await;
    assert_eq!(first.ended().await, None, "its id was taken");
    for who in [owner, taker] {
        assert_eq!(hub.publish(VERSION, 2, &format!("{}/limit", down(who)), b"50").await, Answer::Taken);
    }
    let before = second.topics_before(&format!("{}/limit", down(taker))).await;
    assert_eq!(before, [""; 0], "what was meant for {}", owner.name);
}
