//! The users and their rights in the words of other brokers, made from the same files and by the same code as at the gate,
//! so that the rules are written down once.

pub(crate) mod mosquitto;
pub(crate) mod nats;

use super::{
    filter::Filter,
    identity::{Rights, Side},
    rules::Rules,
    state::{AccessConfig, Loaded},
    template::Subject,
    users::{User, Users},
};

/// The users and rules of these files.
///
/// # Errors
/// All that is wrong in both.
pub(crate) fn read(config: &AccessConfig) -> Result<(Vec<User>, Rules), Vec<String>> {
    let loaded = Loaded::read(config);
    let problems = loaded.problems();
    let (Ok(users), Ok(rules)) = (loaded.users, loaded.rules) else { return Err(problems) };
    Ok((enabled(&users), Rules::clone(&rules)))
}

/// Who can log in, by name.
fn enabled(users: &Users) -> Vec<User> {
    users.sorted().into_iter().filter(|user| !user.disabled).cloned().collect()
}

/// What a user may do. The client id is its name: other brokers are told to take no other.
fn rights(user: &User, rules: &Rules) -> Rights {
    let subject = Subject { user: Some(&user.name), client_id: &user.name, regions: &user.regions };
    Rights::new(user.role, subject, rules)
}

/// Whether a filter is among these, word by word.
fn has(filters: &[Filter], filter: &Filter) -> bool {
    filters.iter().any(|other| other.as_str() == filter.as_str())
}

impl Side {
    fn allowed_texts(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(Filter::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Users of these lines, with tokens, under these rules on top of the built-in ones.
    pub(super) fn given(lines: &str, rules: &str) -> (Vec<User>, Rules) {
        let hash = super::super::secret::Secret::of_token(b"t").encoded();
        let text: String = lines.lines().map(|line| format!("{line} {hash}\n")).collect();
        (enabled(&Users::parse(&text).unwrap()), Rules::over_builtin(Some(rules)).unwrap())
    }

    #[test]
    fn the_disabled_are_left_out() {
        let text = "a agent north !-\nb agent north -\n";
        let names: Vec<_> = enabled(&Users::parse(text).unwrap()).into_iter().map(|user| user.name).collect();
        assert_eq!(names, ["b".into()]);
    }
}
