//! The file of users: one line is one user.
//!
//! ```text
//! # name  role      regions      secret
//! lane-1  agent     north        sha256:...
//! hub     ingest    *            sha256:...
//! anna    operator  -            $argon2id$...
//! ```
//!
//! Lines, not TOML: thousands of users are a table, a user can be added, removed and found with the tools for lines, and
//! comments stay where they are when the file is changed by a program. Regions are separated by commas; `-` is none, `*` is
//! all. A `!` in front of the secret disables the user, as in `/etc/shadow`; a secret `-` leaves only a certificate.

use std::{collections::HashMap, sync::Arc};

use super::{
    name::{check_regions, check_user},
    role::Role,
    secret::Secret,
};

/// Ten times what a broker of the design serves. A user takes about 300 bytes.
const MAX_USERS: usize = 100_000;
/// Each rule with `%r` is one filter for each region.
const MAX_REGIONS: usize = 64;
/// The column cannot be empty.
const NO_REGIONS: &str = "-";

/// Somebody who can log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: Box<str>,
    pub(crate) role: Role,
    pub(crate) regions: Vec<String>,
    pub(crate) secret: Secret,
    /// Cannot log in, and keeps its place.
    pub(crate) disabled: bool,
}

/// All users, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users(HashMap<Box<str>, Arc<User>>);

impl User {
    /// # Errors
    /// Why there can be no such user, with what to do.
    pub(crate) fn new(name: &str, role: Role, regions: Vec<String>, secret: Secret) -> Result<Self, String> {
        check_user(name, role)?;
        check_regions(&regions, role)?;
        if regions.len() > MAX_REGIONS {
            return Err(format!("{} regions are more than {MAX_REGIONS}: give * for all", regions.len()));
        }
        Ok(Self { name: name.into(), role, regions, secret, disabled: false })
    }

    fn parse(line: &str) -> Result<Self, String> {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [name, role, regions, secret] = fields.as_slice() else {
            return Err(format!("{} fields: a user is NAME ROLE REGIONS SECRET, with - for no regions", fields.len()));
        };
        let role = role.parse().map_err(|error: super::role::UnknownRole| error.to_string())?;
        let regions = match *regions {
            NO_REGIONS => Vec::new(),
            list => list.split(',').map(str::to_owned).collect(),
        };
        let (secret, disabled) = secret.strip_prefix('!').map_or((*secret, false), |secret| (secret, true));
        let user = Self::new(name, role, regions, Secret::parse(secret)?)?;
        Ok(Self { disabled, ..user })
    }

    /// The regions as one word.
    pub(crate) fn region_list(&self) -> String {
        if self.regions.is_empty() { NO_REGIONS.to_owned() } else { self.regions.join(",") }
    }

    /// As it stands in the file, with the line's end.
    pub(crate) fn line(&self) -> String {
        let disabled = if self.disabled { "!" } else { "" };
        format!("{} {} {} {disabled}{}\n", self.name, self.role, self.region_list(), self.secret.encoded())
    }
}

impl Users {
    /// # Errors
    /// All that is wrong, each with its line and its remedy; secrets are not shown.
    pub(crate) fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut users = HashMap::new();
        let mut lines = HashMap::new();
        let mut problems = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            if name_in(line).is_none() {
                continue;
            }
            match User::parse(line) {
                Ok(user) => match lines.insert(user.name.clone(), number) {
                    Some(first) => {
                        problems.push(format!("line {number}: {} is in line {first} already: remove one", user.name));
                    }
                    None => {
                        users.insert(user.name.clone(), Arc::new(user));
                    }
                },
                Err(problem) => problems.push(format!("line {number}: {problem}")),
            }
        }
        if users.len() > MAX_USERS {
            problems.push(format!("{} users are more than {MAX_USERS}: spread them over more brokers", users.len()));
        }
        if problems.is_empty() { Ok(Self(users)) } else { Err(problems) }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<User>> {
        self.0.get(name)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order of their names.
    pub(crate) fn sorted(&self) -> Vec<&User> {
        let mut users: Vec<&User> = self.0.values().map(|user| &**user).collect();
        users.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        users
    }
}

/// The name of the user in this line of the file; `None` for a comment or an empty line.
pub(crate) fn name_in(line: &str) -> Option<&str> {
    line.split_whitespace().next().filter(|word| !word.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_line_is_a_user() {
        let text =
            format!("# a comment\n\n  lane-1  agent north,south\t{HASH}\r\nanna operator - !{HASH}\nx admin * -\n");
        let users = Users::parse(&text).unwrap();
        assert_eq!(users.len(), 3);
        let lane = users.get("lane-1").unwrap();
        assert_eq!((lane.role, lane.regions.as_slice()), (Role::Agent, &["north".to_owned(), "south".to_owned()][..]));
        assert!(lane.secret.is_token(b"abc") && !lane.disabled);
        assert!(users.get("anna").unwrap().disabled && users.get("anna").unwrap().regions.is_empty());
        assert_eq!(users.get("x").unwrap().secret, Secret::Certificate);
        assert!(users.get("Lane-1").is_none());
    }

    #[test]
    fn a_user_is_written_as_it_is_read() {
        for line in
            [format!("lane-1 agent north {HASH}\n"), format!("Anna@x admin - !{HASH}\n"), "i ingest * -\n".to_owned()]
        {
            assert_eq!(User::parse(&line).unwrap().line(), line);
        }
    }

    #[test]
    fn every_problem_is_reported_with_its_line_and_without_secrets() {
        let secret = "sha256:5ec5e75ec5e7";
        let text = format!(
            "a agent north {HASH}\nb boss - {HASH}\nc agent - {HASH}\na agent south {HASH}\nd agent north {secret}\ne agent\n\
             A agent north {HASH}\nf anonymous - {HASH}\ng agent north {HASH} more\nh agent nor/th {HASH}\n"
        );
        let problems = Users::parse(&text).unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(lines, (2..=10).map(|number| format!("line {number}")).collect::<Vec<_>>(), "{problems:#?}");
        assert!(problems.iter().all(|problem| !problem.contains("5ec5e7") && !problem.contains(HASH)), "{problems:#?}");
        assert!(problems[2].contains("line 1 already"));
    }
}
