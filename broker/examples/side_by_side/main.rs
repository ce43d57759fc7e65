//! Brokers side by side: the same load on Fogline's broker, on rumqttd's stock listener, on Mosquitto and on NATS, one after the other
//! on the same machine.
//!
//! ```text
//! cargo build --release -p fogline-broker
//! cargo run --release -p fogline-broker --features stock-listener --example side_by_side -- --rounds 3
//! ```
//! A broker that is not installed is left out with a word. The load comes from this process and shares the machine with the broker.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made ends here")]

mod brokers;
mod client;
mod idle;
mod report;
mod traffic;

use clap::Parser;

use brokers::{Broker, Kind};
use report::Figures;
use traffic::Shape;

/// Compare brokers under the same load
#[derive(Debug, Parser)]
struct Args {
    /// Messages that are published in each round, by all publishers together
    #[arg(long, default_value_t = 200_000)]
    messages: usize,
    /// Connections that do nothing
    #[arg(long, default_value_t = 5_000)]
    idle: usize,
    /// Times that everything is repeated; brokers take turns
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Messages without acknowledgement of a publisher that is alone
    #[arg(long, default_value_t = 100)]
    inflight: usize,
    /// The same of each of a hundred publishers; Fogline's agents have 16
    #[arg(long, default_value_t = 16)]
    inflight_each: usize,
    /// Only these brokers: gate, gate-open, stock, mosquitto, nats
    #[arg(long, value_delimiter = ',')]
    only: Vec<Kind>,
    /// Only these loads: 1-1, 100-1, 1-100, idle
    #[arg(long, value_delimiter = ',')]
    load: Vec<String>,
    #[arg(long, hide = true)]
    serve_stock: Option<u16>,
}

fn main() {
    let args = Args::parse();
    if let Some(port) = args.serve_stock {
        return brokers::serve_stock(port);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let kinds = if args.only.is_empty() { Kind::ALL.to_vec() } else { args.only.clone() };
    let mut figures = Figures::default();
    for round in 0..args.rounds {
        for kind in &kinds {
            eprintln!("round {} of {}: {kind}", round + 1, args.rounds);
            runtime.block_on(measure(&args, *kind, &mut figures));
        }
    }
    figures.print(&kinds);
}

async fn measure(args: &Args, kind: Kind, figures: &mut Figures) {
    let wanted = |load: &str| args.load.is_empty() || args.load.iter().any(|wanted| wanted == load);
    for shape in Shape::ALL {
        if !wanted(shape.name()) {
            continue;
        }
        let Some(broker) = Broker::start(kind, shape.clients().max(args.idle)).await else {
            eprintln!("{kind} is not installed");
            return;
        };
        let messages = args.messages / shape.subscribers().min(10);
        let inflight = if shape == Shape::HundredToOne { args.inflight_each } else { args.inflight };
        let outcome = traffic::run(&broker, shape, messages, inflight).await;
        figures.traffic(kind, shape, &outcome);
    }
    if wanted("idle") {
        let Some(broker) = Broker::start(kind, args.idle).await else { return };
        let outcome = idle::run(&broker, args.idle).await;
        figures.idle(kind, &outcome);
    }
}
