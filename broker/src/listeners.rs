//! The listeners of a broker: bound together, and known by what is spoken on them.

use std::{fmt, net::SocketAddr, sync::Arc};

use fogline_door::tls::ServerTls;
use tokio::net::TcpListener;

use crate::{
    config::{BrokerConfig, is_loopback},
    error::BrokerError,
    gate::{
        listener::{self, Transport},
        upgrade::Origins,
    },
};

/// What is spoken on a listener, as in the URL of a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// MQTT over TCP.
    Mqtt,
    /// MQTT over TLS.
    Mqtts,
    /// MQTT in a WebSocket.
    Ws,
    /// MQTT in a WebSocket over TLS.
    Wss,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Ws => "ws",
            Self::Wss => "wss",
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
    let wanted = [
        (Scheme::Mqtt, config.listen, "--listen"),
        (Scheme::Mqtts, config.tls_listen, "--tls-listen"),
        (Scheme::Ws, config.ws_listen, "--ws-listen"),
        (Scheme::Wss, config.wss_listen, "--wss-listen"),
    ];
    let wanted = wanted.into_iter().filter_map(|(scheme, address, flag)| Some((scheme, address?, flag)));
    wanted
        .map(|(scheme, address, flag)| bind_one(scheme, address, flag, transport(scheme, address, config, tls)))
        .collect()
}

fn transport(scheme: Scheme, address: SocketAddr, config: &BrokerConfig, tls: Option<&Arc<ServerTls>>) -> Transport {
    // A checked configuration has TLS where it is needed.
    let tls = tls.filter(|_| matches!(scheme, Scheme::Mqtts | Scheme::Wss)).cloned();
    let websocket = matches!(scheme, Scheme::Ws | Scheme::Wss).then(|| {
        Arc::new(Origins { allowed: config.ws_origins.clone(), loopback: is_loopback(address), secure: tls.is_some() })
    });
    match scheme {
        Scheme::Mqtt => Transport::Plain,
        Scheme::Mqtts | Scheme::Ws | Scheme::Wss => Transport::Layered { tls, websocket },
    }
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
