//! A session: what the broker knows of a client from one connection to the next (3.1.1, 4.1).

mod backlog;
pub(crate) mod registry;
mod sleeper;
mod will;
mod window;

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::task::yield_now;

use crate::{
    gate::Gate,
    packet::{RetainHandling, SubscribeOptions},
    router::{LinkFailure, Size, copy::Copy, inbox::InboxReader},
    subscriptions::Subscriber,
    topic,
};

pub(crate) use backlog::{Backlog, Overflow};
pub(crate) use sleeper::{MAX_EXPIRY_SECONDS, sleep};
pub(crate) use will::Will;
pub(crate) use window::{Stage, Window};

/// Most subscriptions of one session.
const MAX_SUBSCRIPTIONS: usize = 1000;
/// Most bytes of all its filters.
const MAX_FILTER_BYTES: usize = 128 * 1024;

/// Longest that publishers wait for one client to catch up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Sessions are told apart by a number of their own, as client ids come again.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// A subscription as the client gave it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    pub(crate) options: SubscribeOptions,
    /// Comes with each message (5.0).
    pub(crate) id: Option<usize>,
}

/// What a client has subscribed, what waits for it, and what is on its way. Its owner is a connection, or a
/// [sleeper](sleep) while there is none.
#[derive(Debug)]
pub(crate) struct Session {
    gate: Arc<Gate>,
    number: u64,
    subscriptions: HashMap<Box<str>, Subscription>,
    inbox: Option<InboxReader>,
    pub(crate) backlog: Backlog,
    pub(crate) window: Window,
    /// Packet identifiers of QoS 2 messages that came and were passed on, but not released: they come once [MQTT-4.3.3-2].
    pub(crate) received: HashSet<u16>,
    /// Seconds that it outlives its connection; 0 ends it then.
    pub(crate) expiry: u32,
    /// Since when more waits than a quick client lets happen.
    behind_since: Option<Instant>,
    /// Of a connection that has ended, if its time has not come yet.
    pub(crate) will: Option<Will>,
}

/// Why a filter was not subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubscribeFailure {
    TooMany,
    Router,
}

impl From<LinkFailure> for SubscribeFailure {
    fn from(_: LinkFailure) -> Self {
        Self::Router
    }
}

impl Session {
    pub(crate) fn new(gate: &Arc<Gate>) -> Self {
        Self {
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
            subscriptions: HashMap::new(),
            inbox: None,
            backlog: Backlog::new(gate),
            window: Window::default(),
            received: HashSet::new(),
            expiry: 0,
            behind_since: None,
            will: None,
            gate: Arc::clone(gate),
        }
    }

    /// Names the session to publishers, so that its own messages can be kept from it.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Adds a checked filter, or replaces the subscription of the same filter, and puts the retained messages that go with it into the
    /// backlog. Not for shared subscriptions [MQTT-3.8.4-4 of 5.0].
    pub(crate) async fn subscribe(&mut self, filter: &str, subscription: Subscription) -> Result<(), SubscribeFailure> {
        if !self.backlog.may_replay() {
            return Err(SubscribeFailure::TooMany);
        }
        let full = self.subscriptions.len() >= MAX_SUBSCRIPTIONS
            || self.filters().map(str::len).sum::<usize>() + filter.len() > MAX_FILTER_BYTES;
        let new = match self.subscriptions.entry(filter.into()) {
            Entry::Vacant(_) if full => return Err(SubscribeFailure::TooMany),
            Entry::Vacant(place) => {
                place.insert(subscription);
                true
            }
            Entry::Occupied(mut known) => {
                known.insert(subscription);
                false
            }
        };
        let subscriber = match self.subscriber(filter).await {
            Ok(subscriber) => subscriber,
            Err(failure) => {
                self.subscriptions.remove(filter);
                return Err(failure.into());
            }
        };
        self.gate.subscriptions.add(filter, &subscriber, &subscription.options);
        let wanted = match subscription.options.retain_handling {
            RetainHandling::Always => true,
            RetainHandling::IfNew => new,
            RetainHandling::Never => false,
        };
        if wanted && matches!(topic::shared(filter), Ok(None)) {
            self.replay(filter, subscription.options);
        }
        Ok(())
    }

    /// The inbox is made for the first filter, and its size is the one that fits it.
    async fn subscriber(&mut self, filter: &str) -> Result<Subscriber, LinkFailure> {
        let reader = match &self.inbox {
            Some(reader) => reader,
            None => {
                let opened = self.gate.links.open(inbox_size(filter)).await?;
                self.inbox.insert(opened)
            }
        };
        Ok(Subscriber { session: self.number, inbox: Arc::clone(reader.inbox()) })
    }

    fn replay(&mut self, filter: &str, options: SubscribeOptions) {
        for message in self.gate.retained.matching(filter, self.gate.now()) {
            let qos = message.qos.min(options.qos);
            self.backlog.replay(Copy { message, qos, retain: true });
        }
    }

    /// Ends a subscription. False if there was none.
    pub(crate) fn unsubscribe(&mut self, filter: &str) -> bool {
        let existed = self.subscriptions.remove(filter).is_some();
        if existed {
            self.gate.subscriptions.remove(filter, self.number);
        }
        existed
    }

    /// The filters there are, to see which of them are still allowed.
    pub(crate) fn filters(&self) -> impl ExactSizeIterator<Item = &str> {
        self.subscriptions.keys().map(|filter| &**filter)
    }

    /// The identifiers of the subscriptions that a topic matches, of those that have one [MQTT-3.3.4-3 of 5.0].
    pub(crate) fn subscription_ids(&self, topic: &str) -> impl Iterator<Item = usize> {
        self.subscriptions.iter().filter_map(move |(filter, subscription)| {
            let inner = topic::shared(filter).ok().flatten().map_or(&**filter, |(_, inner)| inner);
            subscription.id.filter(|_| topic::matches(topic, inner))
        })
    }

    /// Tells publishers whether they should wait for the client to catch up. They wait for one that is a little slower than they are in
    /// a burst; one that takes nothing, or stays behind, is on its own: it slows nobody down for longer than [`PATIENCE`].
    pub(crate) fn say_whether_behind(&mut self) {
        if !self.backlog.is_long() {
            self.behind_since = None;
            return self.say_not_behind();
        }
        let since = *self.behind_since.get_or_insert_with(Instant::now);
        if let Some(reader) = &self.inbox {
            reader.inbox().set_behind(since.elapsed() < PATIENCE);
        }
    }

    /// Nobody is to wait for the client.
    pub(crate) fn say_not_behind(&self) {
        if let Some(reader) = &self.inbox {
            reader.inbox().set_behind(false);
        }
    }

    /// Waits for messages, and puts them into the backlog. Never completes while nothing is subscribed. Cancel safe.
    ///
    /// # Errors
    /// [`Overflow`] if the client is too far behind, or the router has failed it: it must be told.
    pub(crate) async fn receive(&mut self) -> Result<(), Overflow> {
        match &mut self.inbox {
            Some(reader) => {
                reader.read(self.backlog.incoming()).await?;
                self.backlog.take_in()
            }
            None => std::future::pending().await,
        }
    }

    /// Lets others have their turn in the middle of long work, and takes in what has come meanwhile, for which publishers wait.
    ///
    /// # Errors
    /// As [`Session::receive`].
    pub(crate) async fn pause(&mut self) -> Result<(), Overflow> {
        tokio::select! {
            biased;
            received = self.receive() => received,
            () = yield_now() => Ok(()),
        }
    }

    /// Publishes the will, if there is one. The session may be among those who get it, and its inbox full: so it takes messages in
    /// meanwhile, or the will would wait for its own session, and all who publish to that with it.
    pub(crate) async fn publish_will(&mut self) {
        let Some(will) = self.will.take() else { return };
        let gate = Arc::clone(&self.gate);
        let mut publishing = pin!(will.publish(&gate));
        loop {
            tokio::select! {
                () = &mut publishing => return,
                received = self.receive() => if received.is_err() {
                    break;
                },
            }
        }
        // Too far behind: nobody waits for an inbox that no filter leads to.
        self.end();
        publishing.await;
    }

    /// Ends all subscriptions, and what they were for.
    pub(crate) fn end(&mut self) {
        for (filter, _) in self.subscriptions.drain() {
            self.gate.subscriptions.remove(&filter, self.number);
        }
        self.say_not_behind();
        self.inbox = None;
        self.expiry = 0;
    }
}

impl Drop for Session {
    /// A session that ends takes its subscriptions with it.
    fn drop(&mut self) {
        self.end();
    }
}

/// Who reads what many publish has a wildcard before the last level.
fn inbox_size(filter: &str) -> Size {
    let before_the_last = filter.rsplit_once('/').map_or("", |(before, _)| before);
    if filter == "#" || before_the_last.contains('+') { Size::Large } else { Size::Small }
}
