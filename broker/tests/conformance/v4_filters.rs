//! Which topics a filter matches: MQTT 3.1.1, 4.7.

use crate::{client::Client, message::Message, target::Broker};

rules! {
    the_multi_level_wildcard_matches_its_parent_and_all_below;
    the_single_level_wildcard_matches_one_level;
    wildcards_combine;
    a_leading_slash_is_a_level;
    topics_are_compared_byte_by_byte;
    a_trailing_slash_is_a_level;
    wildcards_at_the_start_do_not_match_dollar_topics;
    wildcards_at_the_start_do_not_match_retained_dollar_topics;
    a_filter_that_begins_with_dollar_matches except(Gate, "what is published to such topics reaches nobody");
}

/// Publishes each topic to a subscriber of `filter`, both below a level of their own; those marked must arrive, no other.
async fn matches(broker: Broker, filter: &str, topics: &[(&str, bool)]) {
    let base = broker.unique("match");
    matches_as_named(broker, &format!("{base}/{filter}"), &topics.map_topics(|topic| format!("{base}/{topic}"))).await;
}

async fn matches_as_named(broker: Broker, filter: &str, topics: &[(String, bool)]) {
    let mut client = Client::clean(broker).await;
    client.subscribe(filter, 0).await;
    let mut publisher = Client::clean(broker).await;
    for (topic, arrives) in topics {
        publisher.publish(Message::new(topic, "x")).await;
        if *arrives {
            assert_eq!(client.message().await, Message::new(topic, "x"), "{filter}");
        }
    }
    client.expect_silence().await;
}

trait MapTopics {
    fn map_topics(&self, name: impl Fn(&str) -> String) -> Vec<(String, bool)>;
}

impl MapTopics for [(&str, bool)] {
    fn map_topics(&self, name: impl Fn(&str) -> String) -> Vec<(String, bool)> {
        self.iter().map(|(topic, arrives)| (name(topic), *arrives)).collect()
    }
}

/// 4.7.1.2, [MQTT-4.7.1-2]
async fn the_multi_level_wildcard_matches_its_parent_and_all_below(broker: Broker) {
    let topics = [("sport", true), ("sport/", true), ("sport/a", true), ("sport/a/b/c", true), ("sports", false)];
    matches(broker, "sport/#", &topics).await;
}

/// 4.7.1.3, [MQTT-4.7.1-3]
async fn the_single_level_wildcard_matches_one_level(broker: Broker) {
    matches(broker, "sport/+", &[("sport", false), ("sport/", true), ("sport/a", true), ("sport/a/b", false)]).await;
    let between = [("sport/a/x", true), ("sport//x", true), ("sport/x", false), ("sport/a/b/x", false)];
    matches(broker, "sport/+/x", &between).await;
}

/// 4.7.1.2, 4.7.1.3
async fn wildcards_combine(broker: Broker) {
    matches(broker, "+/x/#", &[("a/x", true), ("a/x/y/z", true), ("x", false), ("a/y/x", false)]).await;
    matches(broker, "+/+", &[("a/b", true), ("/", true), ("a", false), ("a/b/c", false)]).await;
}

/// 4.7.1.3: `/finance` matches `+/+` and `/+`, and not `+`.
async fn a_leading_slash_is_a_level(broker: Broker) {
    let name = broker.unique("finance");
    for (filter, arrives) in [(format!("+/{name}"), true), (format!("/{name}"), true), (name.clone(), false)] {
        matches_as_named(broker, &filter, &[(format!("/{name}"), arrives)]).await;
    }
    let name = broker.unique("finance");
    matches_as_named(broker, &format!("/{name}/+"), &[(format!("/{name}/a"), true), (format!("{name}/a"), false)])
        .await;
}

/// [MQTT-4.7.3-4]: neither case nor Unicode's normal forms are folded.
async fn topics_are_compared_byte_by_byte(broker: Broker) {
    let topics = [("Caf\u{e9}", true), ("caf\u{e9}", false), ("Cafe\u{301}", false), ("Caf\u{e9} ", false)];
    matches(broker, "Caf\u{e9}", &topics).await;
}

/// 4.7.1.1: levels may be empty.
async fn a_trailing_slash_is_a_level(broker: Broker) {
    matches(broker, "a/", &[("a", false), ("a/", true), ("a//", false)]).await;
    matches(broker, "a//b", &[("a/b", false), ("a//b", true)]).await;
}

/// [MQTT-4.7.2-1]
async fn wildcards_at_the_start_do_not_match_dollar_topics(broker: Broker) {
    let name = broker.unique("dollar");
    let mut client = Client::clean(broker).await;
    client.subscribe(&format!("+/{name}"), 0).await;
    client.subscribe(&format!("+/{name}/#"), 0).await;
    let mut publisher = Client::clean(broker).await;
    publisher.send(Message::new(format!("$other/{name}"), "hidden").bytes()).await;
    publisher.publish(Message::new(format!("other/{name}/a"), "shown")).await;
    assert_eq!(client.message().await, Message::new(format!("other/{name}/a"), "shown"));
    client.expect_silence().await;
}

/// [MQTT-4.7.2-1]: what is retained there, too; the gate keeps nothing of clients there.
async fn wildcards_at_the_start_do_not_match_retained_dollar_topics(broker: Broker) {
    let name = broker.unique("dollar");
    let mut publisher = Client::clean(broker).await;
    publisher.send(Message::new(format!("$other/{name}"), "hidden").retained().bytes()).await;
    publisher.publish(Message::new(format!("other/{name}"), "shown").retained()).await;
    for filter in [format!("+/{name}"), format!("+/{name}/#")] {
        let mut client = Client::clean(broker).await;
        let retained = client.retained(&filter, 0, 1).await;
        assert_eq!(retained, [Message::new(format!("other/{name}"), "shown").retained()]);
        client.expect_silence().await;
    }
}

/// 4.7.2: such topics are for the server's own use; one that takes them from clients delivers them to whoever names them.
async fn a_filter_that_begins_with_dollar_matches(broker: Broker) {
    let base = format!("$other/{}", broker.unique("dollar"));
    let named = Message::new(format!("{base}/a"), "named");
    let mut client = Client::clean(broker).await;
    client.subscribe(&format!("{base}/+"), 0).await;
    let mut publisher = Client::clean(broker).await;
    publisher.send(named.clone().qos(1, 1).bytes()).await;
    if publisher.next().await.is_none() {
        eprintln!("skipped: this server takes no such topics from clients");
        return;
    }
    assert_eq!(client.message().await, named);
}
