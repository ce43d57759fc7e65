//! A running broker: its threads, its end, and how its failure is heard of.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    pin::pin,
    time::Duration,
};

use rumqttd::{LinkType, Router, Server, protocol::v4::V4};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{oneshot, watch},
};

use crate::{
    config::BrokerConfig,
    error::{BrokerError, Failure},
    nodelay,
    panics::{FailureSlot, PanicWatch, report},
    probe::Probe,
    stock, watchdog,
};

/// Connections are dropped, not drained, so this only ends the wait for a thread that is stuck.
const STOP_DEADLINE: Duration = Duration::from_secs(1);
/// rumqttd cannot take over a socket, so a free port may be lost between finding and using it.
const FREE_PORT_ATTEMPTS: u32 = 5;
/// The watchdog waits most of the time.
const WATCHDOG_THREADS: usize = 1;

/// A broker that accepts connections until it is stopped, dropped, or fails.
///
/// It has threads of its own, so it serves whatever the caller's runtime does. Stopping closes the listener and all
/// connections; the router's thread, with what its logs hold, stays parked until the process ends, as rumqttd has no
/// way to end it.
#[derive(Debug)]
pub struct Broker {
    address: SocketAddr,
    failure: watch::Receiver<Option<Failure>>,
    // On threads of its own: connections that block theirs must not keep the watchdog from seeing it.
    watchdog: Option<Runtime>,
    connections: Option<Runtime>,
    panics: PanicWatch,
}

impl Broker {
    /// Starts a broker and waits until a message has made its round trip.
    ///
    /// # Errors
    /// [`BrokerError::Settings`] for settings out of range, [`BrokerError::Listen`] if the address cannot be had,
    /// [`BrokerError::Threads`] if threads cannot be had, [`BrokerError::NotReady`] after about 10 s without a round trip,
    /// [`BrokerError::Failed`] if it died meanwhile.
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        config.check()?;
        let mut attempts = if config.listen.port() == 0 { FREE_PORT_ATTEMPTS } else { 1 };
        loop {
            attempts -= 1;
            match Self::start_once(&config).await {
                Err(BrokerError::Listen { source, .. }) if attempts > 0 => tracing::debug!(%source, "port was taken"),
                outcome => return outcome,
            }
        }
    }

    async fn start_once(config: &BrokerConfig) -> Result<Self, BrokerError> {
        let address =
            bindable(config.listen).map_err(|source| BrokerError::Listen { address: config.listen, source })?;
        let (slot, failure) = watch::channel(None);
        let panics = PanicWatch::new(slot.clone());
        let connections = threads(panics.connection_threads(), None).map_err(BrokerError::Threads)?;
        let mut broker = Self { address, failure, watchdog: None, connections: Some(connections), panics };
        broker.serve(config, slot.clone());
        broker.watch(config, slot).await?;
        Ok(broker)
    }

    fn serve(&self, config: &BrokerConfig, slot: FailureSlot) {
        let router = Router::new(self.panics.router_number(), stock::router(config)).spawn();
        let mut server = Server::new(stock::server(config, self.address), router, V4);
        if let Some(connections) = &self.connections {
            connections.spawn(async move {
                let reason = match server.start(LinkType::Remote).await {
                    Ok(()) => "it ended".to_owned(),
                    Err(error) => error.to_string(),
                };
                report(&slot, Failure::Listener(reason));
            });
        }
    }

    /// Returns when the broker is ready; the watchdog goes on.
    async fn watch(&mut self, config: &BrokerConfig, slot: FailureSlot) -> Result<(), BrokerError> {
        let watchdog = threads("watchdog".to_owned(), Some(WATCHDOG_THREADS)).map_err(BrokerError::Threads)?;
        let (ready, is_ready) = oneshot::channel();
        let watch = watchdog::watch(Probe::new(self.address), config.clone(), ready);
        watchdog.spawn(async move { report(&slot, watch.await) });
        self.watchdog = Some(watchdog);
        tokio::select! {
            biased;
            failure = self.failed() => return Err(self.died_at_start(failure)),
            Ok(()) = is_ready => nodelay::inherit(self.address),
        }
        Ok(())
    }

    /// A listener that ends before the first message has not got its address.
    fn died_at_start(&self, failure: Failure) -> BrokerError {
        match failure {
            Failure::Listener(reason) => {
                BrokerError::Listen { address: self.address, source: io::Error::other(reason) }
            }
            Failure::Unresponsive { silent_for, last } => {
                BrokerError::NotReady { address: self.address, waited: silent_for, last }
            }
            failure @ Failure::Router(_) => failure.into(),
        }
    }

    /// Where clients connect; the port is never 0.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Completes when the broker can no longer serve, and says why. Cancel safe; may be awaited again.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.failure.clone();
        match failure.wait_for(Option::is_some).await {
            Ok(known) => known.clone().unwrap_or_else(unknown_failure),
            Err(_) => unknown_failure(),
        }
    }

    /// Closes the listener and all connections, and waits until that is done, at most a second or so.
    pub async fn stop(mut self) {
        if let Some(watchdog) = self.watchdog.take() {
            watchdog.shutdown_background();
        }
        if let Some(connections) = self.connections.take() {
            let ended = tokio::task::spawn_blocking(move || connections.shutdown_timeout(STOP_DEADLINE));
            if let Err(error) = ended.await {
                tracing::warn!(%error, "connections may still be open");
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Dropping a runtime inside another one panics.
        for runtime in [self.watchdog.take(), self.connections.take()].into_iter().flatten() {
            runtime.shutdown_background();
        }
    }
}

/// Runs a broker until `shutdown` completes; calls `ready` with its address once it serves.
///
/// # Errors
/// As [`Broker::start`], and [`BrokerError::Failed`] if the broker died while it ran.
pub async fn run(
    config: BrokerConfig,
    shutdown: impl Future<Output = ()>,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), BrokerError> {
    let mut shutdown = pin!(shutdown);
    let broker = tokio::select! {
        started = Broker::start(config) => started?,
        () = &mut shutdown => return Ok(()),
    };
    ready(broker.local_addr());
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        failure = broker.failed() => Err(failure.into()),
    };
    broker.stop().await;
    outcome
}

/// The address, with its port chosen if it was 0, if it can be bound now. rumqttd itself only logs that it cannot.
fn bindable(address: SocketAddr) -> io::Result<SocketAddr> {
    TcpListener::bind(address)?.local_addr()
}

fn threads(name: String, count: Option<usize>) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.thread_name(name).enable_all();
    if let Some(count) = count {
        builder.worker_threads(count);
    }
    builder.build()
}

/// Every task that ends the broker reports why first, so this is never seen.
fn unknown_failure() -> Failure {
    Failure::Listener("for an unknown reason".to_owned())
}
