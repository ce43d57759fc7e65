//! The broker as a command, for its own program and for the all-in-one one.

use std::{
    io::{self, Write},
    pin::pin,
    process::ExitCode,
};

use clap::Parser;
use fogline_door::logging::{self, LogArgs};
use fogline_service::{
    notify,
    reload::{Hangup, Reloader},
    settings::Asked,
};

use crate::{
    broker::Broker,
    config::BrokerConfig,
    error::BrokerError,
    listeners::Scheme,
    open_files,
    settings::{BrokerArgs, Settings},
    user_command::BrokerCommand,
};

/// Exit status for settings that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;

/// Examples for the end of `--help`.
pub const EXAMPLES: &str = "\
Examples:
  fogline-broker                                listen on 127.0.0.1:1883
  fogline-broker --listen 127.0.0.1:0           take a free port, named in the ready line
  fogline-broker --print-config > broker.toml   a file to start from: every key, explained, with its default
  fogline-broker --config broker.toml --check-config
                                                what is wrong with it, with lines and remedies
  fogline-broker --config broker.toml           read settings from it
  fogline-broker --users users --listen 0.0.0.0:1883
                                                let in those whom fogline-broker user add has added
  fogline-broker --tls-listen 0.0.0.0:8883 --tls-cert server.pem --tls-key server-key.pem \\
    --tls-client-ca ca.pem --tls-client-certificates required
                                                TLS for other machines, which must show certificates
  fogline-broker --http 127.0.0.1:8083          serve /healthz and /metrics
  fogline-broker healthcheck                    exit with 0 when a broker with --http lives
  mosquitto_sub -q 1 -v -t 'fogline/v1/#'       watch the messages that pass

SIGHUP makes it read its settings, users, rules and TLS files again; the files it reads by itself when they change.

Flags go before the environment, the environment before the file.

Exit status:
  0  stopped by SIGTERM or SIGINT
  1  cannot listen, TLS files cannot be used, or the router died
  2  bad settings";

/// The MQTT broker of a Fogline site.
///
/// Carries messages between agents and ingesters, and keeps them in memory only: Fogline acknowledges
/// readings end to end, so a restart of the broker loses none. Prints one line on standard output when it is ready.
/// Stops on SIGTERM and SIGINT (Ctrl-C).
#[derive(Debug, Parser)]
#[command(name = "fogline-broker", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<BrokerCommand>,
    /// The settings.
    #[command(flatten)]
    pub broker: BrokerArgs,
    /// How much to log.
    #[command(flatten)]
    pub log: LogArgs,
}

/// Runs a broker until SIGTERM or SIGINT and gives the exit status: 0 when stopped, 1 when it could not start or died,
/// 2 for bad settings.
///
/// Says on standard output when it is ready; errors go to standard error.
pub async fn execute(args: BrokerArgs) -> ExitCode {
    let outcome = match args.asked() {
        Asked::Run((settings, config)) => {
            logging::apply(settings.log.as_deref());
            serve(&args, Reloader::new(&settings, "carries messages".to_owned()), config).await
        }
        Asked::Done(status) => return status,
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

async fn serve(args: &BrokerArgs, mut reloader: Reloader<Settings>, config: BrokerConfig) -> anyhow::Result<()> {
    open_files::allow(config.max_connections);
    let mut stopped = pin!(stop_signal()?);
    let mut hangup = Hangup::listen();
    let broker = tokio::select! {
        started = Broker::start(config) => started?,
        () = &mut stopped => return Ok(()),
    };
    say_ready(&broker);
    reloader.ready();
    let outcome = loop {
        tokio::select! {
            () = &mut stopped => break Ok(()),
            () = hangup.next() => {
                broker.reload().await;
                if let Some(config) = reloader.reload(|| args.read()) {
                    broker.tune(&config);
                }
            }
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
        notify::stopping();
    })
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
