//! Who may do what, as the table of topics in the design has it: by the levels of a topic, without rules and filters.

use fogline_broker::access::Role;

pub(crate) const REGIONS: [&str; 2] = ["north", "south"];
/// One name is the start of another, and one is a word of the topics.
const AGENTS: [&str; 3] = ["lane-1", "lane-10", "ack"];

/// Somebody with a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// As in the file of users: `*` is every region, `-` none.
    pub(crate) region: &'static str,
}

impl Who {
    pub(crate) fn new(name: &str, role: Role, region: &'static str) -> Self {
        Self { name: name.to_owned(), role, region }
    }

    fn is_in(&self, region: &str) -> bool {
        self.region == "*" || self.region == region
    }

    pub(crate) fn may_write(&self, topic: &str) -> bool {
        let levels: Vec<&str> = topic.split('/').collect();
        match (self.role, levels.as_slice()) {
            (_, [first, ..]) if first.starts_with('$') => false,
            (Role::Admin, _) => true,
            (
                Role::Agent,
                ["fogline", "v1", region, owner, "up", ..] | ["fogline", "v1", region, "peers", owner, ..],
            )
            | (Role::Ingest, ["fogline", "v1", region, "ingest", owner, ..]) => {
                self.is_in(region) && *owner == self.name
            }
            (Role::Ingest, ["fogline", "v1", region, _, "down", ..]) => self.is_in(region),
            _ => false,
        }
    }

    pub(crate) fn may_read(&self, topic: &str) -> bool {
        let levels: Vec<&str> = topic.split('/').collect();
        match (self.role, levels.as_slice()) {
            (Role::Operator | Role::Admin, [first, ..]) => !first.starts_with('$') || *first == "$SYS",
            (Role::Agent | Role::Ingest, ["fogline", "v1", region, "peers", ..])
            | (Role::Ingest, ["fogline", "v1", region, _, "up", ..] | ["fogline", "v1", region, "ingest", ..]) => {
                self.is_in(region)
            }
            (Role::Agent, ["fogline", "v1", region, owner, "down", ..]) => self.is_in(region) && *owner == self.name,
            _ => false,
        }
    }

    /// Whether all that the filter can match may be read. `$share` in front changes nothing.
    pub(crate) fn may_subscribe(&self, filter: &str) -> bool {
        let inner = filter.strip_prefix("$share/group/").unwrap_or(filter);
        matched_by(inner).iter().all(|topic| self.may_read(topic))
    }
}

/// Topics that a filter matches: its wildcards filled in with all that makes a difference to anybody.
fn matched_by(filter: &str) -> Vec<String> {
    const WORDS: [&str; 9] = ["fogline", "v1", "north", "elsewhere", "lane-1-north", "up", "down", "peers", "ingest"];
    let mut topics = vec![String::new()];
    for (at, level) in filter.split('/').enumerate() {
        let slash = if at == 0 { "" } else { "/" };
        let choices: Vec<String> = match level {
            "+" => WORDS.iter().map(|word| format!("{slash}{word}")).collect(),
            // The level above, one level, or some.
            "#" => [String::new(), format!("{slash}up"), format!("{slash}x"), format!("{slash}x/down/z")].into(),
            word => vec![format!("{slash}{word}")],
        };
        topics = topics.iter().flat_map(|start| choices.iter().map(move |end| format!("{start}{end}"))).collect();
    }
    topics.retain(|topic| !topic.is_empty());
    topics
}

/// Two regions with three agents each.
pub(crate) fn agents() -> Vec<Who> {
    let of = |region| AGENTS.map(|agent| Who::new(&format!("{agent}-{region}"), Role::Agent, region));
    REGIONS.into_iter().flat_map(of).collect()
}

pub(crate) fn everybody() -> Vec<Who> {
    let others = [
        Who::new("hub", Role::Ingest, "*"),
        Who::new("hub-north", Role::Ingest, "north"),
        Who::new("looker", Role::Operator, "-"),
        Who::new("boss", Role::Admin, "-"),
    ];
    agents().into_iter().chain(others).collect()
}

/// Topics of the design, in every region for every owner, and some that are none.
pub(crate) fn topics() -> Vec<String> {
    let mut topics = Vec::new();
    for region in REGIONS {
        for owner in agents().iter().map(|agent| agent.name.as_str()).chain(["hub", "stranger"]) {
            let base = format!("fogline/v1/{region}");
            topics.extend(["up/readings", "down/limit"].map(|end| format!("{base}/{owner}/{end}")));
            topics.extend(["peers", "ingest"].map(|level| format!("{base}/{level}/{owner}/x")));
        }
    }
    let first = "fogline/v1/north/lane-1-north";
    topics.extend(["", "/up", "/down", "/up/a/b", "/sideways/x"].map(|end| format!("{first}{end}")));
    let strange = ["test", "fogline/v2/north/lane-1-north/up/x", "/fogline/v1/x", "FOGLINE/v1/x", "$SYS/x", "$else/x"];
    topics.extend(strange.map(str::to_owned));
    topics
}
