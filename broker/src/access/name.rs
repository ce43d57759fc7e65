//! Names of users and regions: what can stand in a topic as one level, and in a line as one word.

use super::role::Role;

/// As in the topics of Fogline: `[a-z0-9][a-z0-9_-]{0,62}`.
const MAX_MACHINE_BYTES: usize = 63;
/// Mail addresses are names of people, and the longest that people have are about this long.
const MAX_PERSON_BYTES: usize = 128;

/// Levels of Fogline's topics. An agent called `peers` would write what other agents say to each other, and an ingester
/// called `down` would share its topic with every other one (`fogline/v1/REGION/+/down/#`).
const RESERVED: [&str; 4] = ["peers", "ingest", "up", "down"];

/// # Errors
/// Why nobody with this role can have this name, with what to do.
pub(crate) fn check_user(name: &str, role: Role) -> Result<(), String> {
    if !role.is_machine() {
        return if is_person(name) {
            Ok(())
        } else {
            Err(format!(
                "{name:?} is no name: use letters, digits and . _ @ -, at most {MAX_PERSON_BYTES}, a letter or digit first"
            ))
        };
    }
    if !is_machine(name) {
        return Err(format!(
            "{name:?} is no name for the role {role}: use a-z, 0-9, _ and -, at most {MAX_MACHINE_BYTES}, a letter or \
             digit first, as it is a level of topics"
        ));
    }
    if RESERVED.contains(&name) {
        return Err(format!("{name} is reserved, as it is a level of Fogline's topics: choose another name"));
    }
    Ok(())
}

/// `*` stands for all regions.
///
/// # Errors
/// Why a user with this role cannot have these regions, with what to do.
pub(crate) fn check_regions(regions: &[String], role: Role) -> Result<(), String> {
    let all = regions.iter().any(|region| region == "*");
    if all && regions.len() > 1 {
        return Err("* is every region: leave out the others".to_owned());
    }
    if all && role == Role::Agent {
        return Err("an agent cannot be in every region: name the one that it is in".to_owned());
    }
    if regions.is_empty() && role.is_machine() {
        return Err(match role {
            Role::Agent => "an agent needs the region that it is in".to_owned(),
            _ => "an ingester needs regions, or * for all".to_owned(),
        });
    }
    match regions.iter().find(|region| *region != "*" && !is_machine(region)) {
        Some(region) => Err(format!(
            "{region:?} is no region: use a-z, 0-9, _ and -, at most {MAX_MACHINE_BYTES}, a letter or digit first"
        )),
        None => Ok(()),
    }
}

fn is_machine(name: &str) -> bool {
    name.len() <= MAX_MACHINE_BYTES
        && name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

fn is_person(name: &str) -> bool {
    name.len() <= MAX_PERSON_BYTES
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_have_names_that_are_levels_of_topics() {
        for good in ["a", "0", "lane-1", "a_b", &"x".repeat(63)] {
            assert_eq!(check_user(good, Role::Agent), Ok(()));
            assert_eq!(check_user(good, Role::Ingest), Ok(()));
        }
        let long = "x".repeat(64);
        for bad in
            ["", "-a", "_a", "A", "a.b", "a@b", "a/b", "a+", "#", "a b", "ü", &long, "peers", "up", "down", "ingest"]
        {
            assert!(check_user(bad, Role::Agent).is_err() && check_user(bad, Role::Ingest).is_err(), "{bad}");
        }
    }

    #[test]
    fn people_may_have_mail_addresses() {
        for good in ["Anna", "anna.b@example.org", "peers", &"x".repeat(128)] {
            assert_eq!(check_user(good, Role::Operator), Ok(()));
        }
        for bad in ["", ".a", "a/b", "a+b", "#", "a b", "a\n", "$SYS", "%u", &"x".repeat(129)] {
            assert!(check_user(bad, Role::Admin).is_err(), "{bad}");
        }
    }

    #[test]
    fn regions_fit_the_role() {
        let check = |regions: &[&str], role| {
            check_regions(&regions.iter().map(|&region| region.to_owned()).collect::<Vec<_>>(), role).is_ok()
        };
        assert!(check(&["north"], Role::Agent) && check(&["*"], Role::Ingest) && check(&["a", "b"], Role::Ingest));
        assert!(check(&[], Role::Operator) && check(&["*"], Role::Admin));
        assert!(!check(&[], Role::Agent) && !check(&["*"], Role::Agent) && !check(&[], Role::Ingest));
        assert!(!check(&["*", "a"], Role::Ingest) && !check(&["a/b"], Role::Ingest) && !check(&["+"], Role::Operator));
    }
}
