//! What differs between two readings of the settings.

use super::Settings;
use toml::Table;

/// Keys whose values are not what they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Those that a running program takes over.
    pub(crate) taken: Vec<String>,
    /// Those that wait for its next start.
    pub(crate) waiting: Vec<String>,
}

/// What differs between the settings that are in effect and new ones. Those that are taken over are in effect then.
pub(crate) fn take_over<T: Settings>(now: &mut Table, new: &Table) -> Changes {
    let keys = now.keys().chain(new.keys().filter(|key| !now.contains_key(*key)));
    let changed = keys.filter(|key| now.get(*key) != new.get(*key)).cloned();
    let (taken, waiting): (Vec<String>, Vec<String>) = changed.partition(|key| T::RELOADED.contains(&key.as_str()));
    for key in &taken {
        match new.get(key) {
            Some(value) => now.insert(key.clone(), value.clone()),
            None => now.remove(key),
        };
    }
    Changes { taken, waiting }
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::super::testing::Sample;
    use super::*;

    #[test]
    fn changes_are_told_apart_by_when_they_take_effect_and_waiting_ones_go_on_waiting() {
        let mut now = table(&Sample { port: Some(1), ..Sample::default() });
        let new = table(&Sample { port: Some(2), name: Some("y".into()), ..Sample::default() });
        let waiting = vec!["port".to_owned()];
        let expected = Changes { taken: vec!["name".to_owned()], waiting: waiting.clone() };
        assert_eq!(take_over::<Sample>(&mut now, &new), expected);
        assert_eq!(take_over::<Sample>(&mut now, &new), Changes { taken: Vec::new(), waiting });
        let unset = table(&Sample { port: Some(1), ..Sample::default() });
        assert_eq!(take_over::<Sample>(&mut now, &unset).taken, ["name"]);
    }
}
