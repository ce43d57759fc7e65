//! The broker as a command, for its own program and for the all-in-one one.

use std::{
    io::{self, Write},
    pin::pin,
    process::ExitCode,
};

use crate::{
    broker::Broker,
    config::BrokerConfig,
    error::BrokerError,
    listeners::Scheme,
    open_files,
    settings::{BrokerArgs, Settings},
};

/// Exit status for settings that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;

/// Examples for the end of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  fogline-broker                                listen on 127.0.0.1:1883
  fogline-broker --listen 127.0.0.1:0           take a free port, named in the ready line
  fogline-broker --print-config > broker.toml   write the settings in effect to a file
  fogline-broker --config broker.toml           read them from it
  fogline-broker --users users --listen 0.0.0.0:1883
                                                let in those whom fogline-broker user add has added
  fogline-broker --tls-listen 0.0.0.0:8883 --tls-cert server.pem --tls-key server-key.pem \\
    --tls-client-ca ca.pem --tls-client-certificates required
                                                TLS for other machines, which must show certificates
  fogline-broker --http 127.0.0.1:8083          serve /healthz and /metrics
  fogline-broker healthcheck                    exit with 0 when a broker with --http lives
  mosquitto_sub -q 1 -v -t 'fogline/v1/#'       watch the messages that pass

SIGHUP makes it read users, rules and TLS files again; it does so by itself when they change.

Flags go before the environment, the environment before the file.

Exit status:
  0  stopped by SIGTERM or SIGINT
  1  cannot listen, TLS files cannot be used, or the router died
  2  bad settings";

/// Runs a broker until SIGTERM or SIGINT and gives the exit status: 0 when stopped, 1 when it could not start or died,
/// 2 for bad settings.
///
/// Says on standard output when it is ready; errors go to standard error.
pub async fn execute(args: BrokerArgs) -> ExitCode {
    let print_only = args.print_config;
    let outcome = match args.resolve() {
        Ok(config) if print_only => print(&config),
        Ok(config) => serve(config).await,
        Err(errors) => Err(BrokerError::from(errors).into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            exit_code(&error)
        }
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    match error.downcast_ref::<BrokerError>() {
        Some(BrokerError::Settings(_) | BrokerError::Access(_)) => ExitCode::from(EXIT_USAGE),
        _ => ExitCode::FAILURE,
    }
}

fn print(config: &BrokerConfig) -> anyhow::Result<()> {
    let text = toml::to_string(&Settings::from(config))?;
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

async fn serve(config: BrokerConfig) -> anyhow::Result<()> {
    open_files::allow(config.max_connections);
    let mut stopped = pin!(stop_signal()?);
    let mut reload = reload_signal()?;
    let broker = tokio::select! {
        started = Broker::start(config) => started?,
        () = &mut stopped => return Ok(()),
    };
    say_ready(&broker);
    let outcome = loop {
        tokio::select! {
            () = &mut stopped => break Ok(()),
            () = reload.wait() => broker.reload().await,
            failure = broker.failed() => break Err(BrokerError::from(failure)),
        }
    };
    broker.stop().await;
    outcome?;
    tracing::info!("stopped");
    Ok(())
}

/// One line for each listener, the plain one first and without a scheme.
fn say_ready(broker: &Broker) {
    let mut lines = String::new();
    for (scheme, address) in broker.addresses() {
        tracing::info!(%scheme, %address, "ready");
        let scheme = if scheme == Scheme::Mqtt { String::new() } else { format!("{scheme}://") };
        lines += &format!("fogline-broker ready on {scheme}{address}\n");
    }
    if let Some(url) = broker.http_url() {
        tracing::info!(%url, "serves health and metrics");
        lines += &format!("fogline-broker serves health and metrics on {url}\n");
    }
    let mut stdout = io::stdout().lock();
    // In one piece: who reads only the first line may close it then. That is no reason to stop carrying messages.
    if let Err(error) = stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush()) {
        tracing::warn!(%error, "cannot say on standard output that the broker is ready");
    }
}

/// Completes at the first SIGTERM or SIGINT after this call.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("stopping: SIGTERM"),
            _ = interrupt.recv() => tracing::info!("stopping: SIGINT"),
        }
    })
}

/// SIGHUP, the signal by which services are told to read their files again.
#[cfg(unix)]
struct Reload(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Reload {
    async fn wait(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(unix)]
fn reload_signal() -> io::Result<Reload> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Reload)
}

/// Other systems have no such signal; files are read again when they change.
#[cfg(not(unix))]
struct Reload;

#[cfg(not(unix))]
impl Reload {
    async fn wait(&mut self) {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
fn reload_signal() -> io::Result<Reload> {
    Ok(Reload)
}

/// Completes at the first Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "cannot listen for Ctrl-C");
            std::future::pending::<()>().await;
        }
    })
}
