//! The MQTT client: one connection at a time, kept up for ever, that never blocks its owner and never resends on its own.
//!
//! A link carries bytes between its owner and the first reachable broker of a list, at `QoS` 1 with clean sessions. It promises little,
//! so that it can keep it: a message handed to [`LinkHandle::publish`] was either refused, or sent once, or is forgotten with the
//! connection. The owner learns of every connection and its end ([`LinkEvent`]), and resends what the far end has not answered.
//!
//! A broker is reached over plain TCP or over TLS ([`Transport`]); whom the link trusts and what it shows is its [`LinkSecurity`].
//!
//! Every wait is bounded: connect, TLS and CONNACK (5 s), SUBACK and PUBACK ([`LinkConfig::ack_timeout`]), a silent broker (twice the
//! keep-alive), the wait before the next attempt (5 s), closing (the caller's deadline). Every queue is bounded in bytes.

mod address;
mod backoff;
mod budget;
mod config;
mod events;
mod handle;
mod inflight;
mod metrics;
mod publish;
mod refusal;
mod security;
mod session;
mod supervisor;
mod tls;

use std::sync::Arc;

use tokio::sync::mpsc;

use budget::Budget;
use handle::Shared;
use session::Context;
use supervisor::Supervisor;

pub use address::{AddressError, BrokerAddress, Transport};
pub use config::{LinkConfig, LinkError, MAX_INFLIGHT};
pub use events::{LinkEvent, LinkEvents};
pub use handle::LinkHandle;
pub use metrics::LinkMetrics;
pub use publish::{Publish, PublishError};
pub use refusal::tls_advice;
pub use security::{ClientCertificate, LinkSecurity};
pub use tls::TlsFileError;

/// Starts links.
#[derive(Debug)]
pub struct Link;

impl Link {
    /// Starts a link as a task of the current Tokio runtime. It connects at once, and again whenever the connection ends, until
    /// [`LinkHandle::close`] is called, the last handle is dropped, or the events are dropped.
    ///
    /// `will` gives the last will of each connection from its number, which grows with every attempt to connect. A will that does
    /// not fit into a packet makes the attempt fail.
    ///
    /// # Errors
    /// [`LinkError::Config`] for a value that cannot be, [`LinkError::TlsFile`] for a file of the TLS settings that cannot be used
    /// now (later it makes an attempt fail), [`LinkError::NoRuntime`] outside a Tokio runtime.
    pub fn start(
        config: LinkConfig,
        will: impl FnMut(u64) -> Option<Publish> + Send + 'static,
    ) -> Result<(LinkHandle, LinkEvents), LinkError> {
        config.validate()?;
        config.warn_of_exposure();
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| LinkError::NoRuntime)?;
        let incoming = Arc::new(Budget::new(config.incoming_bytes));
        let outgoing = Budget::new(config.outgoing_bytes);
        let shared = Arc::new(Shared::new(outgoing, Arc::clone(&incoming), config.max_packet_bytes));
        let (event_sender, events) = events::channel(incoming);
        let (command_sender, commands) = mpsc::unbounded_channel();
        let wanted = shared.wanted.subscribe();
        let context = Context {
            config,
            listening: Vec::new(),
            shared: Arc::clone(&shared),
            commands,
            wanted,
            events: event_sender,
        };
        let task = runtime.spawn(Supervisor { context, will }.run());
        Ok((LinkHandle::new(command_sender, shared, task.abort_handle()), events))
    }
}
