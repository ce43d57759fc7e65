//! `fogline demo`: one site or two, each a broker and an ingester, agents of all five use cases, all in one process, and what happens
//! between them.

mod addresses;
mod agents;
mod broker;
mod city;
mod display;
mod entrance;
mod ingester;
mod keys;
mod log;
pub(crate) mod part;
mod pull;
mod scene;
mod site;
mod view;

pub(crate) use agents::names as agent_names;

use crate::figures::count;
use anyhow::Context;
use clap::Args;
use display::Display;
use pull::{Planned, Pull};
use scene::Scene;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, sleep_until};

/// How often the picture is renewed.
const EVERY: Duration = Duration::from_secs(1);

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline demo                               a table each second; Ctrl-C ends it, and it goes on where it was when started again
  fogline demo --data-dir /tmp/try           keep queues and store elsewhere
  fogline demo --for 10 --json               ten seconds, a JSON line each
  fogline demo --secure                      over TLS with certificates on both sides, under the access rules
  fogline demo --sites 2                     two sites that share a store: kill one, and watch the other take over
  fogline demo --sites 2 --for 40 --pull S1@10 --pull s1@25    the same unattended: site 1 is killed, and started again
  fogline agent status --name lane-1         look into the queue of an agent meanwhile
  sqlite3 -readonly fogline-data/ingest/fogline.db 'SELECT * FROM readings ORDER BY time DESC LIMIT 5'

The first line is the address of the control room: open it in a browser. What runs: a road with three sensors, two weather stations,
households, two car parks, and a city of five nodes with twelve sensors.

On a terminal, type b, i or 1 to 10 and Enter to stop the broker, the ingester or an agent, and again to start it: readings
wait in the queues meanwhile, and none is lost. With two sites b1, i1, s1 are broker, ingester and both of site 1, b2, i2, s2
those of site 2. A small letter stops in order: an ingester that leads hands over. A capital (B1, I1, S1) kills: the part is cut off
where it stands, without a goodbye, and the other site must find out. It is still one process: nothing here stands for a SIGKILL of
it all, or for a loss of power; `fogline bench --failover` and `fogline lab` kill real processes.";

/// What the demo does.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Where queues and store are kept
    #[arg(long, value_name = "DIR", default_value = "fogline-data", env = "FOGLINE_DEMO_DATA_DIR")]
    pub data_dir: PathBuf,
    /// End after so many seconds [default: at Ctrl-C]
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
    /// Readings a second of each of the three road sensors, 0.1 to 100000
    #[arg(long, value_name = "NUMBER", default_value_t = 5.0, value_parser = rate)]
    pub rate: f64,
    /// How many sites: with two the ingesters share the store, one leads and the other stands by, and agents know both brokers
    #[arg(long, value_name = "1|2", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=2))]
    pub sites: u16,
    /// Pull a plug so many seconds after the start, or put it back in: S1@10 kills site 1 after 10 s (see below)
    #[arg(long = "pull", value_name = "PLUG@SECONDS", value_delimiter = ',')]
    pub(crate) pulls: Vec<Planned>,
    /// Encrypt: TLS with certificates on both sides, made for this run, and nobody reads or writes for another
    #[arg(long)]
    pub secure: bool,
    /// Print a line of JSON each second
    #[arg(long)]
    pub json: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.1..=100_000.0).contains(&rate) { Ok(rate) } else { Err("give 0.1 to 100000".to_owned()) }
}

/// Runs the demo until its time is over, or until SIGTERM or Ctrl-C, and gives the exit status: 0 when it was stopped,
/// 1 when a part of it failed.
pub async fn execute(args: DemoArgs) -> ExitCode {
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the output has seen enough: `fogline demo | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

async fn run(args: DemoArgs) -> anyhow::Result<()> {
    // Asked for first: a stop during the start is a stop too.
    let mut stop = std::pin::pin!(fogline_runtime::signals::stop());
    let folder = &args.data_dir;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the data directory {}", folder.display()))?;
    log::to_file(&folder.join("demo.log"))?;
    let mut display = Display::new(args.json);
    let mut scene = tokio::select! {
        started = Scene::start(&args, &mut display) => started?,
        () = &mut stop => return Ok(()),
    };
    let shown = show(&args, &mut scene, &mut display, stop).await;
    let view = scene.stop().await?;
    shown?;
    display.last(&view)
}

/// Shows the sites until it is over.
async fn show(
    args: &DemoArgs,
    scene: &mut Scene,
    display: &mut Display,
    mut stop: std::pin::Pin<&mut impl Future<Output = ()>>,
) -> anyhow::Result<()> {
    let start = Instant::now();
    let end = args.seconds.map(|seconds| start + Duration::from_secs(seconds));
    let mut keys = keys::listen(display.is_screen());
    let mut planned = args.pulls.clone();
    planned.sort_by_key(|planned| planned.at);
    let mut planned = planned.into_iter().peekable();
    let mut ticks = tokio::time::interval_at(start + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let next = planned.peek().map(|planned| start + planned.at);
        tokio::select! {
            biased;
            () = &mut stop => return Ok(()),
            Some(pulled) = keys.recv() => pull(scene, pulled, start, display).await?,
            () = sleep_until(next.unwrap_or(start)), if next.is_some() => {
                if let Some(planned) = planned.next() {
                    pull(scene, planned.pull, start, display).await?;
                }
            }
            _ = ticks.tick() => {
                let view = scene.view(start.elapsed()).await?;
                display.show(&view)?;
                // The last second is shown too.
                if end.is_some_and(|end| Instant::now() >= end) {
                    return Ok(());
                }
            }
        }
    }
}

async fn pull(scene: &mut Scene, pull: Pull, start: Instant, display: &Display) -> anyhow::Result<()> {
    display.pulled(pull, start.elapsed().as_secs())?;
    scene.pull(pull).await
}

/// What is said at the end.
fn farewell(view: &view::View) -> String {
    format!(
        "stopped: {} readings taken, {} stored, {} acknowledged; {} wait in the queues and are sent when it is started again",
        count(view.readings),
        count(view.stored),
        count(view.acknowledged),
        count(view.queued),
    )
}
