//! Every role, region and agent against every topic, by a model that knows nothing of rules and filters.

use fogline_broker::access::{Access, Identity, Role};

use crate::site::{Site, login, user};

const REGIONS: [&str; 3] = ["north", "south", "north-2"];
/// One name is the start of another, and some are words of the topics.
const AGENTS: [&str; 4] = ["lane-1", "lane-10", "v1", "ack"];

/// Who logs in.
#[derive(Debug, Clone)]
struct Who {
    name: String,
    role: Role,
    /// `None` is every region.
    region: Option<&'static str>,
}

/// A topic of the design, taken apart.
#[derive(Debug, Clone)]
struct Topic {
    region: &'static str,
    /// The agent or ingester that it belongs to.
    owner: String,
    kind: Kind,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Up,
    Down,
    Peers,
    Ingest,
}

fn agent_name(region: &str, agent: &str) -> String {
    // Names are unique at a broker.
    format!("{agent}-{region}")
}

fn everybody() -> Vec<Who> {
    let agents = REGIONS.into_iter().flat_map(|region| {
        AGENTS.map(|agent| Who { name: agent_name(region, agent), role: Role::Agent, region: Some(region) })
    });
    let who = |name: &str, role, region| Who { name: name.to_owned(), role, region };
    agents
        .chain([
            who("hub", Role::Ingest, None),
            who("hub-north", Role::Ingest, Some("north")),
            who("hub-south", Role::Ingest, Some("south")),
            who("looker", Role::Operator, None),
            who("boss", Role::Admin, None),
        ])
        .collect()
}

fn users() -> String {
    everybody()
        .iter()
        .map(|who| {
            let regions = who.region.unwrap_or(if who.role == Role::Ingest { "*" } else { "-" });
            user(&who.name, who.role.name(), regions)
        })
        .collect()
}

fn topics() -> Vec<Topic> {
    let mut topics = Vec::new();
    for region in REGIONS {
        let agents = REGIONS.into_iter().flat_map(|home| AGENTS.map(|agent| agent_name(home, agent)));
        for owner in agents.chain(["stranger".to_owned()]) {
            let mut add = |kind, text: String| topics.push(Topic { region, owner: owner.clone(), kind, text });
            for end in ["up", "up/hello", "up/readings", "up/a/b"] {
                add(Kind::Up, format!("fogline/v1/{region}/{owner}/{end}"));
            }
            for end in ["down", "down/ack", "down/limit", "down/notice"] {
                add(Kind::Down, format!("fogline/v1/{region}/{owner}/{end}"));
            }
            add(Kind::Peers, format!("fogline/v1/{region}/peers/{owner}/vote"));
        }
        for owner in ["hub", "hub-north", "hub-south", "stranger"] {
            let text = format!("fogline/v1/{region}/ingest/{owner}/lease");
            topics.push(Topic { region, owner: owner.to_owned(), kind: Kind::Ingest, text });
        }
    }
    topics
}

/// The table of topics in the design, as it is written there.
fn model_writes(who: &Who, topic: &Topic) -> bool {
    let home = who.region.is_none_or(|region| region == topic.region);
    let own = topic.owner == who.name;
    match (who.role, topic.kind) {
        (Role::Admin, _) => true,
        (Role::Agent, Kind::Up | Kind::Peers) | (Role::Ingest, Kind::Ingest) => home && own,
        (Role::Ingest, Kind::Down) => home,
        _ => false,
    }
}

fn model_reads(who: &Who, topic: &Topic) -> bool {
    let home = who.region.is_none_or(|region| region == topic.region);
    let own = topic.owner == who.name;
    match (who.role, topic.kind) {
        (Role::Admin | Role::Operator, _) => true,
        (Role::Agent, Kind::Down) => home && own,
        (Role::Agent, Kind::Peers) | (Role::Ingest, Kind::Up | Kind::Ingest | Kind::Peers) => home,
        _ => false,
    }
}

async fn all_logged_in(access: &Access) -> Vec<(Who, Identity)> {
    let mut identities = Vec::new();
    for who in everybody() {
        let identity = login(access, &who.name, &who.name).await.unwrap();
        assert_eq!((identity.user(), identity.role()), (Some(who.name.as_str()), who.role));
        identities.push((who, identity));
    }
    identities
}

#[tokio::test]
async fn everybody_may_do_what_the_design_says_and_nothing_else() {
    let site = Site::new(&users(), "");
    let identities = all_logged_in(&site.open()).await;
    let mut allowed = 0;
    for (who, identity) in &identities {
        for topic in topics() {
            let (writes, reads, text) = (model_writes(who, &topic), model_reads(who, &topic), &topic.text);
            assert_eq!(identity.may_publish(text), writes, "{who:?} writes {text}");
            assert_eq!(identity.may_receive(text), reads, "{who:?} receives {text}");
            assert_eq!(identity.may_subscribe(text), reads, "{who:?} subscribes {text}");
            assert_eq!(identity.may_subscribe(&format!("$share/g/{text}")), reads, "{who:?} shares {text}");
            allowed += usize::from(writes) + usize::from(reads);
        }
        for strange in
            ["test", "fogline", "fogline/v1", "fogline/v2/north/lane-1-north/up/x", "/fogline/v1", "FOGLINE/v1/x"]
        {
            let watcher = matches!(who.role, Role::Operator | Role::Admin);
            assert_eq!(identity.may_publish(strange), who.role == Role::Admin, "{who:?} {strange}");
            assert_eq!(identity.may_receive(strange), watcher, "{who:?} {strange}");
        }
    }
    assert!(allowed > 1_000, "the model allows something: {allowed}");
}

#[tokio::test]
async fn no_agent_reads_or_writes_for_another() {
    let site = Site::new(&users(), "");
    let identities = all_logged_in(&site.open()).await;
    let agents: Vec<_> = identities.iter().filter(|(who, _)| who.role == Role::Agent).collect();
    for (who, identity) in &agents {
        for (other, _) in agents.iter().filter(|(other, _)| other.name != who.name) {
            let (region, name) = (other.region.unwrap(), &other.name);
            let base = format!("fogline/v1/{region}/{name}");
            for topic in ["up/readings", "up/status", "down/limit", "down/ack"].map(|end| format!("{base}/{end}")) {
                assert!(!identity.may_publish(&topic) && !identity.may_receive(&topic), "{who:?} {topic}");
            }
            assert!(!identity.may_publish(&format!("fogline/v1/{region}/peers/{name}/vote")), "{who:?}");
            for filter in [
                format!("{base}/#"),
                format!("{base}/+/+"),
                format!("{base}/down/#"),
                format!("{base}/down/+"),
                format!("{base}/up/#"),
                format!("fogline/v1/+/{name}/down/#"),
                format!("fogline/v1/{region}/+/down/#"),
                format!("+/v1/{region}/{name}/down/limit"),
                format!("fogline/+/{region}/{name}/down/limit"),
                format!("fogline/v1/{region}/{name}/+/limit"),
                format!("fogline/v1/{region}/#"),
            ] {
                assert!(!identity.may_subscribe(&filter), "{who:?} {filter}");
                assert!(!identity.may_subscribe(&format!("$share/group/{filter}")), "{who:?} $share {filter}");
                assert!(!identity.may_publish(&filter), "{who:?} writes {filter}");
            }
        }
        for filter in
            ["#", "+/#", "fogline/#", "fogline/v1/#", "fogline/v1/+/+/down/#", "fogline/v1/+/peers/#", "$SYS/#", "/#"]
        {
            assert!(!identity.may_subscribe(filter), "{who:?} {filter}");
            assert!(!identity.may_subscribe(&format!("$share/g/{filter}")), "{who:?} $share {filter}");
        }
        let (region, name) = (who.region.unwrap(), &who.name);
        for own in [format!("fogline/v1/{region}/{name}/down/#"), format!("fogline/v1/{region}/peers/+/vote")] {
            assert!(
                identity.may_subscribe(&own) && identity.may_subscribe(&format!("$share/g/{own}")),
                "{who:?} {own}"
            );
        }
    }
}

#[tokio::test]
async fn ingesters_and_operators_subscribe_what_they_need() {
    let site = Site::new(&users(), "");
    let access = site.open();
    let hub = login(&access, "hub", "hub").await.unwrap();
    let north = login(&access, "hub-north", "hub-north").await.unwrap();
    let looker = login(&access, "looker", "any-client").await.unwrap();
    for (filter, by) in [
        ("fogline/v1/+/+/up/#", [true, false, true]),
        ("fogline/v1/north/+/up/#", [true, true, true]),
        ("fogline/v1/south/+/up/#", [true, false, true]),
        ("fogline/v1/+/ingest/#", [true, false, true]),
        ("fogline/v1/ingest/ingest/+/beat", [true, true, true]),
        ("fogline/v1/ingest/ingest/+/log", [true, false, true]),
        ("fogline/v1/#", [false, false, true]),
        ("#", [false, false, true]),
        ("$SYS/#", [false, false, true]),
        ("$SYS/broker/+", [false, false, true]),
        ("$other/#", [false, false, false]),
        ("a#", [false, false, false]),
        ("", [false, false, false]),
    ] {
        assert_eq!([&hub, &north, &looker].map(|identity| identity.may_subscribe(filter)), by, "{filter}");
    }
    assert!(!looker.may_publish("fogline/v1/north/lane-1-north/down/limit") && !looker.may_publish("x"));
}

#[tokio::test]
async fn nobody_publishes_to_what_is_no_topic() {
    let site = Site::new(&users(), "");
    let boss = login(&site.open(), "boss", "boss").await.unwrap();
    assert!(boss.may_publish("a/b") && boss.may_receive("a/b") && boss.may_subscribe("a/#"));
    for topic in ["", "#", "a/+", "a/#", "a\0", "$share/g/a", "$SYS/broker/version"] {
        assert!(!boss.may_publish(topic), "{topic}");
    }
    assert!(boss.may_receive("$SYS/broker/version") && !boss.may_receive("a/+") && !boss.may_receive(""));
}

/// Bounds the time generously: this is a build without optimisation, beside other tests.
#[tokio::test]
async fn a_decision_costs_next_to_nothing() {
    const DECISIONS: u32 = 20_000;
    let site = Site::new(&users(), "");
    let agent = login(&site.open(), "lane-1-north", "lane-1-north").await.unwrap();
    let start = std::time::Instant::now();
    for _ in 0..DECISIONS {
        assert!(std::hint::black_box(&agent).may_publish("fogline/v1/north/lane-1-north/up/readings"));
    }
    let each = start.elapsed() / DECISIONS;
    assert!(each < std::time::Duration::from_micros(50), "{each:?}");
}
