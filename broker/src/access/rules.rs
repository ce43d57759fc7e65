//! The language of rules; described in the documentation of [the module](super).

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::Peekable,
    str::SplitWhitespace,
};

use super::{
    role::Role,
    template::{Template, Values},
};

/// The rights of the roles when no file says otherwise.
const BUILTIN: &str = include_str!("builtin.rules");

/// A decision looks at each of a user's rules, so this many cost about a tenth of a millisecond for each message.
const MAX_RULES: usize = 2_000;

/// One line: who it is for is said by its section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) effect: Effect,
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) template: Template,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

impl Effect {
    /// How the values of a rule with this effect are put in.
    pub(crate) fn values(self) -> Values {
        match self {
            Self::Allow => Values::OneLevel,
            Self::Deny => Values::Literal,
        }
    }
}

/// The rules of all roles and of single users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    roles: BTreeMap<Role, Vec<Rule>>,
    users: BTreeMap<String, Vec<Rule>>,
    replaced: BTreeSet<Role>,
}

#[derive(Debug, Clone)]
enum Section {
    Role(Role),
    User(String),
}

impl Rules {
    /// The built-in rules, extended or replaced by `text` where it is given.
    ///
    /// # Errors
    /// All that is wrong, each with its line and its remedy.
    pub(crate) fn over_builtin(text: Option<&str>) -> Result<Self, Vec<String>> {
        let mut rules = Self::parse(BUILTIN)?;
        let Some(text) = text else { return Ok(rules) };
        let given = Self::parse(text)?;
        rules.roles.retain(|role, _| !given.replaced.contains(role));
        for (role, more) in given.roles {
            rules.roles.entry(role).or_default().extend(more);
        }
        rules.users = given.users;
        Ok(rules)
    }

    /// All rules for somebody with this role and this name.
    pub(crate) fn of<'a>(&'a self, role: Role, user: Option<&str>) -> impl Iterator<Item = &'a Rule> + use<'a> {
        let own = user.and_then(|user| self.users.get(user));
        self.roles.get(&role).into_iter().chain(own).flatten()
    }

    /// The users that have rules of their own.
    pub(crate) fn named_users(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    fn parse(text: &str) -> Result<Self, Vec<String>> {
        let mut rules = Self::default();
        let mut section = None;
        let mut problems = Vec::new();
        let mut count = 0;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let outcome = match line.split_whitespace().next() {
                Some("allow" | "deny") => {
                    count += 1;
                    rules.add(section.as_ref(), line)
                }
                _ => rules.open(line).map(|opened| section = Some(opened)),
            };
            problems.extend(outcome.err().map(|problem| format!("line {number}: {problem}")));
        }
        if count > MAX_RULES {
            problems.push(format!("{count} rules are more than {MAX_RULES}: say more with %u, %r and wildcards"));
        }
        if problems.is_empty() { Ok(rules) } else { Err(problems) }
    }

    fn open(&mut self, line: &str) -> Result<Section, String> {
        let mut words = line.split_whitespace().peekable();
        let replace = words.next_if_eq(&"replace").is_some();
        let section = section(&mut words)?;
        if let Some(word) = words.next() {
            return Err(format!("{word:?} is too much: a section is one line by itself"));
        }
        match (&section, replace) {
            (Section::User(_), true) => Err("replace is for roles: a user's rules always add to its role's".to_owned()),
            (Section::Role(role), true) => {
                self.replaced.insert(*role);
                Ok(section)
            }
            (_, false) => Ok(section),
        }
    }

    fn add(&mut self, section: Option<&Section>, line: &str) -> Result<(), String> {
        let rule = rule(line)?;
        let rules = match section {
            Some(Section::Role(role)) => self.roles.entry(*role).or_default(),
            Some(Section::User(name)) => self.users.entry(name.clone()).or_default(),
            None => return Err("nobody to allow or deny: put `role NAME`, `user NAME` or `anonymous` above".to_owned()),
        };
        rules.push(rule);
        Ok(())
    }
}

fn section(words: &mut Peekable<SplitWhitespace<'_>>) -> Result<Section, String> {
    match (words.next(), words.peek()) {
        (Some("anonymous"), _) => Ok(Section::Role(Role::Anonymous)),
        (Some("role"), Some(name)) => {
            let role = name.parse().map(Section::Role).map_err(|error: super::role::UnknownRole| error.to_string())?;
            words.next();
            Ok(role)
        }
        (Some("user"), Some(name)) => {
            let name = (*name).to_owned();
            words.next();
            Ok(Section::User(name))
        }
        (Some(word @ ("role" | "user")), None) => Err(format!("{word} needs a name")),
        (word, _) => Err(format!(
            "{:?} is unknown: a line is `role NAME`, `user NAME`, `anonymous`, or `allow|deny read|write|readwrite FILTER`",
            word.unwrap_or_default()
        )),
    }
}

/// The filter is the rest of the line, as topics may have spaces in them.
fn rule(line: &str) -> Result<Rule, String> {
    let (effect, rest) = word(line);
    let (access, filter) = word(rest);
    let effect = if effect == "deny" { Effect::Deny } else { Effect::Allow };
    let (read, write) = match access {
        "read" => (true, false),
        "write" => (false, true),
        "readwrite" => (true, true),
        other => return Err(format!("{other:?} is not what can be done: give read, write or readwrite")),
    };
    if filter.starts_with("$share/") {
        return Err("a rule is about the filter inside $share/GROUP/: give that alone".to_owned());
    }
    let template = Template::parse(filter).map_err(|problem| format!("{filter:?}: {problem}"))?;
    Ok(Rule { effect, read, write, template })
}

fn word(line: &str) -> (&str, &str) {
    line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        Rules::over_builtin(Some(text)).unwrap_err()
    }

    #[test]
    fn the_builtin_rules_are_valid() {
        let rules = Rules::over_builtin(None).unwrap();
        for role in Role::OF_USERS.into_iter().chain([Role::Anonymous]) {
            assert!(rules.of(role, None).count() > 0, "{role}");
        }
    }

    #[test]
    fn a_file_extends_or_replaces_a_role() {
        let builtin = Rules::over_builtin(None).unwrap();
        let text =
            "role agent\n allow read a b/%u  \n\n# one\nreplace role ingest\nreplace anonymous\nuser x\ndeny write #";
        let rules = Rules::over_builtin(Some(text)).unwrap();
        let count = |rules: &Rules, role| rules.of(role, None).count();
        assert_eq!(count(&rules, Role::Agent), count(&builtin, Role::Agent) + 1);
        assert_eq!((count(&rules, Role::Ingest), count(&rules, Role::Anonymous)), (0, 0));
        assert_eq!(count(&rules, Role::Operator), count(&builtin, Role::Operator));
        assert_eq!(rules.of(Role::Ingest, Some("x")).count(), 1);
        let added = rules.of(Role::Agent, None).last().unwrap();
        assert_eq!((added.read, added.write, added.effect), (true, false, Effect::Allow));
        assert_eq!(added.template, Template::parse("a b/%u").unwrap());
    }

    #[test]
    fn every_problem_is_reported_with_its_line() {
        let text = "allow read a\nrole boss\nrole agent x\nrole agent\nallow all a\nallow read\nallow read a#\nallow read %z\n\
                    topic a\nreplace user x\nuser\nallow read $share/g/a\nallow readwrite a/#";
        let problems = problems(text);
        let lines: Vec<_> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        let expected: Vec<_> = (1..=12).filter(|number| *number != 4).map(|number| format!("line {number}")).collect();
        assert_eq!(lines, expected, "{problems:#?}");
    }

    #[test]
    fn rules_are_bounded() {
        let text = format!("role agent\n{}", "allow read a\n".repeat(MAX_RULES + 1));
        assert!(problems(&text)[0].contains("more than"));
    }
}
