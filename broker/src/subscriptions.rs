//! Who wants what: a tree of filters, and the receivers of a topic.

mod node;

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use crate::{
    packet::{QoS, SubscribeOptions},
    router::inbox::Inbox,
    topic,
};
use node::Node;

/// A session with its inbox, as far as publishers need to know it.
#[derive(Debug, Clone)]
pub(crate) struct Subscriber {
    /// The session's number, never used again.
    pub(crate) session: u64,
    pub(crate) inbox: Arc<Inbox>,
}

/// One that gets a message, and how.
#[derive(Debug, Clone)]
pub(crate) struct Receiver {
    pub(crate) session: u64,
    pub(crate) inbox: Arc<Inbox>,
    /// The highest of its matching subscriptions [MQTT-3.3.5-1].
    pub(crate) qos: QoS,
    /// Its own messages do not come back [MQTT-3.8.3-3 of 5.0].
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
}

impl Receiver {
    fn new(subscriber: &Subscriber, options: &SubscribeOptions) -> Self {
        Self {
            session: subscriber.session,
            inbox: Arc::clone(&subscriber.inbox),
            qos: options.qos,
            no_local: options.no_local,
            retain_as_published: options.retain_as_published,
        }
    }

    /// Whether it gets what that session publishes.
    pub(crate) fn wants_from(&self, publisher: u64) -> bool {
        !(self.no_local && self.session == publisher)
    }

    /// Takes another subscription of the same session into account: it gets one copy of a message.
    fn merge(&mut self, other: &Self) {
        self.qos = self.qos.max(other.qos);
        self.no_local &= other.no_local;
        self.retain_as_published |= other.retain_as_published;
    }
}

/// The members of a shared subscription, which take turns.
#[derive(Debug, Default)]
pub(crate) struct Group {
    members: Vec<Receiver>,
    turn: AtomicUsize,
}

impl Group {
    /// The member whose turn it is. Those whose inbox holds more than another's are not spared: the gate knows nothing of work.
    pub(crate) fn next(&self) -> Option<&Receiver> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        self.members.get(turn.checked_rem(self.members.len())?)
    }
}

/// All who get the messages of a topic.
#[derive(Debug, Default)]
pub(crate) struct Route {
    pub(crate) receivers: Vec<Receiver>,
    pub(crate) groups: Vec<Arc<Group>>,
}

impl Route {
    /// Whether the client of a receiver is behind.
    pub(crate) fn is_behind(&self) -> bool {
        self.receivers.iter().any(|receiver| receiver.inbox.is_behind())
    }

    /// How a session gets the message, not counting its groups.
    pub(crate) fn receiver(&self, session: u64) -> Option<&Receiver> {
        let index = self.receivers.binary_search_by_key(&session, |receiver| receiver.session).ok()?;
        self.receivers.get(index)
    }

    /// Whether anybody gets what that session publishes.
    pub(crate) fn has_receivers(&self, publisher: u64) -> bool {
        !self.groups.is_empty() || self.receivers.iter().any(|receiver| receiver.wants_from(publisher))
    }

    /// One receiver for each session, whose subscriptions may overlap.
    fn merge(&mut self) {
        self.receivers.sort_by_key(|receiver| receiver.session);
        self.receivers.dedup_by(|later, kept| {
            let same = later.session == kept.session;
            if same {
                kept.merge(later);
            }
            same
        });
    }
}

/// The subscriptions of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    root: RwLock<Node>,
    version: AtomicU64,
    count: AtomicUsize,
}

impl Subscriptions {
    /// Changes with every change, so that a [`Route`] may be kept as long as this stays the same.
    pub(crate) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Adds a subscription, or replaces the one of the same session and filter [MQTT-3.8.4-3]. Both must have been checked.
    pub(crate) fn add(&self, filter: &str, subscriber: &Subscriber, options: &SubscribeOptions) {
        let (group, filter) = split(filter);
        let receiver = Receiver::new(subscriber, options);
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        if root.at(filter).add(group, receiver) {
            self.count.fetch_add(1, Ordering::Relaxed);
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Ends a subscription, if there is one.
    pub(crate) fn remove(&self, filter: &str, session: u64) {
        let (group, filter) = split(filter);
        let mut root = self.root.write().unwrap_or_else(PoisonError::into_inner);
        if root.remove(&mut filter.split('/'), group, session) {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Who gets the messages of `topic`.
    pub(crate) fn route(&self, topic: &str) -> Route {
        let mut route = Route::default();
        let root = self.root.read().unwrap_or_else(PoisonError::into_inner);
        root.collect(&mut topic.split('/'), !topic.starts_with('$'), &mut route);
        drop(root);
        route.merge();
        route
    }

    /// Subscriptions there are.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

/// The group, and the filter itself.
fn split(filter: &str) -> (Option<&str>, &str) {
    match topic::shared(filter) {
        Ok(Some((group, inner))) => (Some(group), inner),
        _ => (None, filter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::RetainHandling;

    fn subscriber(session: u64) -> Subscriber {
        Subscriber { session, inbox: Inbox::unconnected() }
    }

    fn options(qos: QoS) -> SubscribeOptions {
        SubscribeOptions { qos, no_local: false, retain_as_published: false, retain_handling: RetainHandling::Always }
    }

    fn sessions(subscriptions: &Subscriptions, topic: &str) -> Vec<u64> {
        subscriptions.route(topic).receivers.iter().map(|receiver| receiver.session).collect()
    }

    /// Every filter over a small alphabet against every topic: the tree and the plain comparison agree.
    #[test]
    fn the_tree_matches_as_filters_do() {
        let levels = ["a", "", "$x", "+", "#"];
        let mut filters: Vec<String> = levels.iter().map(|level| (*level).to_owned()).collect();
        for depth in 1..3 {
            let longer: Vec<_> = filters.iter().filter(|filter| filter.split('/').count() == depth).cloned().collect();
            filters.extend(longer.iter().flat_map(|filter| levels.map(|level| format!("{filter}/{level}"))));
        }
        filters.retain(|filter| topic::check_filter(filter).is_ok());
        let topics: Vec<_> = filters.iter().filter(|filter| topic::check_topic(filter).is_ok()).collect();
        let subscriptions = Subscriptions::default();
        for (session, filter) in (0..).zip(&filters) {
            subscriptions.add(filter, &subscriber(session), &options(QoS::AtMostOnce));
        }
        for topic in topics {
            let expected: Vec<u64> = (0..)
                .zip(&filters)
                .filter(|(_, filter)| topic::matches(topic, filter))
                .map(|(session, _)| session)
                .collect();
            assert_eq!(sessions(&subscriptions, topic), expected, "{topic:?}");
        }
    }

    #[test]
    fn overlapping_subscriptions_give_one_copy_of_the_highest_qos() {
        let subscriptions = Subscriptions::default();
        let one = subscriber(1);
        subscriptions.add("a/#", &one, &options(QoS::AtLeastOnce));
        subscriptions.add("a/+", &one, &options(QoS::ExactlyOnce));
        let route = subscriptions.route("a/b");
        assert_eq!((route.receivers.len(), route.receivers[0].qos), (1, QoS::ExactlyOnce));
    }

    #[test]
    fn what_ends_leaves_nothing_behind() {
        let subscriptions = Subscriptions::default();
        for filter in ["a/b/c", "a/#", "$share/g/a/b", "+"] {
            subscriptions.add(filter, &subscriber(1), &options(QoS::AtMostOnce));
        }
        assert_eq!(subscriptions.count(), 4);
        let version = subscriptions.version();
        for filter in ["a/b/c", "a/#", "$share/g/a/b", "+", "never/was"] {
            subscriptions.remove(filter, 1);
        }
        assert_eq!(subscriptions.count(), 0);
        assert_ne!(subscriptions.version(), version);
        assert!(subscriptions.root.read().unwrap().is_empty());
    }

    #[test]
    fn members_of_a_group_take_turns() {
        let subscriptions = Subscriptions::default();
        for session in [1, 2] {
            subscriptions.add("$share/g/t", &subscriber(session), &options(QoS::AtMostOnce));
        }
        let route = subscriptions.route("t");
        assert!(route.receivers.is_empty());
        let turns: Vec<_> = (0..4).map(|_| route.groups[0].next().unwrap().session).collect();
        assert_eq!(turns, [1, 2, 1, 2]);
    }
}
