//! The points, as line protocol: see the table in [`super`].

use super::changes::Event;
use super::tally::Share;
use crate::store::query::HeardRow;
use fogline_protocol::ids::AgentId;
use fogline_protocol::node::{Counters, SiteSnapshot};
use fogline_protocol::time::Wall;
use fogline_protocol::wire::Role;
use influxdb_line_protocol::LineProtocolBuilder;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest text of an event, in characters: a board shows a line of it.
const TEXT_MAX_CHARS: usize = 200;
/// An agent says how it is every 10 s: of one that said nothing for a minute nobody knows anything.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(60);

/// How an agent was served. `heard` is when it spoke last, if the state knows it.
pub(super) fn delivery(out: &mut Vec<u8>, agent: &AgentId, share: &Share, heard: Option<Wall>, now: Wall) {
    let mut line = LineProtocolBuilder::new_with(out)
        .measurement("fogline_delivery")
        .tag("agent", agent.agent.as_str())
        .tag("region", agent.region.as_str())
        .field("stored", integer(share.stored))
        .field("gaps", integer(share.gaps))
        .field("decisions", integer(share.decisions))
        .field("acknowledged", integer(share.acknowledged))
        .field("unanswered", integer(share.unanswered));
    if let Some(mean) = share.latency.mean() {
        line = line.field("latency_mean_s", mean.as_secs_f64()).field("latency_max_s", share.latency.max.as_secs_f64());
    }
    if let Some(longest) = share.ack_max {
        line = line.field("ack_max_s", longest.as_secs_f64());
    }
    if let Some(heard) = heard {
        line = line.field("silent_s", now.since(heard).as_secs_f64());
    }
    line.timestamp(nanoseconds(now)).close_line();
}

/// The agents of a region in all.
#[derive(Debug, Default)]
pub(super) struct Region {
    agents: i64,
    online: i64,
    silent: i64,
    queued: u64,
    oldest_age: Duration,
    stored: u64,
}

impl Region {
    /// With one more agent.
    pub(super) fn add(&mut self, heard: &HeardRow, share: Option<&Share>, now: Wall) {
        let silent = now.since(Wall::from_us(heard.heard_us)) > SILENT_AFTER;
        self.agents += 1;
        self.online += i64::from(heard.online && !silent);
        self.silent += i64::from(silent);
        self.queued += heard.queued;
        let age = heard.oldest_us.map(|oldest| Wall::from_us(heard.said_us).since(Wall::from_us(oldest)));
        self.oldest_age = self.oldest_age.max(age.unwrap_or_default());
        self.stored += share.map_or(0, |share| share.stored);
    }
}

pub(super) fn fleet(out: &mut Vec<u8>, region: &str, of: &Region, now: Wall) {
    LineProtocolBuilder::new_with(out)
        .measurement("fogline_fleet")
        .tag("region", region)
        .field("agents", of.agents)
        .field("online", of.online)
        .field("silent", of.silent)
        .field("queued", integer(of.queued))
        .field("oldest_age_s", of.oldest_age.as_secs_f64())
        .field("stored", integer(of.stored))
        .timestamp(nanoseconds(now))
        .close_line();
}

/// How an ingester is.
pub(super) struct Ingester<'a> {
    pub(super) name: &'a str,
    pub(super) site: &'a SiteSnapshot,
    /// What was counted up to the points before.
    pub(super) before: &'a Counters,
    /// How late readings were: half of them less than the first, 99 of 100 less than the second, in milliseconds.
    pub(super) latency_ms: Option<(u64, u64)>,
    /// Points and events that were dropped, since its start.
    pub(super) dropped: u64,
}

pub(super) fn ingester(out: &mut Vec<u8>, of: &Ingester<'_>, now: Wall) {
    let (cloud, counters) = (&of.site.cloud, &of.site.cloud.counters);
    let leading = of.site.role == Role::Leading;
    let mut line = LineProtocolBuilder::new_with(out)
        .measurement("fogline_ingester")
        .tag("ingester", of.name)
        .field("leading", i64::from(leading))
        .field("brokers", index(of.site.connected.len()))
        .field("agents", index(cloud.agents))
        .field("outstanding", index(cloud.outstanding))
        .field("held_bytes", integer(cloud.held_bytes))
        .field("store_up", i64::from(cloud.store_down.is_none()))
        .field("points_dropped", integer(of.dropped));
    for (name, count) in counted() {
        line = line.field(name, integer(count(counters).saturating_sub(count(of.before))));
    }
    // The clocks of edge and ingester may differ, and by as much this is wrong.
    if let Some((median, p99)) = of.latency_ms.filter(|_| leading) {
        line = line.field("latency_p50_s", seconds(median)).field("latency_p99_s", seconds(p99));
    }
    line.timestamp(nanoseconds(now)).close_line();
}

type Count = fn(&Counters) -> u64;

/// What is written as the difference to the points before.
fn counted() -> [(&'static str, Count); 11] {
    [
        ("readings", |counters| counters.readings),
        ("stored", |counters| counters.stored),
        ("duplicates", |counters| counters.duplicates),
        ("dead", |counters| counters.dead),
        ("out_of_range", |counters| counters.out_of_range),
        ("refused", |counters| counters.refused.values().sum()),
        ("commits", |counters| counters.commits),
        ("store_errors", |counters| counters.store_errors),
        ("decisions", |counters| counters.decisions_issued),
        ("decisions_sent", |counters| counters.decisions_sent),
        ("decisions_acknowledged", |counters| counters.decisions_acknowledged),
    ]
}

/// `nth` tells events of one moment apart.
pub(super) fn event(out: &mut Vec<u8>, ingester: &str, event: &Event, nth: usize) {
    let line = LineProtocolBuilder::new_with(out).measurement("fogline_event");
    let nth = index(nth % 1000);
    let line = match &event.agent {
        Some(agent) => {
            let line = line.tag("agent", agent.agent.as_str()).tag("event", event.sort.name());
            line.tag("ingester", ingester).tag("region", agent.region.as_str())
        }
        None => line.tag("event", event.sort.name()).tag("ingester", ingester),
    };
    line.field("text", one_line(&event.text).as_str()).timestamp(nanoseconds(event.at) + nth).close_line();
}

/// Databases answer in several lines, and of any length.
fn one_line(text: &str) -> String {
    text.chars().take(TEXT_MAX_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The silence of agents is known of those that were heard within a day.
pub(super) fn shares_of<'a>(
    tallied: &'a BTreeMap<AgentId, Share>,
    heard: &'a BTreeMap<AgentId, HeardRow>,
) -> impl Iterator<Item = (&'a AgentId, Option<&'a Share>, Option<&'a HeardRow>)> {
    let known = heard.iter().map(|(agent, row)| (agent, tallied.get(agent), Some(row)));
    let new =
        tallied.iter().filter(|(agent, _)| !heard.contains_key(agent)).map(|(agent, share)| (agent, Some(share), None));
    known.chain(new)
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn index(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "an hour of milliseconds needs few digits")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

fn nanoseconds(time: Wall) -> i64 {
    time.us().saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::super::changes::Sort;
    use super::*;
    use fogline_protocol::ids::Name;
    use fogline_protocol::node::{CloudConfig, SiteConfig, SiteNode};
    use fogline_runtime::clock::Clock;

    const NOW: Wall = Wall::from_us(1_700_000_000_000_000);

    fn text(encode: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        encode(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn agent() -> AgentId {
        AgentId { region: Name::new("north").unwrap(), agent: Name::new("r1").unwrap() }
    }

    #[test]
    fn an_agent_and_its_region() {
        let share = Share {
            stored: 7,
            gaps: 1,
            decisions: 2,
            acknowledged: 2,
            ack_max: Some(Duration::from_millis(30)),
            ..Share::default()
        };
        let heard = NOW - Duration::from_secs(61);
        insta::assert_snapshot!(text(|out| delivery(out, &agent(), &share, Some(heard), NOW)), @"fogline_delivery,agent=r1,region=north stored=7i,gaps=1i,decisions=2i,acknowledged=2i,unanswered=0i,ack_max_s=0.03,silent_s=61 1700000000000000000");
        let row = HeardRow {
            heard_us: heard.us(),
            online: true,
            said_us: heard.us(),
            queued: 4,
            oldest_us: Some(heard.us() - 2_000_000),
        };
        let mut region = Region::default();
        region.add(&row, Some(&share), NOW);
        region.add(&HeardRow { heard_us: NOW.us(), ..row }, None, NOW);
        insta::assert_snapshot!(text(|out| fleet(out, "north", &region, NOW)), @"fogline_fleet,region=north agents=2i,online=1i,silent=1i,queued=8i,oldest_age_s=2,stored=7i 1700000000000000000");
    }

    #[test]
    fn an_ingester() {
        let now = Clock::new().now();
        let node = SiteNode::new(SiteConfig::new(CloudConfig::new(Name::new("i1").unwrap(), 1)), now);
        let mut site = SiteSnapshot { role: Role::Leading, ..node.snapshot(now.mono) };
        let before = Counters { stored: 5, ..Counters::default() };
        site.cloud.counters = Counters { stored: 12, duplicates: 2, ..Counters::default() };
        let of = Ingester { name: "i1", site: &site, before: &before, latency_ms: Some((120, 950)), dropped: 3 };
        insta::assert_snapshot!(text(|out| ingester(out, &of, NOW)), @"fogline_ingester,ingester=i1 leading=1i,brokers=0i,agents=0i,outstanding=0i,held_bytes=0i,store_up=1i,points_dropped=3i,readings=0i,stored=7i,duplicates=2i,dead=0i,out_of_range=0i,refused=0i,commits=0i,store_errors=0i,decisions=0i,decisions_sent=0i,decisions_acknowledged=0i,latency_p50_s=0.12,latency_p99_s=0.95 1700000000000000000");
    }

    #[test]
    fn an_event_is_one_line_whatever_the_database_said() {
        let said = format!("no\nfogline_event x=1 \"{}", "y".repeat(300));
        let own = Event { at: NOW, sort: Sort::Fault, agent: None, text: said };
        let line = text(|out| event(out, "i1", &own, 2));
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(
            line.starts_with(r#"fogline_event,event=fault,ingester=i1 text="no fogline_event x=1 \"yyy"#),
            "{line}"
        );
        let of_agent = Event { at: NOW, sort: Sort::Recovery, agent: Some(agent()), text: "back".into() };
        insta::assert_snapshot!(text(|out| event(out, "i1", &of_agent, 2)), @r#"fogline_event,agent=r1,event=recovery,ingester=i1,region=north text="back" 1700000000000000002"#);
    }
}
