//! Everybody does everything to every topic: what the model allows is done, and nothing else is.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc};

use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    client::{Answer, VERSIONS, connect_refused, knock, log_in, subscribe_refused},
    elsewhere::{Ground, Kind},
    model::{Who, everybody, topics},
    site::{Site, token},
    wire::{Client, Connect, Version},
};

/// QoS 0, 1 and 2, and a retained message of QoS 1.
const FLAGS: [u8; 4] = [0, 2, 4, 3];

/// Filters around a topic: itself, each level a `+`, each end a `#`.
pub(crate) fn filters(topic: &str) -> Vec<String> {
    let levels: Vec<&str> = topic.split('/').collect();
    let plus = |at: usize| {
        let mut levels = levels.clone();
        levels[at] = "+";
        levels.join("/")
    };
    let hash = |at: usize| levels[..at].iter().chain(&["#"]).copied().collect::<Vec<_>>().join("/");
    let around = (0..levels.len()).flat_map(|at| [plus(at), hash(at)]);
    around.chain([topic.to_owned(), format!("{topic}/#")]).collect()
}

/// A connection that is opened again when the broker has ended it.
struct Persistent<'a> {
    address: SocketAddr,
    version: Version,
    name: &'a str,
    open: Option<Client>,
}

impl Persistent<'_> {
    async fn publish(&mut self, flags: u8, topic: &str, payload: &[u8]) -> Answer {
        let mut client = match self.open.take() {
            Some(client) => client,
            None => log_in(self.address, self.version, self.name).await,
        };
        let answer = client.publish(self.version, flags, topic, payload).await;
        if !matches!(answer, Answer::Ended(_)) {
            self.open = Some(client);
        }
        answer
    }
}

/// All publications and wills of a user; gives the payloads that must arrive. Others begin with `denied`.
async fn publish_everything(kind: Kind, address: SocketAddr, version: Version, who: &Who) -> Vec<String> {
    let mut wanted = Vec::new();
    let mut payload = |topic: &str, what: &str| {
        let allowed = who.may_write(topic);
        let word = if allowed { "allowed" } else { "denied" };
        let payload = format!("{word} {version:?} {} {what} {topic}", who.name);
        wanted.extend(allowed.then(|| payload.clone()));
        (allowed, payload)
    };
    let mut client = Persistent { address, version, name: &who.name, open: None };
    for topic in topics().into_iter().filter(|topic| kind.hides(topic)) {
        for flags in FLAGS.into_iter().filter(|flags| flags & 4 == 0 || kind.has_exactly_once()) {
            let (allowed, payload) = payload(&topic, &format!("publishes {flags}"));
            let answer = client.publish(flags, &topic, payload.as_bytes()).await;
            let expected = if allowed { Answer::Taken } else { kind.refusal(version, flags, &topic) };
            assert_eq!(answer, expected, "{who:?} {version:?} {flags} {topic}");
        }
    }
    drop(client);
    let token = token(&who.name);
    for (number, topic) in topics().into_iter().filter(|topic| kind.takes_will(topic)).enumerate() {
        let (allowed, payload) = payload(&topic, "dies");
        let will = Some((topic.as_str(), payload.as_bytes()));
        let id = kind.id(&who.name, number);
        let connect = Connect { version, will, login: Some((&who.name, &token)), ..Connect::new(&id) };
        let (client, code) = knock(address, &connect).await;
        let refused = !allowed && kind.judges_wills_at_once();
        assert_eq!(code, if refused { connect_refused(version) } else { 0 }, "{who:?} {version:?} will {topic}");
        client.reset();
    }
    wanted
}

/// Collects the payloads of all messages, until all that are sent to `wanted` have come.
async fn watch(address: SocketAddr, ready: Arc<tokio::sync::Notify>, mut wanted: mpsc::Receiver<String>) {
    let mut watcher = log_in(address, Version::V311, "looker").await;
    assert_eq!(watcher.subscribe(Version::V311, "#", 0).await, 0);
    ready.notify_one();
    let (mut seen, mut waited_for) = (BTreeSet::new(), BTreeSet::new());
    loop {
        tokio::select! {
            biased;
            more = wanted.recv() => match more {
                Some(payload) => drop(waited_for.insert(payload)),
                None => break,
            },
            message = watcher.reader.message() => see(&mut seen, message.rest()),
        }
    }
    assert!(waited_for.len() > 400, "the model allows something: {}", waited_for.len());
    while !waited_for.is_subset(&seen) {
        see(&mut seen, watcher.reader.message().await.rest());
    }
}

fn see(seen: &mut BTreeSet<String>, payload: &[u8]) {
    let payload = String::from_utf8(payload.to_vec()).unwrap();
    assert!(payload.starts_with("allowed"), "{payload}");
    seen.insert(payload);
}

/// The same at the gate, on Mosquitto, and on NATS.
macro_rules! on_all_brokers {
    ($($test:ident),+ $(,)?) => {
        mod on_the_gate {
            $(#[tokio::test] async fn $test() { super::$test(crate::elsewhere::Kind::Gate).await; })+
        }
        mod on_mosquitto {
            $(#[tokio::test] async fn $test() { super::$test(crate::elsewhere::Kind::Mosquitto).await; })+
        }
        mod on_nats {
            $(#[tokio::test] async fn $test() { super::$test(crate::elsewhere::Kind::Nats).await; })+
        }
    };
}
pub(crate) use on_all_brokers;

on_all_brokers!(
    what_is_published_arrives_if_the_model_allows_it_and_is_refused_otherwise,
    refused_messages_are_not_retained,
);

async fn what_is_published_arrives_if_the_model_allows_it_and_is_refused_otherwise(kind: Kind) {
    for version in kind.versions().iter().copied() {
        let Some(ground) = Ground::start(kind).await else { return };
        let address = ground.address();
        let (expect, wanted) = mpsc::channel(1);
        let ready = Arc::new(tokio::sync::Notify::new());
        let watching = tokio::spawn(watch(address, Arc::clone(&ready), wanted));
        ready.notified().await;
        let mut doing = JoinSet::new();
        // The watcher is one of them, under its own name.
        for who in everybody().into_iter().filter(|who| who.name != "looker") {
            doing.spawn(async move { publish_everything(kind, address, version, &who).await });
        }
        while let Some(payloads) = doing.join_next().await {
            for payload in payloads.unwrap() {
                expect.send(payload).await.unwrap();
            }
        }
        drop(expect);
        watching.await.unwrap();
    }
}

/// Retained messages are there for who comes later, and those that were refused are not.
async fn refused_messages_are_not_retained(kind: Kind) {
    let Some(ground) = Ground::start(kind).await else { return };
    for version in kind.versions().iter().copied() {
        for who in everybody() {
            let mut client = Persistent { address: ground.address(), version, name: &who.name, open: None };
            for topic in topics().into_iter().filter(|topic| kind.hides(topic)) {
                let word = if who.may_write(&topic) { "allowed" } else { "denied" };
                client.publish(3, &topic, word.as_bytes()).await;
            }
        }
    }
    let mut late = log_in(ground.address(), Version::V311, "looker").await;
    late.send(&crate::wire::packet::subscribe(Version::V311, 1, &[("#", 0)])).await;
    late.send(&crate::wire::packet::ping()).await;
    let mut kept = BTreeSet::new();
    let writable = topics().into_iter().filter(|topic| everybody().iter().any(|who| who.may_write(topic)));
    let expected: BTreeSet<_> = writable.collect();
    while kept != expected {
        let message = late.reader.message().await;
        assert_eq!(message.rest(), b"allowed", "{}", message.topic());
        kept.insert(message.topic().to_owned());
    }
}

#[tokio::test]
async fn of_many_subscriptions_at_once_exactly_those_are_granted_that_the_model_allows() {
    let site = Site::start().await;
    let filters: BTreeSet<_> = topics().iter().flat_map(|topic| filters(topic)).collect();
    let mut filters: Vec<_> =
        filters.iter().flat_map(|filter| [filter.clone(), format!("$share/group/{filter}")]).collect();
    // Granted and refused ones are next to one another.
    filters.sort_by_key(|filter| filter.bytes().rev().collect::<Vec<_>>());
    for version in VERSIONS {
        for who in everybody() {
            let mut granted = 0;
            for some in filters.chunks(100) {
                let mut client = log_in(site.address(), version, &who.name).await;
                let codes = client.subscribe_all(version, &some.iter().map(String::as_str).collect::<Vec<_>>()).await;
                for (filter, code) in some.iter().zip(&codes) {
                    let wanted = if who.may_subscribe(filter) { 1 } else { subscribe_refused(version) };
                    assert_eq!(*code, wanted, "{who:?} {version:?} {filter}");
                    granted += usize::from(*code == 1);
                }
                assert_eq!(codes.len(), some.len());
            }
            assert!((10..filters.len()).contains(&granted), "{who:?} {granted} of {}", filters.len());
        }
    }
}
