//! The figures of all rounds, as a table.

use std::{collections::BTreeMap, time::Duration};

use super::{brokers::Kind, idle, traffic, traffic::Shape};

/// Messages in a second, and the times they took: median, and 99 of 100.
type Traffic = (f64, Duration, Duration);
/// KiB for a connection, for one that has subscribed, and the time until all were back, if they were.
type Idle = (f64, f64, Option<Duration>);

/// What was measured, by broker; a figure for each round.
#[derive(Default)]
pub(crate) struct Figures {
    rates: BTreeMap<(Kind, Shape), Vec<Traffic>>,
    idle: BTreeMap<Kind, Vec<Idle>>,
}

fn range(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    match (values.first(), values.last()) {
        (Some(least), Some(most)) if least < most => format!("{least:.digits$} to {most:.digits$}"),
        (Some(only), _) => format!("{only:.digits$}"),
        _ => "-".to_owned(),
    }
}

impl Figures {
    pub(crate) fn traffic(&mut self, kind: Kind, shape: Shape, outcome: &traffic::Outcome) {
        self.rates.entry((kind, shape)).or_default().push((outcome.rate, outcome.p50, outcome.p99));
    }

    pub(crate) fn idle(&mut self, kind: Kind, outcome: &idle::Outcome) {
        self.idle.entry(kind).or_default().push((outcome.memory, outcome.memory_subscribed, outcome.back));
    }

    /// A table in Markdown, to be read as it is.
    pub(crate) fn print(&self, kinds: &[Kind]) {
        println!("| broker            | load  | messages/s, thousands | p50, ms          | p99, ms          |");
        println!("|-------------------|-------|-----------------------|------------------|------------------|");
        for shape in Shape::ALL {
            for kind in kinds {
                let Some(rounds) = self.rates.get(&(*kind, shape)) else { continue };
                let of = |pick: fn(&Traffic) -> f64| rounds.iter().map(pick).collect();
                let rate = range(of(|round| round.0 / 1e3), 0);
                let p50 = range(of(|round| round.1.as_secs_f64() * 1e3), 1);
                let p99 = range(of(|round| round.2.as_secs_f64() * 1e3), 1);
                println!("| {kind:17} | {:5} | {rate:21} | {p50:16} | {p99:16} |", shape.name());
            }
        }
        println!();
        println!("| broker            | idle, KiB each | with a filter each | all back, s    |");
        println!("|-------------------|----------------|--------------------|----------------|");
        for (kind, rounds) in &self.idle {
            let memory = range(rounds.iter().map(|round| round.0).collect(), 1);
            let subscribed = range(rounds.iter().map(|round| round.1).collect(), 1);
            let back = range(rounds.iter().filter_map(|round| round.2).map(|back| back.as_secs_f64()).collect(), 2);
            println!("| {kind:17} | {memory:14} | {subscribed:18} | {back:14} |");
        }
    }
}
