//! The command line of the city.

use super::api::ApiConfig;
use super::handle::{City, CityConfig};
use super::sensors::word;
use super::watch::{self, WatchStart};
use crate::cli::EXIT_USAGE;
use clap::{Args, Subcommand};
use fogline_door::http::Bearer;
use fogline_protocol::city::Place;
use fogline_protocol::ids::Name;
use fogline_runtime::link::{BrokerAddress, LinkSecurity};
use fogline_runtime::secret::Secret;
use fogline_runtime::settings::SecuritySettings;
use fogline_runtime::signals;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline city nodes --count 5                         five nodes, spread over the city; Ctrl-C lets them leave in order
  fogline city nodes --count 2 --at 10,10 --at 80,80   where they are to stand
  fogline city sensors --count 20 --rate 2             twenty sensors, two samples a second each
  fogline city watch                                   nodes, their coordinator and averages, each second
  fogline city nodes --broker mqtts://broker.example --broker-ca tls/ca.pem --logins tls/agents
                                                       each with the certificate of its name: node-1, node-2, ...
  fogline city watch --for 10 --json                   the same for ten seconds, a JSON line each

A broker and an ingester must run: `fogline broker`, `fogline ingest`. Nodes are registered at the ingester's API.

Exit status: 0 when stopped, 1 when it failed, 2 for bad settings.";

/// Holds the API's token where a container platform hands it over in the environment.
const TOKEN_VARIABLE: &str = "FOGLINE_API_TOKEN";
/// Holds the password for the broker.
const PASSWORD_VARIABLE: &str = "FOGLINE_CITY_PASSWORD";

/// Start nodes and sensors of a city, and watch them.
#[derive(Debug, Args)]
pub struct CityArgs {
    #[command(subcommand)]
    command: CityCommand,
}

#[derive(Debug, Subcommand)]
enum CityCommand {
    /// Run nodes: each is an agent of its own, with its own queue
    #[command(after_help = EXAMPLES)]
    Nodes(NodesArgs),
    /// Run simulated sensors, spread over the city
    #[command(after_help = EXAMPLES)]
    Sensors(SensorsArgs),
    /// Show nodes, their coordinator, and the newest averages
    #[command(after_help = EXAMPLES)]
    Watch(WatchArgs),
}

#[derive(Debug, Args)]
struct Site {
    /// Broker, HOST:PORT, or mqtts://HOST:PORT for TLS; several in order of preference
    #[arg(long = "broker", value_name = "HOST:PORT", value_delimiter = ',', default_value = "127.0.0.1:1883")]
    brokers: Vec<BrokerAddress>,
    /// The region whose nodes are one city
    #[arg(long, value_name = "NAME", default_value = "city")]
    region: Name,
    /// End after so many seconds [default: when stopped]
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// PEM file of the CA that signs the broker's certificate [default: the roots of the system]
    #[arg(long, value_name = "FILE", help_heading = "Security")]
    broker_ca: Option<PathBuf>,
    /// User name at the broker [default: the client's name, with a password]
    #[arg(long, value_name = "NAME", help_heading = "Security")]
    user: Option<String>,
    /// File that holds the broker's password [default: what FOGLINE_CITY_PASSWORD holds, or none]
    #[arg(long, value_name = "FILE", help_heading = "Security")]
    password_file: Option<PathBuf>,
    /// Folder with a certificate for each client, NAME.pem and NAME.key.pem, as `fogline tls` makes them in agents/, and, where the broker
    /// wants tokens too, NAME.token
    #[arg(long, value_name = "DIR", help_heading = "Security")]
    logins: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ApiArgs {
    /// The city's API: the ingester's HTTP address
    #[arg(long = "api", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// File that holds a token that may change the city's nodes [default: what FOGLINE_API_TOKEN holds, or none]
    #[arg(long, value_name = "FILE", help_heading = "Security")]
    token_file: Option<PathBuf>,
    /// PEM file of the CA that signed the API's certificate, for https
    #[arg(long, value_name = "FILE", help_heading = "Security")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct NodesArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    site: Site,
    /// How many, up to 50
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=50))]
    count: u32,
    /// Where the first, the second, … stands, U,V from 0 to 99 [default: where there is room]
    #[arg(long = "at", value_name = "U,V", value_parser = place)]
    places: Vec<Place>,
    /// They are called NAME-1, NAME-2, …; of several the greatest name coordinates
    #[arg(long, value_name = "NAME", default_value = "node")]
    name: String,
    /// Where their queues are, each in a folder of its name
    #[arg(long, value_name = "DIR", default_value = "fogline-data")]
    data_dir: PathBuf,
    /// The host under which they are registered
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    host: String,
}

#[derive(Debug, Args)]
struct SensorsArgs {
    #[command(flatten)]
    api: ApiArgs,
    #[command(flatten)]
    site: Site,
    /// How many, up to 1000
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Samples a second of each, from 0.01 to 100
    #[arg(long, value_name = "RATE", default_value_t = 1.0, value_parser = rate)]
    rate: f64,
    /// The name of their client, unique at the broker
    #[arg(long, value_name = "NAME", default_value = "sensors")]
    name: Name,
    /// The same seed puts them at the same places
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
struct WatchArgs {
    #[command(flatten)]
    site: Site,
    /// A JSON line each second
    #[arg(long)]
    json: bool,
}

fn place(text: &str) -> Result<Place, String> {
    let wrong = || "give U,V, both from 0 to 99".to_owned();
    let (u, v) = text.split_once(',').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse().map_err(|_| wrong());
    let place = Place { u: number(u)?, v: number(v)? };
    if place.is_on_grid() { Ok(place) } else { Err(wrong()) }
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|rate| (0.01..=100.0).contains(rate)).ok_or_else(|| "give 0.01 to 100".to_owned())
}

/// Runs it, and gives the exit status.
pub async fn execute(args: CityArgs) -> ExitCode {
    let result = match args.command {
        CityCommand::Nodes(args) => nodes(args).await,
        CityCommand::Sensors(args) => sensors(args).await,
        CityCommand::Watch(args) => watch(args).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Setting(problem)) => {
            eprintln!("error: {problem}");
            ExitCode::from(EXIT_USAGE)
        }
        Err(Failure::Run(error)) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    Setting(String),
    Run(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Run(error)
    }
}

impl ApiArgs {
    fn config(self) -> Result<ApiConfig, Failure> {
        let text = match &self.token_file {
            Some(path) => {
                let secret = Secret::read(path).map_err(|error| Failure::Setting(format!("--token-file: {error}")))?;
                Some(secret.expose().to_owned())
            }
            None => std::env::var(TOKEN_VARIABLE).ok().filter(|text| !text.is_empty()),
        };
        let wrong = || Failure::Setting(format!("--token-file or {TOKEN_VARIABLE}: this is no token"));
        let bearer = text.map(|text| Bearer::new(&text).ok_or_else(wrong)).transpose()?;
        Ok(ApiConfig { url: self.url, bearer, ca: self.ca })
    }
}

impl Site {
    fn security(&self, name: &str) -> Result<LinkSecurity, Failure> {
        let login = |suffix: &str| self.logins.as_ref().map(|folder| folder.join(format!("{name}{suffix}")));
        let settings = SecuritySettings {
            broker_cert: login(".pem"),
            broker_key: login(".key.pem"),
            broker_ca: self.broker_ca.clone(),
            user: self.user.clone(),
            password_file: self.password_file.clone().or_else(|| login(".token").filter(|file| file.exists())),
        };
        let mut problems = Vec::new();
        let security = settings.check(name, &self.brokers, PASSWORD_VARIABLE, &mut problems);
        if problems.is_empty() { Ok(security) } else { Err(Failure::Setting(problems.join("\n"))) }
    }

    fn city(&self, api: ApiArgs, data_dir: PathBuf, host: String) -> Result<City, Failure> {
        let (brokers, region) = (self.brokers.clone(), self.region.clone());
        let config = CityConfig { api: api.config()?, brokers, region, data_dir, host };
        City::new(config).map_err(|error| Failure::Setting(error.to_string()))
    }

    /// Until it is stopped, or its time is over.
    async fn end(&self) {
        match self.seconds {
            None => signals::stop().await,
            Some(seconds) => {
                tokio::select! {
                    () = signals::stop() => {}
                    () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
                }
            }
        }
    }
}

async fn nodes(args: NodesArgs) -> Result<(), Failure> {
    let NodesArgs { api, site, count, places, name, data_dir, host } = args;
    let mut city = site.city(api, data_dir, host)?;
    let end = site.end();
    tokio::pin!(end);
    let mut places = places.into_iter();
    for number in 1..=count {
        let name = format!("{name}-{number}");
        let security = site.security(&name)?;
        let name = Name::new(&name).map_err(|error| Failure::Setting(format!("--name: {error}")))?;
        let started = tokio::select! {
            () = &mut end => break,
            started = city.start_node(name, places.next(), security) => started,
        };
        if let Err(error) = started {
            // Those that run leave in order.
            city.stop().await?;
            return Err(error.into());
        }
    }
    for view in city.nodes() {
        println!("{} at {},{}", view.node.id, view.node.u, view.node.v);
    }
    println!("fogline city: {} nodes ready", city.nodes().count());
    finish(city, end).await
}

async fn sensors(args: SensorsArgs) -> Result<(), Failure> {
    let SensorsArgs { api, site, count, rate, name, seed } = args;
    let mut city = site.city(api, PathBuf::new(), String::new())?;
    let security = site.security(name.as_str())?;
    city.start_sensors(name, count, rate, seed, security).await?;
    println!("fogline city: {count} sensors ready");
    let end = site.end();
    tokio::pin!(end);
    finish(city, end).await
}

async fn finish(city: City, end: impl Future<Output = ()>) -> Result<(), Failure> {
    tokio::pin!(end);
    let mut looks = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = &mut end => break,
            _ = looks.tick() => {
                if city.has_ended() {
                    break;
                }
            }
        }
    }
    let last: Vec<_> = city.sensors().collect();
    let nodes: Vec<_> = city.nodes().map(|view| (view.node.id, word(view.city.state), view.city.uploaded)).collect();
    city.stop().await?;
    for (node, state, uploaded) in nodes {
        println!("{node} has left: was {state}, uploaded {uploaded} averages");
    }
    for sensors in last {
        println!(
            "{} samples: {} acknowledged, {} kept, {} dropped",
            sensors.sampled, sensors.acknowledged, sensors.kept, sensors.dropped
        );
    }
    Ok(())
}

async fn watch(args: WatchArgs) -> Result<(), Failure> {
    let WatchArgs { site, json } = args;
    let security = site.security("watch")?;
    let (brokers, region) = (site.brokers.clone(), site.region.clone());
    let start = WatchStart { brokers, region, security, json };
    Ok(watch::run(start, site.end()).await?)
}
