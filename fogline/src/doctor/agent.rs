//! What an agent needs of its machine, its brokers, and whoever is behind them.

use super::finding::{Findings, Progress};
use super::mqtt::{Mqtt, PATIENCE};
use super::{broker, certificates, disk, limits};
use fogline_agent::settings::AgentConfig;
use fogline_agent::status::{LiveReport, StatusReport};
use fogline_protocol::topic::{Down, Topic, Up, down_filter};
use fogline_protocol::wire::{Ack, Hello, Message, State};
use fogline_runtime::clock::entropy;
use fogline_runtime::link::BrokerAddress;
use std::time::{Duration, Instant};

/// Open files of an agent: queue, broker, sign, status, HTTP, a source's files.
const FILES: u64 = 256;
/// How often a hello is said before nobody is there.
const HELLOS: u32 = 3;
/// An ingester answers a status message every 10 s: two are missing.
const HEARD_MAX_MS: u64 = 21_000;

/// Looks at all of it. `may_login` is false where nothing may be said in the agent's name.
pub(super) fn check(findings: &mut Findings, progress: &Progress, config: &AgentConfig, may_login: bool) {
    progress.say("looking at the disk");
    let status = fogline_agent::status::ask(&config.data_dir).ok();
    let used = status.as_ref().and_then(|status| status.queue.file_bytes).unwrap_or(0);
    disk::check(findings, &config.data_dir, Some(config.limits.bytes), used);
    limits::open_files(findings, FILES);
    files(findings, config);
    let running = status.as_ref().filter(|status| status.running);
    if let Some(running) = running {
        alive(findings, running);
    }
    for at in &config.brokers {
        let stream = broker::reach(findings, progress, at, &config.security);
        let (Some(stream), None, true) = (stream, running, may_login) else { continue };
        progress.say(&format!("asking for the ingester behind {at}"));
        let name = config.id.agent.as_str();
        if let Some(mqtt) = broker::login(findings, at, stream, name, &config.security) {
            converse(findings, at, mqtt, config);
        }
    }
    if running.is_none() && !may_login {
        findings.skip("login, rights, ingester", "not looked at: --no-login");
    }
}

/// Files of the settings that hold secrets or certificates.
fn files(findings: &mut Findings, config: &AgentConfig) {
    certificates::of_link(findings, &config.security);
    if let Some(tls) = config.http.as_ref().and_then(|http| http.tls.as_ref()) {
        certificates::file(findings, "HTTP certificate", &tls.certificate);
        certificates::secret(findings, "HTTP key", &tls.key);
    }
}

/// What a running agent says itself: to log in with its name would take its connection from it.
fn alive(findings: &mut Findings, status: &StatusReport) {
    let Some(live) = &status.live else {
        let remedy = "run this as the agent's user, or stop the agent";
        return findings.warn("agent", "it runs, and its socket does not answer this user", remedy);
    };
    findings.ok("agent", format!("{} runs, process {}: asked instead of the broker", live.agent, live.pid));
    match (&live.broker, live.connected) {
        (Some(broker), true) => findings.ok("agent, connection", format!("to {}", broker.address)),
        _ => findings.fail("agent, connection", "none", "see the brokers below, and the agent's log"),
    }
    ingester(findings, live);
    match &live.fault {
        Some(fault) => findings.fail("agent, queue", fault, "look at the disk: dmesg, df; fogline agent queue verify"),
        None => findings.ok("agent, queue", format!("{} readings", status.queue.readings)),
    }
}

fn ingester(findings: &mut Findings, live: &LiveReport) {
    let check = "agent, ingester";
    match (live.heard_ms_ago, live.ingester) {
        (Some(ms), Some(state)) if ms <= HEARD_MAX_MS => {
            judge_state(findings, check, state, &format!("heard {ms} ms ago"))
        }
        (Some(ms), _) => findings.fail(check, format!("silent for {} s", ms / 1000), START),
        (None, _) => findings.fail(check, "never heard since the agent's start", START),
    }
}

const START: &str = "start an ingester at this broker for this region: fogline ingest; look at its /readyz";

fn judge_state(findings: &mut Findings, check: &str, state: State, how: &str) {
    match state {
        State::Ok => findings.ok(check, how),
        State::Busy => {
            findings.warn(check, format!("{how}, busy"), "it has more than it can hold: look at its store's speed")
        }
        State::StoreDown => {
            findings.fail(
                check,
                format!("{how}: its store does not take readings"),
                "fogline doctor ingest, on its machine",
            );
        }
    }
}

/// Rights, and the way to an ingester and back: a hello in which no stream is named changes nothing, and is answered.
fn converse(findings: &mut Findings, at: &BrokerAddress, mut mqtt: Mqtt, config: &AgentConfig) {
    if !broker::may_read(findings, at, &mut mqtt, &[down_filter(&config.id)]) {
        return;
    }
    // The numbers of agents begin with 1, so that no answer to one of theirs is taken for ours. JSON's integers are exact up to 2^53.
    let number = (entropy() >> 12) | (1 << 50);
    let hello =
        Hello { hello: number, agent_version: env!("CARGO_PKG_VERSION").to_owned(), term: None, streams: Vec::new() };
    let topic = Topic::Up(config.id.clone(), Up::Hello).to_string();
    let ack = Topic::Down(config.id.clone(), Down::Ack).to_string();
    if !broker::may_write(findings, at, &mut mqtt, &topic, hello.encode()) {
        return;
    }
    let check = format!("{at}, ingester");
    let start = Instant::now();
    for _ in 0..HELLOS {
        let heard = mqtt.message(PATIENCE / 2, |topic, payload| {
            let answer = (topic == ack).then(|| Ack::decode(payload).ok()).flatten()?;
            (answer.hello == Some(number)).then_some(answer.state)
        });
        if let Ok(state) = heard {
            judge_state(findings, &check, state, &format!("answered in {}", shown(start.elapsed())));
            return mqtt.leave();
        }
        if mqtt.publish(&topic, hello.encode()).is_err() {
            break;
        }
    }
    findings.fail(&check, format!("no answer to a hello within {}", shown(start.elapsed())), START);
    mqtt.leave();
}

fn shown(time: Duration) -> String {
    crate::figures::micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
