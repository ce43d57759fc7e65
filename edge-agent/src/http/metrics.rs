//! `GET /metrics`, in Prometheus' text format.

use crate::status::{EachSourceReport, LatencyReport, LiveReport, QueueReport, SourceState, StatusReport};
use fogline_protocol::time::Wall;
use fogline_protocol::trial::Phase;
use fogline_protocol::wire::State;
use fogline_runtime::clock::wall;
use std::fmt::Write as _;

/// Name, type, meaning and value of a metric without labels.
type Metric = (&'static str, &'static str, &'static str, f64);

/// Bounds of the histogram of times, in microseconds: from a local network to an outage.
const BUCKETS_US: [u64; 15] = [
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
    3_600_000_000,
];

const US_PER_SECOND: f64 = 1e6;
const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";

/// The page of a running agent; none of one that does not run.
pub(super) fn render(report: &StatusReport) -> Option<String> {
    let live = report.live.as_ref()?;
    let mut out = String::new();
    let limit = report.limit.iter().flat_map(|limit| {
        [
            ("fogline_agent_limit_kmh", GAUGE, "The speed limit that holds.", limit.limit_kmh),
            ("fogline_agent_limit_default", GAUGE, "1 while no decision is in force.", flag(limit.default)),
        ]
    });
    let metrics = queue(&report.queue, wall()).into_iter().chain(delivery(report, live)).chain(link(live)).chain(limit);
    for (name, kind, help, value) in metrics.chain(source(live)).chain(configuration(live)) {
        head(&mut out, name, kind, help);
        // Writing into a String cannot fail.
        writeln!(out, "{name} {value}").ok();
    }
    states(&mut out, live);
    each_source(&mut out, live);
    latency(&mut out, &live.latency);
    out += &fogline_service::reload::metrics("fogline_agent");
    let build = "fogline_build_info";
    head(&mut out, build, GAUGE, "The program.");
    writeln!(out, "{build}{{program=\"fogline-agent\",version=\"{}\"}} 1", live.version).ok();
    Some(out)
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}").ok();
}

fn queue(queue: &QueueReport, now: Wall) -> [Metric; 5] {
    let age = queue.oldest_us.map_or(0.0, |us| now.since(Wall::from_us(us)).as_secs_f64());
    [
        ("fogline_agent_queue_readings", GAUGE, "Readings in the queue.", number(queue.readings)),
        ("fogline_agent_queue_bytes", GAUGE, "Their bytes as JSON.", number(queue.bytes)),
        ("fogline_agent_queue_oldest_age_seconds", GAUGE, "Age of the oldest one; 0 when there is none.", age),
        (
            "fogline_agent_dropped_total",
            COUNTER,
            "Readings dropped for want of room or for age, since the queue was made.",
            number(queue.dropped),
        ),
        (
            "fogline_agent_damaged_total",
            COUNTER,
            "Readings that damage to the queue took, since it was made.",
            number(queue.damaged),
        ),
    ]
}

fn delivery(report: &StatusReport, live: &LiveReport) -> [Metric; 9] {
    [
        ("fogline_agent_unsent", GAUGE, "Readings that wait to be sent.", number(live.unsent)),
        ("fogline_agent_in_flight", GAUGE, "Readings sent and not acknowledged.", number(live.in_flight)),
        ("fogline_agent_in_flight_bytes", GAUGE, "Their bytes.", number(live.in_flight_bytes)),
        ("fogline_agent_credit_bytes", GAUGE, "Bytes that may be in flight.", number(live.credit_bytes)),
        (
            "fogline_agent_acknowledged_total",
            COUNTER,
            "Readings acknowledged since the queue was made.",
            number(report.acknowledged),
        ),
        ("fogline_agent_resent_total", COUNTER, "Readings sent more than once.", number(live.resent)),
        (
            "fogline_agent_messages_refused_total",
            COUNTER,
            "Messages from the broker that made no sense.",
            number(live.refused_messages),
        ),
        (
            "fogline_agent_queue_faulty",
            GAUGE,
            "1 while the disk does not do what it is asked for.",
            flag(live.fault.is_some()),
        ),
        ("fogline_agent_clock_held", GAUGE, "Readings that wait for the clock to be set.", number(live.clock.held)),
    ]
}

fn link(live: &LiveReport) -> Vec<Metric> {
    let mut metrics = vec![
        ("fogline_agent_connected", GAUGE, "1 while connected and subscribed.", flag(live.connected)),
        (
            "fogline_agent_moves_total",
            COUNTER,
            "How often a connected broker was left for another one.",
            number(live.moves),
        ),
    ];
    if let Some(ms) = live.heard_ms_ago {
        let help = "Seconds since an ingester was last heard; missing before the first word.";
        metrics.push(("fogline_agent_ingester_heard_age_seconds", GAUGE, help, number(ms) / 1000.0));
    }
    metrics
}

fn configuration(live: &LiveReport) -> [Metric; 2] {
    let configuration = &live.configuration;
    [
        (
            "fogline_agent_config_trying",
            GAUGE,
            "1 while a configuration of the operator is being tried.",
            flag(configuration.phase == Some(Phase::Trying)),
        ),
        (
            "fogline_agent_config_rolled_back_total",
            COUNTER,
            "Configurations of the operator that were rolled back.",
            number(configuration.rolled_back),
        ),
    ]
}

fn source(live: &LiveReport) -> [Metric; 4] {
    let source = &live.source;
    [
        (
            "fogline_agent_source_running",
            GAUGE,
            "1 while readings may come from the source.",
            flag(source.state == SourceState::Running),
        ),
        ("fogline_agent_source_offered_total", COUNTER, "Readings of the source.", number(source.offered)),
        ("fogline_agent_source_accepted_total", COUNTER, "Readings queued, durably.", number(source.accepted)),
        (
            "fogline_agent_source_skipped_total",
            COUNTER,
            "Lines or samples that were no readings.",
            number(source.skipped),
        ),
    ]
}

/// One of several is 1.
fn states(out: &mut String, live: &LiveReport) {
    let name = "fogline_agent_ingester_state";
    head(out, name, GAUGE, "1 for the ingester's state as last heard on this connection.");
    let states = [
        ("ok", Some(State::Ok)),
        ("store_down", Some(State::StoreDown)),
        ("busy", Some(State::Busy)),
        ("unknown", None),
    ];
    for (word, state) in states {
        writeln!(out, "{name}{{state=\"{word}\"}} {}", flag(live.ingester == state)).ok();
    }
    let name = "fogline_agent_broker";
    head(out, name, GAUGE, "1 for the broker that it is connected to; its place in the list is from 1.");
    if let Some(broker) = &live.broker {
        let (address, place) = (&broker.address, broker.place);
        writeln!(out, "{name}{{broker=\"{address}\",place=\"{place}\"}} 1").ok();
    }
}

/// Of several sources, each under its name, which has no quotes in it.
fn each_source(out: &mut String, live: &LiveReport) {
    let each = &live.source.each;
    let mut family = |name: &str, kind: &str, help: &str, value: fn(&EachSourceReport) -> f64| {
        if !each.is_empty() {
            head(out, name, kind, help);
        }
        for source in each {
            writeln!(out, "{name}{{source=\"{}\"}} {}", source.name, value(source)).ok();
        }
    };
    let running: fn(&EachSourceReport) -> f64 = |source| flag(source.state == SourceState::Running);
    family(
        "fogline_agent_each_source_running",
        GAUGE,
        "1 while readings may come from this one of several sources.",
        running,
    );
    family("fogline_agent_each_source_offered_total", COUNTER, "Readings of this source.", |source| {
        number(source.offered)
    });
    family("fogline_agent_each_source_skipped_total", COUNTER, "What was no reading, of this source.", |source| {
        number(source.skipped)
    });
}

fn latency(out: &mut String, latency: &LatencyReport) {
    let name = "fogline_agent_latency_seconds";
    head(out, name, "histogram", "From the sensor to the acknowledgement.");
    for bound in BUCKETS_US {
        let within: u64 = latency.counts.iter().filter(|(us, _)| *us <= bound).map(|(_, count)| count).sum();
        writeln!(out, "{name}_bucket{{le=\"{}\"}} {within}", number(bound) / US_PER_SECOND).ok();
    }
    let sum: f64 = latency.counts.iter().map(|(us, count)| number(*us) / US_PER_SECOND * number(*count)).sum();
    let count = latency.summary.count;
    writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}").ok();
}

#[allow(clippy::cast_precision_loss, reason = "Prometheus' values are floats")]
fn number(value: u64) -> f64 {
    value as f64
}

fn flag(value: bool) -> f64 {
    f64::from(u8::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;

    #[test]
    fn times_are_counted_in_buckets_that_add_up() {
        let mut latencies = Latencies::new().unwrap();
        [4_000, 9_000, 9_000, 400_000, 70_000_000].into_iter().for_each(|us| latencies.record(us));
        let mut out = String::new();
        latency(&mut out, &LatencyReport::new(&latencies));
        let value = |line: &str| {
            let found = out.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_else(|| panic!("{line}: {out}"));
            found.trim().parse::<f64>().unwrap()
        };
        for (le, count) in [("0.005", 1.0), ("0.01", 3.0), ("0.25", 3.0), ("0.5", 4.0), ("60", 4.0), ("300", 5.0)] {
            assert_eq!(value(&format!("fogline_agent_latency_seconds_bucket{{le=\"{le}\"}}")), count, "{le}");
        }
        assert_eq!(value("fogline_agent_latency_seconds_bucket{le=\"+Inf\"}"), 5.0);
        assert!((value("fogline_agent_latency_seconds_sum") - 70.422).abs() < 0.1);
    }

    #[test]
    fn an_empty_queue_has_no_age() {
        let usage = fogline_protocol::queue::QueueUsage::default();
        let age = queue(&QueueReport::new(usage, None), Wall::from_us(5_000_000))[2].3;
        assert_eq!(age, 0.0);
        let oldest = Some(Wall::from_us(2_000_000));
        let usage = fogline_protocol::queue::QueueUsage { oldest, ..usage };
        assert_eq!(queue(&QueueReport::new(usage, None), Wall::from_us(5_000_000))[2].3, 3.0);
    }
}
