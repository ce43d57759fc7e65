//! The listeners of a broker: bound together, and known by what is spoken on them.

use std::{fmt, net::SocketAddr, sync::Arc};

use fogline_door::tls::ServerTls;
use tokio::net::TcpListener;

use crate::{
    config::BrokerConfig,
    error::BrokerError,
    gate::listener::{self, Transport},
};

/// What is spoken on a listener, as in the URL of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// MQTT over TCP.
    Mqtt,
    /// MQTT over TLS.
    Mqtts,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
        })
    }
}

/// A listener that is bound, and does not accept yet.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: TcpListener,
    pub(crate) transport: Transport,
    pub(crate) scheme: Scheme,
    /// The port is never 0.
    pub(crate) address: SocketAddr,
}

/// Binds all that the configuration names, in a fixed order.
///
/// # Errors
/// [`BrokerError::Listen`] for the first that cannot be had.
pub(crate) fn bind(config: &BrokerConfig, tls: Option<&Arc<ServerTls>>) -> Result<Vec<Listener>, BrokerError> {
    let secure = || tls.map(|tls| Transport::Tls(Arc::clone(tls)));
    let wanted = [
        (Scheme::Mqtt, config.listen, "--listen", Some(Transport::Plain)),
        (Scheme::Mqtts, config.tls_listen, "--tls-listen", secure()),
    ];
    let wanted = wanted.into_iter().filter_map(|(scheme, address, flag, transport)| {
        // A checked configuration has TLS where it is needed.
        Some((scheme, address?, flag, transport?))
    });
    wanted.map(|(scheme, address, flag, transport)| bind_one(scheme, address, flag, transport)).collect()
}

fn bind_one(
    scheme: Scheme,
    address: SocketAddr,
    flag: &'static str,
    transport: Transport,
) -> Result<Listener, BrokerError> {
    let refused = |source| BrokerError::Listen { address, flag, source };
    let socket = listener::bind(address).map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    Ok(Listener { socket, transport, scheme, address })
}
