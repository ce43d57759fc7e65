//! What somebody is called for.

use super::alert::{Ask, Bad, Rule};
use super::query::Select;

/// All rules.
pub(super) fn all() -> Vec<Rule> {
    vec![
        agent_silent(),
        queue_filling(),
        readings_lost(),
        dead_letters(),
        no_leader(),
        store_down(),
        readings_late(),
        answers_late(),
        program_down(),
    ]
}

fn by_agent(what: &str, measurement: &str, range: &str) -> Ask {
    Ask::InfluxDb(Select::new(what, measurement).by("region").by("agent").within(range))
}

fn of_ingesters(what: &str, range: &str) -> Ask {
    Ask::InfluxDb(Select::new(what, "fogline_ingester").by("ingester").within(range))
}

/// Agents speak every 10 s. Without a leader nobody knows who is silent: that is an alert of its own.
fn agent_silent() -> Rule {
    Rule {
        uid: "fogline-agent-silent",
        title: "Agent silent",
        summary: "{{ .Labels.region }}/{{ .Labels.agent }} was not heard for a minute",
        advice: "Look for its power and its network. It queues what it measures; nothing is lost while its disk has room.",
        severity: "warning",
        ask: by_agent("last(\"silent_s\")", "fogline_delivery", "1m"),
        bad: Bad::Above(60.0),
        lasts: "1m",
        no_data: "OK",
        shown: ("fleet", "Silence"),
    }
}

fn queue_filling() -> Rule {
    Rule {
        uid: "fogline-queue-filling",
        title: "Queue filling",
        summary: "More than 10,000 readings wait on {{ .Labels.region }}/{{ .Labels.agent }}",
        advice: "Broker, ingester or database are away or too slow: see the boards Delivery and Stack. A full queue drops readings.",
        severity: "warning",
        ask: by_agent("last(\"queued\")", "fogline_agent", "2m"),
        bad: Bad::Above(10_000.0),
        lasts: "5m",
        no_data: "OK",
        shown: ("fleet", "Queue depth"),
    }
}

fn readings_lost() -> Rule {
    Rule {
        uid: "fogline-readings-lost",
        title: "Readings lost",
        summary: "Readings of {{ .Labels.region }}/{{ .Labels.agent }} will never come",
        advice: "Its queue was full, or its disk is damaged. `fogline audit` names them. Give the queue more room, or the way more speed.",
        severity: "critical",
        ask: by_agent("sum(\"gaps\")", "fogline_delivery", "10m"),
        bad: Bad::Above(0.0),
        lasts: "0s",
        no_data: "OK",
        shown: ("fleet", "Gaps"),
    }
}

fn dead_letters() -> Rule {
    Rule {
        uid: "fogline-dead-letters",
        title: "Dead letters",
        summary: "The database refuses readings that {{ .Labels.ingester }} brings",
        advice: "GET /api/v1/dead-letters says which and why; mostly a field has another type than before. Mend it, then retry them.",
        severity: "warning",
        ask: of_ingesters("sum(\"dead\")", "10m"),
        bad: Bad::Above(0.0),
        lasts: "0s",
        no_data: "OK",
        shown: ("delivery", "Dead letters"),
    }
}

/// One of each realm: what an ingester takes is a metric of its own, so that `fogline_ingest_leading` stays one series for each. Where
/// there is no ingester at all the answer is 0 all the same.
const LEADERS: &str = "sum by (takes) (fogline_ingest_leading * on (job, instance) group_left (takes) fogline_ingest_takes_info) or on () vector(0)";

/// Asks Prometheus: without a leader nobody writes to InfluxDB.
fn no_leader() -> Rule {
    Rule {
        uid: "fogline-no-leader",
        title: "No leader",
        summary: "No ingester takes readings{{ with .Labels.takes }} of {{ . }}{{ end }}",
        advice: "Look whether ingesters run and reach their brokers. Agents queue meanwhile.",
        severity: "critical",
        ask: Ask::Prometheus(LEADERS),
        bad: Bad::Below(1.0),
        lasts: "30s",
        no_data: "Alerting",
        shown: ("stack", "Who leads"),
    }
}

fn store_down() -> Rule {
    Rule {
        uid: "fogline-store-down",
        title: "Store down",
        summary: "{{ .Labels.instance }} cannot store",
        advice: "Its log and /readyz say why: the database is away, or its token, bucket or disk needs somebody. Agents queue meanwhile.",
        severity: "critical",
        ask: Ask::Prometheus("min by (instance) (fogline_ingest_store_up)"),
        bad: Bad::Below(1.0),
        lasts: "1m",
        no_data: "OK",
        shown: ("stack", "Store, as ingesters see it"),
    }
}

fn readings_late() -> Rule {
    Rule {
        uid: "fogline-readings-late",
        title: "Readings late",
        summary: "One of a hundred readings reaches the database later than 10 s after it was taken",
        advice: "After an outage this is the backlog, and ends. Else look for a slow database, or an agent whose clock is wrong.",
        severity: "warning",
        ask: of_ingesters("last(\"latency_p99_s\")", "2m"),
        bad: Bad::Above(10.0),
        lasts: "5m",
        no_data: "OK",
        shown: ("delivery", "Latency end to end"),
    }
}

fn answers_late() -> Rule {
    Rule {
        uid: "fogline-answers-late",
        title: "Decisions acknowledged late",
        summary: "{{ .Labels.region }}/{{ .Labels.agent }} took more than 30 s to acknowledge a decision",
        advice: "A limit that arrives so late is no use. Look for the agent's connection, and whether its broker is slow.",
        severity: "warning",
        ask: by_agent("max(\"ack_max_s\")", "fogline_delivery", "5m"),
        bad: Bad::Above(30.0),
        lasts: "0s",
        no_data: "OK",
        shown: ("delivery", "Time to answer"),
    }
}

fn program_down() -> Rule {
    Rule {
        uid: "fogline-program-down",
        title: "Program down",
        summary: "{{ .Labels.job }} at {{ .Labels.instance }} does not answer",
        advice: "Its metrics cannot be had for a minute: see whether it runs, and whether the token of Prometheus is still known there.",
        severity: "warning",
        ask: Ask::Prometheus("up"),
        bad: Bad::Below(1.0),
        lasts: "1m",
        no_data: "Alerting",
        shown: ("stack", "Up"),
    }
}
