//! A level of the tree of filters.

use std::{collections::HashMap, sync::Arc};

use super::{Group, Receiver, Route};

/// What ends at this level, and the levels below it.
#[derive(Debug, Default)]
pub(super) struct Node {
    receivers: Vec<Receiver>,
    groups: Vec<(Box<str>, Arc<Group>)>,
    /// `+` and `#` are levels like others.
    below: HashMap<Box<str>, Node>,
}

impl Node {
    /// The node of a filter, made if there is none.
    pub(super) fn at(&mut self, filter: &str) -> &mut Self {
        filter.split('/').fold(self, |node, level| node.below.entry(level.into()).or_default())
    }

    /// True if it is new.
    pub(super) fn add(&mut self, group: Option<&str>, receiver: Receiver) -> bool {
        let Some(name) = group else { return put(&mut self.receivers, receiver) };
        let index = self.groups.iter().position(|(known, _)| &**known == name).unwrap_or_else(|| {
            self.groups.push((name.into(), Arc::default()));
            self.groups.len() - 1
        });
        let mut members = self.groups[index].1.members.clone();
        let new = put(&mut members, receiver);
        // Routes that were handed out keep the group as it was.
        self.groups[index].1 = Arc::new(Group { members, ..Group::default() });
        new
    }

    /// True if there was one. Levels that hold nothing any more go with it.
    pub(super) fn remove<'a>(
        &mut self,
        levels: &mut impl Iterator<Item = &'a str>,
        group: Option<&str>,
        session: u64,
    ) -> bool {
        let Some(level) = levels.next() else { return self.remove_here(group, session) };
        let Some(node) = self.below.get_mut(level) else { return false };
        let removed = node.remove(levels, group, session);
        if node.is_empty() {
            self.below.remove(level);
        }
        removed
    }

    fn remove_here(&mut self, group: Option<&str>, session: u64) -> bool {
        let Some(name) = group else { return take(&mut self.receivers, session) };
        let Some(index) = self.groups.iter().position(|(known, _)| &**known == name) else { return false };
        let mut members = self.groups[index].1.members.clone();
        let removed = take(&mut members, session);
        if members.is_empty() {
            self.groups.swap_remove(index);
        } else {
            self.groups[index].1 = Arc::new(Group { members, ..Group::default() });
        }
        removed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.receivers.is_empty() && self.groups.is_empty() && self.below.is_empty()
    }

    /// Adds all whose filters match the levels that are left. `wildcards` is false at the first level of a topic that begins
    /// with `$` [MQTT-4.7.2-1].
    pub(super) fn collect<'a>(
        &self,
        levels: &mut (impl Iterator<Item = &'a str> + Clone),
        wildcards: bool,
        route: &mut Route,
    ) {
        if wildcards && let Some(rest) = self.below.get("#") {
            rest.collect_here(route);
        }
        let Some(level) = levels.next() else { return self.collect_here(route) };
        if wildcards && let Some(any) = self.below.get("+") {
            any.collect(&mut levels.clone(), true, route);
        }
        if let Some(node) = self.below.get(level) {
            node.collect(levels, true, route);
        }
    }

    fn collect_here(&self, route: &mut Route) {
        route.receivers.extend_from_slice(&self.receivers);
        route.groups.extend(self.groups.iter().map(|(_, group)| Arc::clone(group)));
    }
}

fn put(receivers: &mut Vec<Receiver>, receiver: Receiver) -> bool {
    match receivers.iter_mut().find(|known| known.session == receiver.session) {
        Some(known) => {
            *known = receiver;
            false
        }
        None => {
            receivers.push(receiver);
            true
        }
    }
}

fn take(receivers: &mut Vec<Receiver>, session: u64) -> bool {
    match receivers.iter().position(|known| known.session == session) {
        Some(index) => {
            receivers.swap_remove(index);
            true
        }
        None => false,
    }
}
