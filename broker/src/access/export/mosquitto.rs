//! Eclipse Mosquitto's `acl_file`.
//!
//! It has lines for each user: its `pattern` lines, with `%u` in them, are for everybody, and know nothing of roles and
//! regions. What no line allows is denied there too, and `deny` wins over the others in whatever order. It denies reading and
//! writing together.

use std::fmt::Write;

use super::{
    super::{filter::Filter, identity::Rights, rules::Rules, users::User},
    has, rights,
};

const HEADER: &str = "# Who may do what, for Eclipse Mosquitto. Made by `fogline-broker user export mosquitto`: change the users and rules, not this.\n";

/// The file, for these users.
///
/// # Errors
/// What Mosquitto cannot be told, with what to do.
pub(crate) fn acl(users: &[User], rules: &Rules) -> Result<String, Vec<String>> {
    let (mut text, mut problems) = (HEADER.to_owned(), Vec::new());
    for user in users {
        match section(user, &rights(user, rules)) {
            Ok(section) => text.push_str(&section),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}

fn section(user: &User, rights: &Rights) -> Result<String, String> {
    let mut text = format!("\n# {}\nuser {}\n", user.role, user.name);
    for filter in denied(user, rights)? {
        line(&mut text, "deny", filter);
    }
    for filter in &rights.write.allowed {
        let access = if has(&rights.read.allowed, filter) { "readwrite" } else { "write" };
        line(&mut text, access, filter.as_str());
    }
    for filter in rights.read.allowed.iter().filter(|filter| !has(&rights.write.allowed, filter)) {
        line(&mut text, "read", filter.as_str());
    }
    Ok(text)
}

/// The filters that are denied both ways, or one way to a user that can do nothing the other way in any case.
fn denied<'a>(user: &User, rights: &'a Rights) -> Result<impl Iterator<Item = &'a str> + use<'a>, String> {
    let (read, write) = (&rights.read, &rights.write);
    let only_read = read.denied.iter().filter(|filter| !has(&write.denied, filter) && !write.allowed.is_empty());
    let only_write = write.denied.iter().filter(|filter| !has(&read.denied, filter) && !read.allowed.is_empty());
    if let Some(filter) = only_read.chain(only_write).next() {
        return Err(format!(
            "{}: Mosquitto denies reading and writing together: deny readwrite {}, or allow less",
            user.name,
            filter.as_str()
        ));
    }
    let more = write.denied.iter().filter(|filter| !has(&read.denied, filter));
    Ok(read.denied.iter().chain(more).map(Filter::as_str))
}

fn line(text: &mut String, access: &str, filter: &str) {
    // Writing to a string cannot fail.
    writeln!(text, "topic {access} {filter}").ok();
}

#[cfg(test)]
mod tests {
    use super::{super::tests::given, *};

    #[test]
    fn each_user_has_the_rules_of_its_role_with_its_name_and_regions() {
        let (users, rules) = given("lane-1 agent north,south\nhub ingest *\nboss admin -", "");
        let expected = "
# admin
user boss
topic readwrite #
topic read $SYS/#

# ingest
user hub
topic write fogline/v1/+/+/down/#
topic write fogline/v1/+/ingest/hub/#
topic read fogline/v1/+/+/up/#
topic read fogline/v1/+/ingest/#
topic read fogline/v1/+/peers/#
topic read fogline/v1/ingest/ingest/+/beat

# agent
user lane-1
topic write fogline/v1/north/lane-1/up/#
topic write fogline/v1/south/lane-1/up/#
topic write fogline/v1/north/peers/lane-1/#
topic write fogline/v1/south/peers/lane-1/#
topic read fogline/v1/north/lane-1/down/#
topic read fogline/v1/south/lane-1/down/#
topic read fogline/v1/north/peers/#
topic read fogline/v1/south/peers/#
";
        assert_eq!(acl(&users, &rules).unwrap().strip_prefix(HEADER), Some(expected));
    }

    #[test]
    fn what_is_denied_both_ways_or_to_who_only_reads_can_be_said() {
        let text = "role agent\ndeny readwrite fogline/v1/north/peers/#\nrole operator\ndeny read fogline/v1/secret/#";
        let (users, rules) = given("lane-1 agent north\nanna operator -", text);
        let acl = acl(&users, &rules).unwrap();
        assert_eq!(acl.lines().filter(|line| line.starts_with("topic deny")).count(), 2, "{acl}");
        assert!(acl.contains("user anna\ntopic deny fogline/v1/secret/#\n"), "{acl}");
    }

    #[test]
    fn what_cannot_be_said_is_refused_by_name() {
        let (users, rules) = given("lane-1 agent north\nanna operator -", "role agent\ndeny write a/#\nuser lane-1");
        let problems = acl(&users, &rules).unwrap_err();
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("lane-1: ") && problems[0].contains("a/#"), "{problems:?}");
    }
}
