//! Every agent tries everything with the topics of every other one.

use std::net::SocketAddr;

use crate::{
    client::{Answer, VERSIONS, connect_refused, knock, log_in, subscribe_refused},
    model::{Who, agents},
    site::{Site, token},
    wire::{Client, Connect, Version, packet},
};

const NOTHING: [&str; 0] = [];

/// A name for the attacks of one agent on another.
#[derive(Clone, Copy)]
struct Attack<'a> {
    address: SocketAddr,
    version: Version,
    by: &'a Who,
    on: &'a Who,
}

fn base(who: &Who) -> String {
    format!("fogline/v1/{}/{}", who.region, who.name)
}

/// What the other one writes, and what it reads.
fn topics(on: &Who) -> [String; 5] {
    let (base, region, name) = (base(on), on.region, &on.name);
    [
        format!("{base}/up/readings"),
        format!("{base}/up/status"),
        format!("{base}/down/limit"),
        format!("{base}/down/ack"),
        format!("fogline/v1/{region}/peers/{name}/vote"),
    ]
}

impl Attack<'_> {
    async fn log_in(self) -> Client {
        log_in(self.address, self.version, &self.by.name).await
    }

    /// At every QoS, retained and not.
    async fn writes(self) {
        for topic in topics(self.on) {
            for flags in [0, 1, 2, 3, 4, 5] {
                let answer = self.log_in().await.publish(self.version, flags, &topic, b"forged").await;
                assert_ne!(answer, Answer::Taken, "{} {topic}", self.by.name);
            }
        }
    }

    /// A will, and a retained one.
    async fn leaves_a_will(self) {
        let token = token(&self.by.name);
        for topic in topics(self.on) {
            for will_is_retained in [false, true] {
                let connect = Connect {
                    version: self.version,
                    will: Some((&topic, b"forged")),
                    will_is_retained,
                    login: Some((&self.by.name, &token)),
                    ..Connect::new(&self.by.name)
                };
                let (client, code) = knock(self.address, &connect).await;
                assert_eq!(code, connect_refused(self.version), "{} {topic}", self.by.name);
                client.reset();
            }
        }
    }

    /// Listens to all it can think of; gives the connection on which nothing may come.
    async fn listens(self) -> Client {
        let (its, region, name) = (base(self.on), self.on.region, &self.on.name);
        let filters = [
            format!("{its}/down/limit"),
            format!("{its}/down/+"),
            format!("{its}/#"),
            format!("fogline/v1/{region}/+/down/limit"),
            format!("fogline/v1/+/{name}/down/#"),
            "+/+/+/+/+/limit".to_owned(),
            format!("fogline/v1/{region}/#"),
            "fogline/#".to_owned(),
            "#".to_owned(),
        ];
        let mut client = self.log_in().await;
        assert_eq!(client.subscribe(self.version, &format!("{}/down/#", base(self.by)), 1).await, 1);
        for filter in filters.iter().flat_map(|filter| [filter.clone(), format!("$share/x/{filter}")]) {
            let code = client.subscribe(self.version, &filter, 1).await;
            assert_eq!(code, subscribe_refused(self.version), "{} {filter}", self.by.name);
        }
        client
    }

    /// Connects under the other's client id.
    async fn takes_its_place(self) {
        let (own, operator) = (token(&self.by.name), token("looker"));
        for clean in [true, false] {
            for login in [Some((self.by.name.as_str(), own.as_str())), Some(("looker", &operator)), None] {
                let connect = Connect { version: self.version, clean, login, ..Connect::new(&self.on.name) };
                let (_, code) = knock(self.address, &connect).await;
                assert_eq!(code, connect_refused(self.version), "{login:?} as {}", self.on.name);
            }
        }
    }
}

#[tokio::test]
async fn no_agent_reads_or_writes_for_another_whatever_it_tries() {
    let site = Site::start().await;
    let address = site.address();
    for (on, version) in agents().iter().zip(VERSIONS.into_iter().cycle()) {
        let mut hub = log_in(address, version, "hub").await;
        assert_eq!(hub.subscribe(version, "fogline/v1/+/+/up/#", 1).await, 1);
        let mut victim = log_in(address, version, &on.name).await;
        assert_eq!(victim.subscribe(version, &format!("{}/down/#", base(on)), 1).await, 1);
        assert_eq!(victim.subscribe(version, &format!("fogline/v1/{}/peers/#", on.region), 1).await, 1);
        for by in agents().iter().filter(|by| *by != on) {
            for version_of_attack in VERSIONS {
                let attack = Attack { address, version: version_of_attack, by, on };
                attack.writes().await;
                attack.leaves_a_will().await;
                attack.takes_its_place().await;
                let mut listener = attack.listens().await;
                // What is meant for one comes to it and to nobody else, and nothing forged came before.
                for (to, client) in [(on, &mut victim), (by, &mut listener)] {
                    let limit = format!("{}/down/limit", base(to));
                    assert_eq!(hub.publish(version, 2, &limit, b"50").await, Answer::Taken);
                    assert_eq!(client.topics_before(&limit).await, NOTHING, "{} attacks {}", by.name, on.name);
                }
            }
        }
        let hello = format!("{}/up/hello", base(on));
        assert_eq!(
            victim.publish(version, 2, &hello, b"here").await,
            Answer::Taken,
            "its connection is still the same"
        );
        assert_eq!(hub.topics_before(&hello).await, NOTHING);
    }
    // Nothing forged was kept for later.
    let kept = "fogline/v1/north/hub/down/kept";
    assert_eq!(log_in(address, Version::V311, "hub").await.publish(Version::V311, 3, kept, b"x").await, Answer::Taken);
    let mut late = log_in(address, Version::V311, "looker").await;
    late.send(&packet::subscribe(Version::V311, 1, &[("#", 1)])).await;
    assert_eq!(late.topics_before(kept).await, NOTHING);
    late.send(&packet::ping()).await;
    assert!(!late.reader.next().await.unwrap().is_publish());
}
