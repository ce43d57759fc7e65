//! Retained messages: the last one of each topic that was published with RETAIN (3.1.1, 3.3.1.3).

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Arc, PoisonError, RwLock},
};

use crate::{
    message::{Deadline, Message},
    topic,
};

/// Most messages kept. With the bytes below it bounds what restarting clients are sent.
const MAX_MESSAGES: usize = 100_000;
/// Most bytes kept, of all messages together.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// Most messages kept for one user, so that none fills the store for all. An agent of Fogline retains one.
const MAX_PER_OWNER: usize = 10_000;

/// The store is full, for everybody or for this user: the message was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

#[derive(Debug)]
struct Kept {
    message: Message,
    owner: Arc<str>,
}

#[derive(Debug, Default)]
struct Store {
    /// In the order of topics, so that the matches of a filter are found by what it begins with.
    messages: BTreeMap<Box<str>, Kept>,
    by_owner: HashMap<Arc<str>, usize>,
    bytes: usize,
}

/// All retained messages.
#[derive(Debug, Default)]
pub(crate) struct Retained {
    store: RwLock<Store>,
}

impl Retained {
    /// Keeps `message`, which `owner` has published, in place of the last one of its topic [MQTT-3.3.1-5]; an empty payload removes
    /// that one and is not kept [MQTT-3.3.1-10, MQTT-3.3.1-11].
    ///
    /// # Errors
    /// [`Full`], and the last one stays.
    pub(crate) fn put(&self, message: Message, owner: &Arc<str>) -> Result<(), Full> {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        if message.payload_is_empty() {
            store.remove(message.topic());
            return Ok(());
        }
        store.put(message, owner)
    }

    /// The messages that match a filter and have not expired at `now`.
    pub(crate) fn matching(&self, filter: &str, now: Deadline) -> Vec<Message> {
        let prefix = topic::literal_prefix(filter);
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store
            .messages
            .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
            .take_while(|(topic, _)| topic.starts_with(prefix))
            .filter(|(topic, kept)| topic::matches(topic, filter) && kept.message.remaining(now) != Some(0))
            .map(|(_, kept)| kept.message.clone())
            .collect()
    }

    /// Drops what has expired.
    pub(crate) fn expire(&self, now: Deadline) {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let expired: Vec<_> = store
            .messages
            .iter()
            .filter(|(_, kept)| kept.message.remaining(now) == Some(0))
            .map(|(topic, _)| topic.clone())
            .collect();
        expired.iter().for_each(|topic| store.remove(topic));
    }

    /// Messages and bytes.
    pub(crate) fn size(&self) -> (usize, usize) {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        (store.messages.len(), store.bytes)
    }
}

impl Store {
    fn put(&mut self, message: Message, owner: &Arc<str>) -> Result<(), Full> {
        let replaced = self.messages.get(message.topic());
        let (replaced_bytes, replaced_count) = replaced.map_or((0, 0), |kept| (kept.message.size(), 1));
        let owned = self.by_owner.get(owner).copied().unwrap_or(0);
        let same_owner = replaced.is_some_and(|kept| kept.owner == *owner);
        if self.messages.len() - replaced_count >= MAX_MESSAGES
            || self.bytes - replaced_bytes + message.size() > MAX_BYTES
            || (!same_owner && owned >= MAX_PER_OWNER)
        {
            return Err(Full);
        }
        self.remove(message.topic());
        self.bytes += message.size();
        *self.by_owner.entry(Arc::clone(owner)).or_default() += 1;
        self.messages.insert(message.topic().into(), Kept { message, owner: Arc::clone(owner) });
        Ok(())
    }

    fn remove(&mut self, topic: &str) {
        let Some(kept) = self.messages.remove(topic) else { return };
        self.bytes -= kept.message.size();
        if let Some(count) = self.by_owner.get_mut(&kept.owner) {
            *count -= 1;
            if *count == 0 {
                self.by_owner.remove(&kept.owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{message::Envelope, packet::QoS};

    fn message(topic: &str, payload: &str) -> Message {
        let envelope = Envelope { qos: QoS::AtMostOnce, retain: true, expires: None };
        Message::new(topic, &[], payload.as_bytes(), envelope)
    }

    fn topics(retained: &Retained, filter: &str) -> Vec<String> {
        retained.matching(filter, 0).iter().map(|message| message.topic().to_owned()).collect()
    }

    #[test]
    fn the_last_message_of_a_topic_is_kept() {
        let (retained, owner) = (Retained::default(), Arc::from("a"));
        retained.put(message("t/1", "old"), &owner).unwrap();
        retained.put(message("t/1", "new"), &owner).unwrap();
        assert_eq!(retained.matching("t/1", 0), [message("t/1", "new")]);
        assert_eq!(retained.size(), (1, message("t/1", "new").size()));
        retained.put(message("t/1", ""), &owner).unwrap();
        assert_eq!(retained.size(), (0, 0));
    }

    #[test]
    fn wildcards_find_all_that_match() {
        let (retained, owner) = (Retained::default(), Arc::from("a"));
        for topic in ["sport", "sport/a", "sport/a/b", "sportive", "$SYS/x", "t"] {
            retained.put(message(topic, "x"), &owner).unwrap();
        }
        assert_eq!(topics(&retained, "sport/#"), ["sport", "sport/a", "sport/a/b"]);
        assert_eq!(topics(&retained, "sport/+"), ["sport/a"]);
        assert_eq!(topics(&retained, "#").len(), 5);
        assert_eq!(topics(&retained, "+/a"), ["sport/a"]);
    }

    #[test]
    fn one_owner_cannot_fill_the_store() {
        let (retained, greedy, other) = (Retained::default(), Arc::from("greedy"), Arc::from("other"));
        for number in 0..MAX_PER_OWNER {
            retained.put(message(&format!("g/{number}"), "x"), &greedy).unwrap();
        }
        assert_eq!(retained.put(message("g/more", "x"), &greedy), Err(Full));
        retained.put(message("g/0", "replaced"), &greedy).unwrap();
        retained.put(message("o", "x"), &other).unwrap();
        retained.put(message("g/1", ""), &greedy).unwrap();
        retained.put(message("g/more", "x"), &greedy).unwrap();
    }

    #[test]
    fn bytes_are_bounded() {
        let (retained, owner) = (Retained::default(), Arc::from("a"));
        let large = "x".repeat(MAX_BYTES / 2);
        retained.put(message("a", &large), &owner).unwrap();
        assert_eq!(retained.put(message("b", &large), &owner), Err(Full));
        retained.put(message("a", "small"), &owner).unwrap();
        retained.put(message("b", &large), &owner).unwrap();
    }

    #[test]
    fn expired_messages_are_gone() {
        let (retained, owner) = (Retained::default(), Arc::from("a"));
        let mut short = message("t", "x");
        short.expires = Some(10);
        retained.put(short, &owner).unwrap();
        assert_eq!(retained.matching("t", 9).len(), 1);
        assert_eq!(retained.matching("t", 10).len(), 0);
        retained.expire(10);
        assert_eq!(retained.size(), (0, 0));
    }
}
