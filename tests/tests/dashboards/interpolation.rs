//! What Grafana puts in place of the names in a query before it asks.

/// What a user has chosen on the page.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chosen {
    /// What stands for `$region` inside of a regular expression: `.*` for all, `(a|b)` for some.
    pub(crate) region: &'static str,
    /// The same for `$agent`.
    pub(crate) agent: &'static str,
    /// How far back the page looks, in seconds.
    pub(crate) range_s: u32,
    /// The width of a pixel, in seconds.
    pub(crate) interval_s: u32,
}

impl Chosen {
    /// The query as the database gets it.
    ///
    /// # Panics
    /// For a name that nothing stands for.
    pub(crate) fn interpolate(&self, query: &str) -> String {
        let Self { region, agent, range_s, interval_s } = self;
        names(query).fold(query.to_owned(), |query, name| {
            let value = match name {
                "region" => (*region).to_owned(),
                "agent" => (*agent).to_owned(),
                // A point that is of no group is not meant.
                "group" => ".+".to_owned(),
                "ingester" | "job" | "instance" => ".*".to_owned(),
                "timeFilter" => format!("time >= now() - {range_s}s and time <= now()"),
                "__interval" => format!("{interval_s}s"),
                "__interval_ms" => (interval_s * 1000).to_string(),
                "__rate_interval" => format!("{}s", interval_s * 4),
                unknown => panic!("${unknown} in {query}"),
            };
            replace_name(&query, name, &value)
        })
    }
}

/// The names behind the dollar signs of a text, `$name` and `${name}`, in their order. The end of a regular expression
/// (`$/`) is none.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('$')
        .skip(1)
        .map(|rest| &rest[..name_len(rest)])
        .map(|name| name.trim_start_matches('{'))
        .filter(|name| !name.is_empty())
}

fn name_len(rest: &str) -> usize {
    let start = usize::from(rest.starts_with('{'));
    rest[start..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(rest.len(), |len| start + len)
}

/// Replaces the first `$name`.
fn replace_name(query: &str, name: &str, value: &str) -> String {
    let dollar = format!("${name}");
    query.replacen(&dollar, value, 1)
}

#[test]
fn names_are_replaced_and_patterns_left() {
    let chosen = Chosen { region: "(a|b)", agent: ".*", range_s: 60, interval_s: 10 };
    let query = "r =~ /^$region$/ AND a =~ /^$agent$/ AND $timeFilter GROUP BY time($__interval) / $__interval_ms";
    let filter = "time >= now() - 60s and time <= now()";
    let expected = format!("r =~ /^(a|b)$/ AND a =~ /^.*$/ AND {filter} GROUP BY time(10s) / 10000");
    assert_eq!(chosen.interpolate(query), expected);
    assert_eq!(names("${datasource} $m").collect::<Vec<_>>(), ["datasource", "m"]);
}
