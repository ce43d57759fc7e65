//! A NATS server's users with permissions, to be included in its configuration.
//!
//! NATS knows MQTT's topics as subjects: `/` is `.`, `+` is `*`, and `#` is `>`, which does not match the level above it.

use std::fmt::Write;

use super::{
    super::{filter::Filter, identity::Side, rules::Rules, users::User},
    rights,
};

const HEADER: &str = "# Who may do what, for NATS. Made by `fogline-broker user export nats`: change the users and rules, not this.\n\
                      # It has secrets in it.\n";

/// What carries the messages of QoS 1 that are delivered to an MQTT client. Its names are random, and the client gets only what
/// it has subscribed to.
const DELIVERIES: &str = "$MQTT.sub.>";

/// What NATS keeps and says for itself. A wildcard in front matches it, unlike in MQTT. `$MQTT.msgs.>` is not among them: it is what
/// messages of QoS 1 are called on their way, and whom it is denied nothing of QoS 1 is delivered that has such a wildcard.
const RESERVED: [&str; 8] =
    ["$SYS.>", "$JS.>", "$KV.>", "$O.>", "$NRG.>", "$MQTT.rmsgs", "$MQTT.sess.>", "$MQTT.JSA.>"];

/// The list `users`, each over MQTT only: over NATS' own protocol [`DELIVERIES`] would show them everything. Each has its secret,
/// which is text without quotes. Users without one are left out: NATS would let everybody in under such a name.
///
/// # Errors
/// What NATS cannot be told, with what to do.
pub(crate) fn users(
    users: &[User],
    rules: &Rules,
    secret: impl Fn(&User) -> Option<String>,
) -> Result<String, Vec<String>> {
    let (mut text, mut problems) = (format!("{HEADER}users = [\n"), Vec::new());
    for user in users {
        let Some(secret) = secret(user) else { continue };
        let rights = rights(user, rules);
        let publish = permissions(&rights.write, &[]);
        match publish.and_then(|publish| Ok((publish, subscriptions(&rights.read)?))) {
            Ok((publish, subscribe)) => entry(&mut text, user, &secret, &publish, &subscribe),
            Err(problem) => problems.push(format!("{}: {problem}", user.name)),
        }
    }
    text.push_str("]\n");
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}

fn entry(text: &mut String, user: &User, secret: &str, publish: &str, subscribe: &str) {
    let User { name, role, .. } = user;
    // Writing to a string cannot fail.
    write!(
        text,
        "  # {role}\n  {{ user: \"{name}\", password: \"{secret}\", allowed_connection_types: [\"MQTT\"], permissions: {{\n    \
         publish: {publish}\n    subscribe: {subscribe}\n  }} }}\n"
    )
    .ok();
}

/// What may be read. A denial within what is allowed is none for NATS 2.9: it looks at the names under which messages of QoS 1 are
/// delivered, and at no name at all where they were retained.
fn subscriptions(read: &Side) -> Result<String, String> {
    match read.denied.iter().find(|_| !read.allowed.is_empty()) {
        Some(denied) => Err(format!(
            "NATS delivers what is denied to who may read around it, retained messages at least: instead of deny read {}, allow less",
            denied.as_str()
        )),
        None => permissions(read, &[DELIVERIES]),
    }
}

/// What is allowed and denied. Somebody who is allowed nothing is denied everything: an empty list would allow everything.
fn permissions(side: &Side, more: &[&str]) -> Result<String, String> {
    let allowed = subjects(side.allowed_texts())?;
    let allowed: Vec<_> = allowed.iter().map(String::as_str).chain(more.iter().copied()).collect();
    if allowed.is_empty() {
        return Ok(r#"{ deny: [">"] }"#.to_owned());
    }
    let denied = subjects(side.denied.iter().map(Filter::as_str))?;
    let wide = allowed.iter().any(|subject| subject.starts_with(['*', '>']));
    let reserved = if wide { &RESERVED[..] } else { &[] };
    let denied: Vec<_> = denied.iter().map(String::as_str).chain(reserved.iter().copied()).collect();
    let deny = if denied.is_empty() { String::new() } else { format!(", deny: {}", list(&denied)) };
    Ok(format!("{{ allow: {}{deny} }}", list(&allowed)))
}

fn list(subjects: &[&str]) -> String {
    let quoted: Vec<_> = subjects.iter().map(|subject| format!("\"{subject}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

fn subjects<'a>(filters: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for filter in filters {
        all.extend(of_filter(filter)?);
    }
    Ok(all)
}

/// The subjects of a filter: two where it ends with `/#`, which means the level above as well.
fn of_filter(filter: &str) -> Result<Vec<String>, String> {
    if filter.starts_with("$SYS/") {
        // What NATS says of itself is in an account of its own, and no MQTT topic.
        return Ok(Vec::new());
    }
    let levels: Vec<&str> = filter.split('/').collect();
    let bad = |level: &&str| level.is_empty() || level.contains(['.', '*', '>', ' ', '"', '\\']);
    if levels.iter().any(bad) {
        return Err(format!(
            "{filter:?} is no subject of NATS: its levels may not be empty, nor have any of . * > in them"
        ));
    }
    let level = |level: &&str| {
        match *level {
            "+" => "*",
            "#" => ">",
            name => name,
        }
        .to_owned()
    };
    let words: Vec<String> = levels.iter().map(level).collect();
    let above = match levels.as_slice() {
        [above @ .., "#"] if !above.is_empty() => words.get(..above.len()).map(|words| words.join(".")),
        _ => None,
    };
    Ok([words.join(".")].into_iter().chain(above).collect())
}

#[cfg(test)]
mod tests {
    use super::{super::tests::given, *};

    #[test]
    fn filters_are_subjects() {
        let of = |filter| of_filter(filter).unwrap();
        assert_eq!(of("fogline/v1/+/hub/down/#"), ["fogline.v1.*.hub.down.>", "fogline.v1.*.hub.down"]);
        assert_eq!(of("#"), [">"]);
        assert_eq!(of("a/+"), ["a.*"]);
        assert_eq!(of("$SYS/#"), [""; 0]);
        for bad in ["a.b", "a//b", "/a", "a/*", "a/>", "a b", "a\"b"] {
            assert!(of_filter(bad).unwrap_err().contains("subject"), "{bad}");
        }
    }

    #[test]
    fn each_user_has_its_rights_and_its_secret() {
        let (all, rules) =
            given("lane-1 agent north\nanna operator -\nnobody agent north", "user lane-1\ndeny write x/y");
        let text = users(&all, &rules, |user| (&*user.name != "nobody").then(|| format!("secret-of-{}", user.name)));
        let expected = r#"users = [
  # operator
  { user: "anna", password: "secret-of-anna", allowed_connection_types: ["MQTT"], permissions: {
    publish: { deny: [">"] }
    subscribe: { allow: [">", "$MQTT.sub.>"], deny: ["$SYS.>", "$JS.>", "$KV.>", "$O.>", "$NRG.>", "$MQTT.rmsgs", "$MQTT.sess.>", "$MQTT.JSA.>"] }
  } }
  # agent
  { user: "lane-1", password: "secret-of-lane-1", allowed_connection_types: ["MQTT"], permissions: {
    publish: { allow: ["fogline.v1.north.lane-1.up.>", "fogline.v1.north.lane-1.up", "fogline.v1.north.peers.lane-1.>", "fogline.v1.north.peers.lane-1"], deny: ["x.y"] }
    subscribe: { allow: ["fogline.v1.north.lane-1.down.>", "fogline.v1.north.lane-1.down", "fogline.v1.north.peers.>", "fogline.v1.north.peers", "$MQTT.sub.>"] }
  } }
]
"#;
        assert_eq!(text.unwrap().strip_prefix(HEADER), Some(expected));
    }

    #[test]
    fn what_is_no_subject_is_refused_by_name() {
        let (all, rules) = given("lane-1 agent north", "role agent\nallow read a.b/#");
        let problems = users(&all, &rules, |_| Some("x".to_owned())).unwrap_err();
        assert!(problems[0].starts_with("lane-1: \"a.b/#\""), "{problems:?}");
    }

    #[test]
    fn a_denial_that_would_be_none_is_refused_by_name() {
        let (all, rules) = given("anna operator -", "role operator\ndeny read fogline/v1/secret/#");
        let problems = users(&all, &rules, |_| Some("x".to_owned())).unwrap_err();
        assert!(problems[0].starts_with("anna: ") && problems[0].contains("fogline/v1/secret/#"), "{problems:?}");
    }
}
