//! The algebra of filters against a model that tries all topics.

use super::*;
use proptest::prelude::*;

fn filter(text: &str) -> Filter {
    Filter::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"))
}

fn covers(filters: &[&str], wanted: &str) -> bool {
    let filters: Vec<_> = filters.iter().map(|text| filter(text)).collect();
    cover(&filters, &filter(wanted))
}

/// Section 4.7, word by word.
fn model_matches(filter: &[&str], topic: &[&str]) -> bool {
    fn rest(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], _) | ([], []) => true,
            (["+", filter @ ..], [_, topic @ ..]) => rest(filter, topic),
            ([name, filter @ ..], [level, topic @ ..]) => name == level && rest(filter, topic),
            _ => false,
        }
    }
    !(topic[0].starts_with('$') && matches!(filter[0], "+" | "#")) && rest(filter, topic)
}

/// What filters here are made of, and one name that none of them has.
const NAMES: [&str; 5] = ["a", "b", "", "$s", "other"];
/// One more than the longest filter here.
const MAX_LEVELS: u32 = 4;

fn all_topics() -> Vec<Vec<&'static str>> {
    let mut topics: Vec<Vec<&str>> = Vec::new();
    let mut longest = vec![Vec::new()];
    for _ in 0..MAX_LEVELS {
        longest = longest
            .iter()
            .flat_map(|topic: &Vec<&str>| NAMES.map(|name| topic.iter().copied().chain([name]).collect()))
            .collect();
        topics.extend(longest.iter().cloned());
    }
    // An empty topic is none.
    topics.retain(|topic| *topic != [""]);
    topics
}

fn any_filter() -> impl Strategy<Value = String> {
    let level = prop::sample::select(vec!["a", "a", "b", "", "$s", "+", "+", "+"]);
    (prop::collection::vec(level, 0..=3), any::<bool>())
        .prop_map(|(mut levels, open)| {
            if open {
                levels.truncate(2);
                levels.push("#");
            }
            levels.join("/")
        })
        .prop_filter("an empty filter is none", |text| !text.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matching_and_covering_are_those_of_the_model(
        filters in prop::collection::vec(any_filter(), 0..4),
        wanted in any_filter(),
    ) {
        let levels: Vec<Vec<&str>> = filters.iter().map(|text| text.split('/').collect()).collect();
        let wanted_levels: Vec<&str> = wanted.split('/').collect();
        let mut covered = true;
        for topic in all_topics() {
            let matched = model_matches(&wanted_levels, &topic);
            prop_assert_eq!(filter(&wanted).matches(&topic.join("/")), matched, "{} {:?}", wanted, topic);
            covered &= !matched || levels.iter().any(|filter| model_matches(filter, &topic));
        }
        let filters: Vec<_> = filters.iter().map(|text| filter(text)).collect();
        prop_assert_eq!(cover(&filters, &filter(&wanted)), covered);
    }
}

#[test]
fn only_valid_filters_are_read() {
    for text in ["a", "/", "+", "#", "a/+/b", "a/#", "/#", "+/+/#", "a b/ü", "$SYS/#"] {
        assert!(Filter::parse(text).is_ok(), "{text}");
    }
    for text in ["", "a#", "a/b#", "#/a", "a+", "+a/b", "a/#/b", "a\0b", "##", "++", &"a".repeat(65_536)] {
        assert!(Filter::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_wide_filter_is_not_covered_by_narrow_ones() {
    let agent = ["fogline/v1/north/lane-1/down/#", "fogline/v1/north/peers/#"];
    for own in ["fogline/v1/north/lane-1/down/#", "fogline/v1/north/lane-1/down/+", "fogline/v1/north/lane-1/down"] {
        assert!(covers(&agent, own), "{own}");
    }
    for wide in ["#", "+/#", "fogline/#", "fogline/v1/+/+/down/#", "fogline/v1/+/lane-1/down/#", "fogline/v1/north/+/#"]
    {
        assert!(!covers(&agent, wide), "{wide}");
    }
}

#[test]
fn several_filters_cover_together_what_none_covers_alone() {
    assert!(covers(&["a", "a/+/#"], "a/#"));
    assert!(covers(&["+", "+/+", "+/+/+/#"], "#"));
    assert!(!covers(&["a", "a/+", "a/+/+/+/#"], "a/#"), "a/x/y is missing");
}

#[test]
fn above_a_slash_is_no_topic() {
    assert!(covers(&["/+/#"], "/#"), "the empty topic is none");
    assert!(!covers(&["a/+/#"], "a/#"));
}

#[test]
fn topics_of_the_server_need_their_own_rule() {
    assert!(!covers(&["#"], "$SYS/#") && !covers(&["+/a"], "$SYS/a"));
    assert!(covers(&["$SYS/#"], "$SYS/broker/+") && !covers(&["$SYS/#"], "#"));
    assert!(covers(&["#"], "/$SYS") && !filter("+/a").matches("$x/a"));
}

#[test]
fn a_shared_subscription_is_the_filter_inside() {
    assert_eq!(subscribed("$share/g/a/#"), Some(filter("a/#")));
    assert_eq!(subscribed("$share/g//a"), Some(filter("/a")));
    assert_eq!(subscribed("a/#"), Some(filter("a/#")));
    for bad in ["$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/#", "$share/g/a#"] {
        assert_eq!(subscribed(bad), subscribed(""), "{bad}");
    }
}

#[test]
fn nobody_publishes_to_wildcards() {
    assert!(is_topic_name("a/b") && is_topic_name("/") && is_topic_name("$x"));
    for bad in ["", "a/+", "#", "a\0", "a+b"] {
        assert!(!is_topic_name(bad), "{bad}");
    }
}
