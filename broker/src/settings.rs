//! Settings as they are given: flags over environment over file over defaults.
//!
//! One struct is the flags, the environment and the file at once, so that a setting is described in one place.
//! Unknown keys in the file are refused. Unknown `FOGLINE_BROKER_*` variables are not: Kubernetes sets some of that
//! form for a service that is called fogline-broker.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

mod listen;

use clap::Args;
use fogline_door::{
    http::HttpConfig,
    tls::{ClientCertificates, TlsConfig},
};
use fogline_service::settings::{Asked, FileCommand, SettingsError, SettingsFile};
use serde::{Deserialize, Serialize};

use crate::config::BrokerConfig;

pub use listen::Listen;

/// Keys that a running broker takes over: bounds at once, rates and times for clients that connect from then on. The contents of
/// the files of users, rules and TLS are read again too, by themselves when they change.
pub const RELOADED: &[&str] = &[
    "log",
    "max_queue_bytes",
    "max_all_queue_bytes",
    "max_messages_per_second",
    "max_bytes_per_second",
    "write_timeout_ms",
    "max_keep_alive",
];

/// The settings of a broker, each optional; what they mean is described at [`BrokerConfig`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Args, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Address to listen on, loopback only without --users; port 0 takes a free one; off for none [default: 127.0.0.1:1883]
    #[arg(long, value_name = "ADDRESS:PORT", env = "FOGLINE_BROKER_LISTEN")]
    pub listen: Option<Listen>,
    /// Address to listen on with TLS, usually with port 8883
    #[arg(long, value_name = "ADDRESS:PORT", env = "FOGLINE_BROKER_TLS_LISTEN")]
    pub tls_listen: Option<SocketAddr>,
    /// Address to listen on for WebSockets, loopback only without --users
    #[arg(long, value_name = "ADDRESS:PORT", env = "FOGLINE_BROKER_WS_LISTEN")]
    pub ws_listen: Option<SocketAddr>,
    /// Address to listen on for WebSockets over TLS
    #[arg(long, value_name = "ADDRESS:PORT", env = "FOGLINE_BROKER_WSS_LISTEN")]
    pub wss_listen: Option<SocketAddr>,
    /// Sites whose pages may open WebSockets, besides the broker's own address; separated by commas
    #[arg(long, value_name = "https://HOST:PORT", value_delimiter = ',', env = "FOGLINE_BROKER_WS_ORIGINS")]
    pub ws_origins: Option<Vec<String>>,
    /// The broker's certificate for TLS, PEM: its own first, then its CA's; read again when it changes
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// The certificate's key, PEM, not encrypted
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// The CAs whose client certificates are good, PEM
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_TLS_CLIENT_CA")]
    pub tls_client_ca: Option<PathBuf>,
    /// Client certificates that were revoked, PEM: one list of each of those CAs
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_TLS_CRL")]
    pub tls_crl: Option<PathBuf>,
    /// Whether clients must show a certificate [default: not-asked]
    #[arg(long, value_name = "WHETHER", env = "FOGLINE_BROKER_TLS_CLIENT_CERTIFICATES")]
    pub tls_client_certificates: Option<ClientCertificates>,
    /// File of those who may connect; without it everybody may, from this machine
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_USERS")]
    pub users: Option<PathBuf>,
    /// File of what they may do, beyond what is built in
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_RULES")]
    pub rules: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, trace, or a filter as in RUST_LOG; -v, -q and RUST_LOG go before it [default: info]
    #[arg(long, value_name = "LEVEL", env = "FOGLINE_BROKER_LOG")]
    pub log: Option<String>,
    /// Address of health and metrics over HTTP, none by default; open to others only with --http-tokens
    #[arg(long, value_name = "ADDRESS:PORT", env = "FOGLINE_BROKER_HTTP")]
    pub http: Option<SocketAddr>,
    /// File of tokens for it, see `fogline token`; without one everybody on this machine may look
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_HTTP_TOKENS")]
    pub http_tokens: Option<PathBuf>,
    /// Serve HTTPS with this certificate, PEM; read again when it changes
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_HTTP_CERT")]
    pub http_cert: Option<PathBuf>,
    /// That certificate's key, PEM, not encrypted
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_HTTP_KEY")]
    pub http_key: Option<PathBuf>,
    /// Connections at the same time [default: 20000]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_BROKER_MAX_CONNECTIONS")]
    pub max_connections: Option<usize>,
    /// Largest packet accepted [default: 65536]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_BROKER_MAX_PAYLOAD_BYTES")]
    pub max_payload_bytes: Option<usize>,
    /// Size of a segment of what the router holds for a client [default: 16384]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_BROKER_SEGMENT_BYTES")]
    pub segment_bytes: Option<usize>,
    /// Segments of it [default: 2]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_BROKER_SEGMENT_COUNT")]
    pub segment_count: Option<usize>,
    /// The same for clients that subscribe wildcards above the last level, as ingesters do [default: 262144]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_BROKER_INGEST_SEGMENT_BYTES")]
    pub ingest_segment_bytes: Option<usize>,
    /// Segments of that [default: 4]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_BROKER_INGEST_SEGMENT_COUNT")]
    pub ingest_segment_count: Option<usize>,
    /// Most bytes that wait for one client; one that is further behind is disconnected [default: 8388608]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_BROKER_MAX_QUEUE_BYTES")]
    pub max_queue_bytes: Option<usize>,
    /// Most bytes that wait for all clients together [default: 268435456]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_BROKER_MAX_ALL_QUEUE_BYTES")]
    pub max_all_queue_bytes: Option<usize>,
    /// Most messages that a client may publish in a second; 0 is no limit [default: 0]
    #[arg(long, value_name = "COUNT", env = "FOGLINE_BROKER_MAX_MESSAGES_PER_SECOND")]
    pub max_messages_per_second: Option<u32>,
    /// Most bytes that a client may publish in a second; 0 is no limit [default: 0]
    #[arg(long, value_name = "BYTES", env = "FOGLINE_BROKER_MAX_BYTES_PER_SECOND")]
    pub max_bytes_per_second: Option<u32>,
    /// Disconnect a client that takes nothing for this long [default: 20000]
    #[arg(long, value_name = "MILLISECONDS", env = "FOGLINE_BROKER_WRITE_TIMEOUT_MS")]
    pub write_timeout_ms: Option<u64>,
    /// Longest keep-alive of MQTT 5 clients, which are told [default: 60]
    #[arg(long, value_name = "SECONDS", env = "FOGLINE_BROKER_MAX_KEEP_ALIVE")]
    pub max_keep_alive: Option<u16>,
    /// Pause between two checks that a message makes its round trip [default: 3000]
    #[arg(long, value_name = "MILLISECONDS", env = "FOGLINE_BROKER_WATCHDOG_INTERVAL_MS")]
    pub watchdog_interval_ms: Option<u64>,
    /// End when no message made its round trip for this long [default: 30000]
    #[arg(long, value_name = "MILLISECONDS", env = "FOGLINE_BROKER_WATCHDOG_DEADLINE_MS")]
    pub watchdog_deadline_ms: Option<u64>,
}

/// The command line of a broker.
#[derive(Debug, Clone, Default, Args)]
#[non_exhaustive]
pub struct BrokerArgs {
    /// The settings given as flags or in the environment.
    #[command(flatten)]
    pub settings: Settings,
    /// Read settings from this TOML file; flags and environment go before it
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_CONFIG")]
    pub config: Option<PathBuf>,
    /// What is done instead of running.
    #[command(flatten)]
    pub instead: FileCommand,
}

impl BrokerArgs {
    /// The configuration in effect.
    ///
    /// # Errors
    /// All that is wrong with the file and with the values, together, each with its remedy.
    pub fn resolve(self) -> Result<BrokerConfig, SettingsError> {
        self.read().map(|(_, config)| config)
    }

    /// All settings in effect, and the configuration that follows. May be called again, to read the file again.
    ///
    /// # Errors
    /// As [`BrokerArgs::resolve`].
    pub fn read(&self) -> Result<(Settings, BrokerConfig), SettingsError> {
        let mut file = SettingsFile::read(self.config.as_deref());
        let settings = self.settings.clone().or(std::mem::take(&mut file.settings));
        let mut problems: Vec<String> = settings.partners_missing().into_iter().collect();
        fogline_door::logging::check(settings.log.as_deref(), &mut problems);
        let http = settings.http(&mut problems);
        let log = settings.log.clone();
        let config = BrokerConfig { http, ..settings.over(BrokerConfig::default()) };
        problems.extend(config.problems());
        file.check(&self.settings, problems)?;
        Ok((Settings { log, ..Settings::from(&config) }, config))
    }

    /// What the command line asks for; what is not to run is done here.
    #[must_use]
    pub fn asked(&self) -> Asked<(Settings, BrokerConfig)> {
        self.instead.asked(&self.settings, self.config.as_deref(), || self.read())
    }
}

impl fogline_service::settings::Settings for Settings {
    const PROGRAM: &'static str = "fogline-broker";
    const RELOADED: &'static [&'static str] = RELOADED;

    fn or(self, other: Self) -> Self {
        Self::or(self, other)
    }

    fn defaults(_: &Self) -> Self {
        Self { log: Some("info".to_owned()), ..Self::from(&BrokerConfig::default()) }
    }
}

impl Settings {
    /// Each of these settings, or the other's where it is not given.
    fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            users: self.users.or(other.users),
            rules: self.rules.or(other.rules),
            tls_listen: self.tls_listen.or(other.tls_listen),
            ws_listen: self.ws_listen.or(other.ws_listen),
            wss_listen: self.wss_listen.or(other.wss_listen),
            ws_origins: self.ws_origins.or(other.ws_origins),
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            tls_client_ca: self.tls_client_ca.or(other.tls_client_ca),
            tls_crl: self.tls_crl.or(other.tls_crl),
            tls_client_certificates: self.tls_client_certificates.or(other.tls_client_certificates),
            log: self.log.or(other.log),
            http: self.http.or(other.http),
            http_tokens: self.http_tokens.or(other.http_tokens),
            http_cert: self.http_cert.or(other.http_cert),
            http_key: self.http_key.or(other.http_key),
            max_connections: self.max_connections.or(other.max_connections),
            max_payload_bytes: self.max_payload_bytes.or(other.max_payload_bytes),
            segment_bytes: self.segment_bytes.or(other.segment_bytes),
            segment_count: self.segment_count.or(other.segment_count),
            ingest_segment_bytes: self.ingest_segment_bytes.or(other.ingest_segment_bytes),
            ingest_segment_count: self.ingest_segment_count.or(other.ingest_segment_count),
            max_queue_bytes: self.max_queue_bytes.or(other.max_queue_bytes),
            max_all_queue_bytes: self.max_all_queue_bytes.or(other.max_all_queue_bytes),
            max_messages_per_second: self.max_messages_per_second.or(other.max_messages_per_second),
            max_bytes_per_second: self.max_bytes_per_second.or(other.max_bytes_per_second),
            write_timeout_ms: self.write_timeout_ms.or(other.write_timeout_ms),
            max_keep_alive: self.max_keep_alive.or(other.max_keep_alive),
            watchdog_interval_ms: self.watchdog_interval_ms.or(other.watchdog_interval_ms),
            watchdog_deadline_ms: self.watchdog_deadline_ms.or(other.watchdog_deadline_ms),
        }
    }

    /// The files of TLS, when what they need is there.
    fn tls(&self) -> Option<TlsConfig> {
        Some(TlsConfig {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
            client_ca: self.tls_client_ca.clone(),
            crl: self.tls_crl.clone(),
            client_certificates: self.tls_client_certificates.unwrap_or_default(),
        })
    }

    /// What was given without what it is of no use without, each with its remedy.
    fn partners_missing(&self) -> Option<String> {
        let missing = |name: &str, flags: &str| format!("{name}: of no use alone; give {flags} too");
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), Some(_)) => return None,
            (Some(_), None) => return Some(missing("tls_cert", "--tls-key")),
            (None, Some(_)) => return Some(missing("tls_key", "--tls-cert")),
            (None, None) => {}
        }
        let given = [
            ("tls_client_ca", self.tls_client_ca.is_some()),
            ("tls_crl", self.tls_crl.is_some()),
            ("tls_client_certificates", self.tls_client_certificates.is_some()),
        ];
        let (name, _) = given.into_iter().find(|(_, given)| *given)?;
        Some(missing(name, "--tls-cert and --tls-key"))
    }

    /// Where HTTP is served, if it is.
    fn http(&self, problems: &mut Vec<String>) -> Option<HttpConfig> {
        let files = [&self.http_tokens, &self.http_cert, &self.http_key];
        let Some(address) = self.http else {
            if files.iter().any(|file| file.is_some()) {
                problems
                    .push("http_tokens, http_cert, http_key: of no use alone; give --http ADDRESS:PORT too".to_owned());
            }
            return None;
        };
        let [tokens, certificate, key] = files.map(Clone::clone);
        Some(HttpConfig::checked(address, tokens, certificate, key, problems))
    }

    fn over(self, base: BrokerConfig) -> BrokerConfig {
        BrokerConfig {
            http: base.http,
            listen: self.listen.map_or(base.listen, |Listen(address)| address),
            tls: self.tls().or(base.tls),
            tls_listen: self.tls_listen.or(base.tls_listen),
            ws_listen: self.ws_listen.or(base.ws_listen),
            wss_listen: self.wss_listen.or(base.wss_listen),
            ws_origins: self.ws_origins.unwrap_or(base.ws_origins),
            users: self.users.or(base.users),
            rules: self.rules.or(base.rules),
            max_connections: self.max_connections.unwrap_or(base.max_connections),
            max_payload_bytes: self.max_payload_bytes.unwrap_or(base.max_payload_bytes),
            segment_bytes: self.segment_bytes.unwrap_or(base.segment_bytes),
            segment_count: self.segment_count.unwrap_or(base.segment_count),
            ingest_segment_bytes: self.ingest_segment_bytes.unwrap_or(base.ingest_segment_bytes),
            ingest_segment_count: self.ingest_segment_count.unwrap_or(base.ingest_segment_count),
            max_queue_bytes: self.max_queue_bytes.unwrap_or(base.max_queue_bytes),
            max_all_queue_bytes: self.max_all_queue_bytes.unwrap_or(base.max_all_queue_bytes),
            max_messages_per_second: self.max_messages_per_second.unwrap_or(base.max_messages_per_second),
            max_bytes_per_second: self.max_bytes_per_second.unwrap_or(base.max_bytes_per_second),
            write_timeout: self.write_timeout_ms.map_or(base.write_timeout, Duration::from_millis),
            max_keep_alive: self.max_keep_alive.unwrap_or(base.max_keep_alive),
            watchdog_interval: self.watchdog_interval_ms.map_or(base.watchdog_interval, Duration::from_millis),
            watchdog_deadline: self.watchdog_deadline_ms.map_or(base.watchdog_deadline, Duration::from_millis),
        }
    }
}

impl From<&BrokerConfig> for Settings {
    fn from(config: &BrokerConfig) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).ok();
        let tls = config.tls.as_ref();
        let http = config.http.as_ref();
        let http_tls = http.and_then(|http| http.tls.as_ref());
        Self {
            log: None,
            listen: Some(Listen(config.listen)),
            tls_listen: config.tls_listen,
            ws_listen: config.ws_listen,
            wss_listen: config.wss_listen,
            ws_origins: Some(config.ws_origins.clone()),
            tls_cert: tls.map(|tls| tls.certificate.clone()),
            tls_key: tls.map(|tls| tls.key.clone()),
            tls_client_ca: tls.and_then(|tls| tls.client_ca.clone()),
            tls_crl: tls.and_then(|tls| tls.crl.clone()),
            tls_client_certificates: tls.map(|tls| tls.client_certificates),
            users: config.users.clone(),
            rules: config.rules.clone(),
            http: http.map(|http| http.address),
            http_tokens: http.and_then(|http| http.tokens.clone()),
            http_cert: http_tls.map(|tls| tls.certificate.clone()),
            http_key: http_tls.map(|tls| tls.key.clone()),
            max_connections: Some(config.max_connections),
            max_payload_bytes: Some(config.max_payload_bytes),
            segment_bytes: Some(config.segment_bytes),
            segment_count: Some(config.segment_count),
            ingest_segment_bytes: Some(config.ingest_segment_bytes),
            ingest_segment_count: Some(config.ingest_segment_count),
            max_queue_bytes: Some(config.max_queue_bytes),
            max_all_queue_bytes: Some(config.max_all_queue_bytes),
            max_messages_per_second: Some(config.max_messages_per_second),
            max_bytes_per_second: Some(config.max_bytes_per_second),
            write_timeout_ms: ms(config.write_timeout),
            max_keep_alive: Some(config.max_keep_alive),
            watchdog_interval_ms: ms(config.watchdog_interval),
            watchdog_deadline_ms: ms(config.watchdog_deadline),
        }
    }
}

#[cfg(test)]
mod tests;
