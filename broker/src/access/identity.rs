//! Who a client is, and what it may do.

use std::{fmt, sync::Arc};

use super::{
    filter::{Filter, cover, is_topic_name, subscribed},
    role::Role,
    rules::{Effect, Rule, Rules},
    template::Subject,
    users::User,
};

/// Who a client is, and what it may do under the rules at the time of its login or its last
/// [refresh](super::Access::refresh). Cheap to clone.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    proof: Proof,
    client_id: Box<str>,
    read: Side,
    write: Side,
}

/// By what a client was let in.
#[derive(Clone)]
pub(crate) enum Proof {
    /// It knew the user's token or password.
    Secret(Arc<User>),
    /// It has a certificate with the user's name.
    Certificate(Arc<User>),
    /// It did not say who it is, and need not.
    Open,
}

/// What may be read, or what may be written.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) allowed: Box<[Filter]>,
    pub(super) denied: Box<[Filter]>,
}

impl Side {
    fn new(rules: &[&Rule], subject: Subject<'_>) -> Self {
        let filters = |effect: Effect| {
            let rules = rules.iter().filter(|rule| rule.effect == effect);
            rules.flat_map(|rule| rule.template.filters(subject, effect.values())).collect()
        };
        Self { allowed: filters(Effect::Allow), denied: filters(Effect::Deny) }
    }

    fn has(&self, topic: &str) -> bool {
        self.allowed.iter().any(|filter| filter.matches(topic))
            && !self.denied.iter().any(|filter| filter.matches(topic))
    }
}

/// All that somebody may do, as filters.
#[derive(Debug)]
pub(super) struct Rights {
    pub(super) read: Side,
    pub(super) write: Side,
}

impl Rights {
    pub(super) fn new(role: Role, subject: Subject<'_>, rules: &Rules) -> Self {
        let of = |pick: fn(&Rule) -> bool| {
            let rules: Vec<_> = rules.of(role, subject.user).filter(|rule| pick(rule)).collect();
            Side::new(&rules, subject)
        };
        Self { read: of(|rule| rule.read), write: of(|rule| rule.write) }
    }
}

impl Proof {
    pub(crate) fn user(&self) -> Option<&Arc<User>> {
        match self {
            Self::Secret(user) | Self::Certificate(user) => Some(user),
            Self::Open => None,
        }
    }

    fn role(&self) -> Role {
        self.user().map_or(Role::Anonymous, |user| user.role)
    }
}

impl Identity {
    pub(crate) fn new(proof: Proof, client_id: &str, rules: &Rules) -> Self {
        let user = proof.user();
        let name = user.map(|user| &*user.name);
        let subject = Subject { user: name, client_id, regions: user.map_or(&[], |user| &user.regions) };
        let Rights { read, write } = Rights::new(proof.role(), subject, rules);
        Self(Arc::new(Inner { client_id: client_id.into(), read, write, proof }))
    }

    /// The name of the user; `None` for somebody who gave none.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.0.proof.user().map(|user| &*user.name)
    }

    /// What the user is for.
    #[must_use]
    pub fn role(&self) -> Role {
        self.0.proof.role()
    }

    /// The client id that was given at the login.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.0.client_id
    }

    /// Whether it may send a message to this topic, or leave it as its will.
    #[must_use]
    pub fn may_publish(&self, topic: &str) -> bool {
        is_topic_name(topic) && self.0.write.has(topic)
    }

    /// Whether it may subscribe this filter, or the one inside `$share/GROUP/FILTER`: it may read every topic that the filter
    /// matches, but for some that are denied, which [`Self::may_receive`] keeps from it. False for what is no filter.
    #[must_use]
    pub fn may_subscribe(&self, filter: &str) -> bool {
        let read = &self.0.read;
        subscribed(filter).is_some_and(|filter| cover(&read.allowed, &filter) && !cover(&read.denied, &filter))
    }

    /// Whether a message to this topic may be delivered to it.
    #[must_use]
    pub fn may_receive(&self, topic: &str) -> bool {
        is_topic_name(topic) && self.0.read.has(topic)
    }

    /// Whether a topic is denied to it though a subscription that it was granted matches. Quicker than [`Self::may_receive`], and the
    /// same for what a granted subscription matches.
    pub(crate) fn is_hidden(&self, topic: &str) -> bool {
        self.0.read.denied.iter().any(|filter| filter.matches(topic))
    }

    pub(crate) fn proof(&self) -> &Proof {
        &self.0.proof
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut identity = f.debug_struct("Identity");
        identity.field("user", &self.user()).field("role", &self.role()).field("client_id", &self.client_id()).finish()
    }
}
