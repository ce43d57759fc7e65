//! Topic filters: which topics one matches, and whether several together cover another (MQTT 3.1.1, section 4.7).

/// MQTT strings have a length of two bytes ([MQTT-1.5.3]).
const MAX_BYTES: usize = 65_535;

/// A valid topic filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter(Box<str>);

/// One level of what is to be matched.
#[derive(Debug, Clone, Copy)]
enum Level<'a> {
    Name(&'a str),
    /// Some name that occurs in no filter: what a `+` of a subscription stands for, when all that it may receive must be
    /// covered. There are more names than filters, so a name like this always exists.
    Any,
}

impl Level<'_> {
    fn is_reserved(self) -> bool {
        matches!(self, Self::Name(name) if name.starts_with('$'))
    }

    fn is_matched_by(self, pattern: &str) -> bool {
        pattern == "+" || matches!(self, Self::Name(name) if name == pattern)
    }
}

impl Filter {
    /// # Errors
    /// What is wrong with `text`, as the end of a sentence ([MQTT-4.7.1-2], [MQTT-4.7.1-3], [MQTT-4.7.3-1],
    /// [MQTT-4.7.3-2]).
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() || text.len() > MAX_BYTES || text.contains('\0') {
            return Err("a filter has 1 to 65535 bytes, none of them zero");
        }
        let mut levels = text.split('/').peekable();
        while let Some(level) = levels.next() {
            if level.contains('#') && (level != "#" || levels.peek().is_some()) {
                return Err("# stands alone at the end, after a /");
            }
            if level.contains('+') && level != "+" {
                return Err("+ stands alone between two /");
            }
        }
        Ok(Self(text.into()))
    }

    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a message to `topic` is for a subscriber of this filter. `topic` is a topic name.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        self.matches_levels(topic.split('/').map(Level::Name))
    }

    fn matches_levels<'a>(&self, levels: impl Iterator<Item = Level<'a>>) -> bool {
        let mut levels = levels.peekable();
        // [MQTT-4.7.2-1]: a wildcard in front matches no topic that begins with `$`.
        if self.0.starts_with(['+', '#']) && levels.peek().is_some_and(|first| first.is_reserved()) {
            return false;
        }
        for pattern in self.0.split('/') {
            // `#` is the parent level too, so it needs no further one.
            if pattern == "#" {
                return true;
            }
            if !levels.next().is_some_and(|level| level.is_matched_by(pattern)) {
                return false;
            }
        }
        levels.next().is_none()
    }

    fn level_count(&self) -> usize {
        self.0.split('/').count()
    }
}

/// Whether every topic that `wanted` matches is matched by one of `filters`.
///
/// Exact, also where only several of them together cover it (`a` and `a/+/#` are `a/#`). Among topics with the same number
/// of levels, the one with names that no filter mentions is matched only by a filter that matches all of them; and beyond
/// the longest filter one more level changes nothing. So one topic for each number of levels decides.
pub(crate) fn cover(filters: &[Filter], wanted: &Filter) -> bool {
    let fixed: Vec<Level<'_>> = wanted
        .0
        .split('/')
        .filter(|level| *level != "#")
        .map(|level| if level == "+" { Level::Any } else { Level::Name(level) })
        .collect();
    let longest = filters.iter().map(Filter::level_count).max().unwrap_or(0);
    let (shortest_topic, longest_topic) = if wanted.0.ends_with('#') {
        // A topic has at least one level, and is not empty ([MQTT-4.7.3-1]), which is what would be above `/#`.
        let shortest = if matches!(fixed.as_slice(), [Level::Name("")]) { 2 } else { fixed.len().max(1) };
        (shortest, fixed.len().max(longest) + 1)
    } else {
        (fixed.len(), fixed.len())
    };
    (shortest_topic..=longest_topic).all(|count| {
        let topic = fixed.iter().copied().chain(std::iter::repeat(Level::Any)).take(count);
        filters.iter().any(|filter| filter.matches_levels(topic.clone()))
    })
}

/// Whether `topic` can be published to: no wildcards ([MQTT-3.3.2-2]), not empty, no zero.
pub(crate) fn is_topic_name(topic: &str) -> bool {
    !topic.is_empty() && topic.len() <= MAX_BYTES && !topic.bytes().any(|byte| matches!(byte, b'+' | b'#' | 0))
}

/// What a subscriber of `filter` gets to see: the filter itself, or the one inside `$share/GROUP/FILTER`. `None` if it is
/// neither.
pub(crate) fn subscribed(filter: &str) -> Option<Filter> {
    let inner = match filter.strip_prefix("$share/") {
        Some(shared) => {
            let (group, inner) = shared.split_once('/')?;
            let valid = !group.is_empty() && !group.contains(['+', '#']);
            valid.then_some(inner)?
        }
        None => filter,
    };
    Filter::parse(inner).ok()
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
