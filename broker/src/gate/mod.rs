//! The gate: all that connections share, and the way of a message from one to the others.

mod connection;
mod deliver;
mod fanout;
mod handshake;
mod limits;
pub(crate) mod listener;
mod outbound;
mod peer;
mod receive;
mod rights;
mod socket;
mod timing;
pub(crate) mod upgrade;
mod websocket;

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{Semaphore, watch};

use crate::{
    access::{Access, AccessConfig, Anonymous},
    config::BrokerConfig,
    error::BrokerError,
    message::{Batch, Deadline, Message},
    metrics::Metrics,
    retained::Retained,
    router::{Links, intake::Intake},
    session::registry::Registry,
    subscriptions::Subscriptions,
};

pub(crate) use limits::Limits;
use peer::Peer;

/// Expired messages are not delivered, so this only frees their memory.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// A message that no session published: a will.
const NO_SESSION: u64 = 0;

/// What all connections of a broker share.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: RwLock<Limits>,
    pub(crate) access: Access,
    pub(crate) links: Links,
    pub(crate) intake: Intake,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) retained: Retained,
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Metrics,
    /// One permit for each connection that may still come, over whichever listener.
    pub(crate) room: Arc<Semaphore>,
    /// Bytes that wait for clients, of all sessions together.
    pub(crate) waiting_bytes: AtomicUsize,
    started: Instant,
    stop: watch::Sender<bool>,
}

impl Gate {
    /// Reads users and rules, and starts the router; `number` names its thread.
    ///
    /// # Errors
    /// If the files cannot be used, or threads cannot be had.
    pub(crate) fn start(config: &BrokerConfig, number: usize) -> Result<Arc<Self>, BrokerError> {
        let anonymous = if config.users.is_none() { Anonymous::Allowed } else { Anonymous::Refused };
        let files = AccessConfig { users: config.users.clone(), rules: config.rules.clone() };
        let access = Access::open(files, anonymous)?;
        let (links, to_router, from_router) = Links::start(config, number).map_err(BrokerError::Threads)?;
        Ok(Arc::new(Self {
            access,
            limits: RwLock::new(Limits::new(config)),
            links,
            intake: Intake::new(to_router, from_router),
            subscriptions: Subscriptions::default(),
            retained: Retained::default(),
            registry: Arc::default(),
            metrics: Metrics::default(),
            room: Arc::new(Semaphore::new(config.max_connections)),
            waiting_bytes: AtomicUsize::new(0),
            started: Instant::now(),
            stop: watch::Sender::new(false),
        }))
    }

    /// What clients may use. Where it matters how long that takes, asked for once for many messages.
    pub(crate) fn limits(&self) -> Limits {
        *self.limits.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with what can change of the limits: bounds at once, rates and times for those who connect from now on.
    pub(crate) fn tune(&self, config: &BrokerConfig) {
        let mut limits = self.limits.write().unwrap_or_else(PoisonError::into_inner);
        *limits = limits.tuned(config);
    }

    /// Seconds since the start.
    pub(crate) fn now(&self) -> Deadline {
        self.started.elapsed().as_secs()
    }

    /// Bytes that wait for clients.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Tells all connections to end in order.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Completes when [`Gate::stop`] was called.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.subscribe();
        // The sender lives as long as the gate.
        drop(stop.wait_for(|stop| *stop).await);
    }

    /// Frees what has expired, until the gate stops.
    pub(crate) async fn keep_house(&self) {
        let mut stopping = std::pin::pin!(self.stopping());
        loop {
            tokio::select! {
                () = &mut stopping => return,
                () = tokio::time::sleep(HOUSEKEEPING) => self.retained.expire(self.now()),
            }
        }
    }

    /// Keeps a message if it is to be retained, on behalf of `owner`.
    pub(crate) fn retain(&self, message: &Message, owner: &Arc<str>) {
        if message.retain && self.retained.put(message.clone(), owner).is_err() {
            self.metrics.not_retained.add(1);
        }
    }

    /// Publishes a message that comes from no connection, and waits until it is with the router.
    pub(crate) async fn publish(&self, message: &Message, owner: &Arc<str>) {
        self.retain(message, owner);
        let mut batch = Batch::default();
        batch.push_message(message);
        let (batch, mut parcels) = (batch.take(), Vec::new());
        loop {
            // Looked up each time: an inbox whose session has ended is never emptied.
            let route = self.subscriptions.route(message.topic());
            match fanout::fan_out(&route, NO_SESSION, &batch, &mut parcels) {
                Ok(()) => break,
                Err(full) => timing::emptied(&full).await,
            }
        }
        self.intake.submit(&mut parcels);
    }
}
