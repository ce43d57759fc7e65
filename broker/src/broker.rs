//! A running broker: its threads, its end, and how its failure is heard of.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use fogline_door::{http::Door, tls::ServerTls};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{oneshot, watch},
    time::{Instant, sleep},
};

use crate::{
    config::BrokerConfig,
    error::{BrokerError, Failure},
    gate::{Gate, listener},
    http,
    listeners::{self, Listener, Scheme},
    panics::{FailureSlot, PanicWatch, report},
    probe::Probe,
    watchdog,
};

/// Clients are told that the broker stops, and have so long to take it in.
const STOP_DEADLINE: Duration = Duration::from_secs(2);
/// How often it is looked whether they have.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// The watchdog waits most of the time.
const WATCHDOG_THREADS: usize = 1;

/// A broker that accepts connections until it is stopped, dropped, or fails.
///
/// It has threads of its own, so it serves whatever the caller's runtime does. Stopping closes the listener and all
/// connections; the router's thread, with what its logs hold, stays parked until the process ends, as rumqttd has no
/// way to end it.
#[derive(Debug)]
pub struct Broker {
    /// At least one.
    addresses: Vec<(Scheme, SocketAddr)>,
    tls: Option<Arc<ServerTls>>,
    failure: watch::Receiver<Option<Failure>>,
    // On threads of its own: connections that block theirs must not keep the watchdog from seeing it.
    watchdog: Threads,
    connections: Threads,
    gate: Arc<Gate>,
    http: Option<Door>,
    _panics: PanicWatch,
}

impl Broker {
    /// Starts a broker and waits until a message has made its round trip.
    ///
    /// # Errors
    /// [`BrokerError::Settings`] for settings out of range, [`BrokerError::Tls`] if a file of TLS cannot be used,
    /// [`BrokerError::Listen`] if an address cannot be had,
    /// [`BrokerError::Threads`] if threads cannot be had, [`BrokerError::NotReady`] after about 10 s without a round trip,
    /// [`BrokerError::Failed`] if it died meanwhile.
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        config.check()?;
        let tls = config.tls.clone().map(ServerTls::load).transpose()?.map(Arc::new);
        let (slot, failure) = watch::channel(None);
        let panics = PanicWatch::new(slot.clone());
        let connections = Threads::start(panics.connection_threads(), None).map_err(BrokerError::Threads)?;
        let watchdog = Threads::start("watchdog".to_owned(), Some(WATCHDOG_THREADS)).map_err(BrokerError::Threads)?;
        let listeners = connections.enter(|| listeners::bind(&config, tls.as_ref()))?;
        let addresses = listeners.iter().map(|listener| (listener.scheme, listener.address)).collect();
        let gate = Gate::start(&config, panics.router_number())?;
        let mut broker = Self { addresses, tls, failure, gate, http: None, watchdog, connections, _panics: panics };
        broker.watch(&config, slot).await?;
        if let Some(config) = config.http.clone() {
            broker.http = Some(http::open(config, Arc::clone(&broker.gate)).await?);
        }
        broker.serve(listeners);
        Ok(broker)
    }

    fn serve(&self, listeners: Vec<Listener>) {
        for Listener { socket, transport, .. } in listeners {
            self.connections.spawn(listener::accept(Arc::clone(&self.gate), socket, transport));
        }
        if let Some(tls) = self.tls.clone() {
            self.connections.spawn(async move { tls.watch().await });
        }
        let gate = Arc::clone(&self.gate);
        self.connections.spawn(async move { gate.keep_house().await });
        let access = self.gate.access.clone();
        self.connections.spawn(async move { access.watch().await });
    }

    /// Returns when a message has made its round trip; the watchdog goes on.
    async fn watch(&self, config: &BrokerConfig, slot: FailureSlot) -> Result<(), BrokerError> {
        let (ready, is_ready) = oneshot::channel();
        let watch = watchdog::watch(Probe::new(Arc::clone(&self.gate)), config.clone(), ready);
        self.watchdog.spawn(async move { report(&slot, watch.await) });
        tokio::select! {
            biased;
            failure = self.failed() => Err(match failure {
                Failure::Unresponsive { silent_for, last } => {
                    BrokerError::NotReady { address: self.local_addr(), waited: silent_for, last }
                }
                failure @ Failure::Router(_) => failure.into(),
            }),
            Ok(()) = is_ready => Ok(()),
        }
    }

    /// Where clients connect: without TLS where that is possible, otherwise at the first of [`Broker::addresses`]. The port is never 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        // A checked configuration has a listener.
        self.addresses.first().map_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), |(_, address)| *address)
    }

    /// Where clients connect with TLS.
    #[must_use]
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.address_of(Scheme::Mqtts)
    }

    /// Where clients open WebSockets.
    #[must_use]
    pub fn ws_addr(&self) -> Option<SocketAddr> {
        self.address_of(Scheme::Ws)
    }

    /// Where clients open WebSockets over TLS.
    #[must_use]
    pub fn wss_addr(&self) -> Option<SocketAddr> {
        self.address_of(Scheme::Wss)
    }

    /// All listeners.
    pub fn addresses(&self) -> impl Iterator<Item = (Scheme, SocketAddr)> {
        self.addresses.iter().copied()
    }

    fn address_of(&self, wanted: Scheme) -> Option<SocketAddr> {
        self.addresses().find_map(|(scheme, address)| (scheme == wanted).then_some(address))
    }

    /// Completes when the broker can no longer serve, and says why. Cancel safe; may be awaited again.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(known) => known.clone().unwrap_or_else(unknown_failure),
            Err(_) => unknown_failure(),
        }
    }

    /// Where health and metrics are served, as `http://ADDRESS:PORT` or with `https`.
    #[must_use]
    pub fn http_url(&self) -> Option<String> {
        self.http.as_ref().map(Door::url)
    }

    /// Closes the listener, lets clients take what is on its way to them and tells those who can be told why, and waits until that is done, some
    /// seconds at most.
    pub async fn stop(mut self) {
        drop(std::mem::take(&mut self.watchdog));
        drop(self.http.take());
        self.gate.stop();
        let deadline = Instant::now() + STOP_DEADLINE;
        while self.gate.metrics.connected.get() > 0 && Instant::now() < deadline {
            sleep(LOOK_AGAIN).await;
        }
        if let Some(connections) = self.connections.0.take() {
            let ended = tokio::task::spawn_blocking(move || connections.shutdown_timeout(STOP_DEADLINE));
            if let Err(error) = ended.await {
                tracing::warn!(%error, "connections may still be open");
            }
        }
    }

    /// Goes on with what can change while it runs ([`RELOADED`](crate::RELOADED)) as `config` says; the rest of it is not looked at.
    pub fn tune(&self, config: &BrokerConfig) {
        self.gate.tune(config);
    }

    /// Reads users, rules and the files of TLS again now, whether or not they have changed, and logs the outcome. What cannot be used leaves in force what
    /// was. Clients who may not be here any more are disconnected.
    pub async fn reload(&self) {
        let (access, tls) = (self.gate.access.clone(), self.tls.clone());
        let read = tokio::task::spawn_blocking(move || {
            match access.reload() {
                Ok(()) => tracing::info!("users and rules were read again"),
                Err(error) => tracing::error!(%error, "users and rules cannot be used: what was in force stays"),
            }
            match tls.map(|tls| tls.reload()) {
                Some(Ok(())) => tracing::info!("the TLS files were read again"),
                Some(Err(error)) => tracing::error!(%error, "the TLS files cannot be used: what was in force stays"),
                None => {}
            }
        });
        if let Err(error) = read.await {
            tracing::error!(%error, "nothing was read again");
        }
    }

    /// The broker's counts, as a page for Prometheus.
    #[must_use]
    pub fn metrics(&self) -> String {
        crate::metrics::page(&self.gate)
    }
}

/// Runs a broker until `shutdown` completes; calls `ready` with it once it serves.
///
/// # Errors
/// As [`Broker::start`], and [`BrokerError::Failed`] if the broker died while it ran.
pub async fn run(
    config: BrokerConfig,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(&Broker),
) -> Result<(), BrokerError> {
    let mut shutdown = pin!(shutdown);
    let broker = tokio::select! {
        started = Broker::start(config) => started?,
        () = &mut shutdown => return Ok(()),
    };
    ready(&broker);
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        failure = broker.failed() => Err(failure.into()),
    };
    broker.stop().await;
    outcome
}

/// Threads for tasks, which end with them.
#[derive(Debug, Default)]
struct Threads(Option<Runtime>);

impl Threads {
    fn start(name: String, count: Option<usize>) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.thread_name(name).enable_all();
        if let Some(count) = count {
            builder.worker_threads(count);
        }
        builder.build().map(|runtime| Self(Some(runtime)))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.0 {
            runtime.spawn(task);
        }
    }

    /// Sockets belong to the runtime that they are made in.
    fn enter<T>(&self, make: impl FnOnce() -> T) -> T {
        let _inside = self.0.as_ref().map(Runtime::enter);
        make()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // Dropping a runtime inside another one panics.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Every task that ends the broker reports why first, so this is never seen.
fn unknown_failure() -> Failure {
    Failure::Router("for an unknown reason".to_owned())
}

#[cfg(test)]
mod tests {
    use rumqttd::protocol::{Packet, Publish};

    use super::*;

    /// Longer than a machine under load takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    fn on_a_free_port() -> BrokerConfig {
        BrokerConfig { listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))), ..BrokerConfig::default() }
    }

    /// The router panics when the first character of a topic has more than one byte. No client can get it to see one.
    fn kill_router(broker: &Broker) {
        broker.gate.intake.submit(&mut vec![Packet::Publish(Publish::new("ü", "", false), None)]);
    }

    #[tokio::test]
    async fn the_death_of_one_router_is_reported_and_leaves_the_other_broker_alone() {
        let dying = Broker::start(on_a_free_port()).await.unwrap();
        let other = Broker::start(on_a_free_port()).await.unwrap();
        kill_router(&dying);
        let failure = tokio::time::timeout(PATIENCE, dying.failed()).await.unwrap();
        assert!(matches!(failure, Failure::Router(_)), "{failure}");
        assert_eq!(dying.failed().await, failure, "it stays failed");
        Probe::new(Arc::clone(&other.gate)).round_trip(PATIENCE).await.unwrap();
    }

    #[tokio::test]
    async fn the_watchdog_notices_a_dead_router_without_the_panic_hook() {
        let gate = Gate::start(&on_a_free_port(), usize::MAX).unwrap();
        let config = BrokerConfig {
            watchdog_interval: Duration::from_millis(100),
            watchdog_deadline: Duration::from_millis(500),
            ..BrokerConfig::default()
        };
        let (ready, is_ready) = oneshot::channel();
        let watching = tokio::spawn(watchdog::watch(Probe::new(Arc::clone(&gate)), config, ready));
        is_ready.await.unwrap();
        gate.intake.submit(&mut vec![Packet::Publish(Publish::new("ü", "", false), None)]);
        let failure = tokio::time::timeout(PATIENCE, watching).await.unwrap().unwrap();
        assert!(matches!(failure, Failure::Unresponsive { .. }), "{failure}");
    }
}
