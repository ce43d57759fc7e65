//! What of the fleet is looked at: order, region, selection. Keys in, no terminal.

use super::fleet::{Agent, Fleet};
use std::cmp::{Ordering, Reverse};
use std::time::Instant;

/// By what agents are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Name,
    State,
    Rate,
    Queue,
    Lag,
    Lost,
    Limit,
    Clock,
}

impl Order {
    pub(super) const ALL: [Self; 8] =
        [Self::Name, Self::State, Self::Rate, Self::Queue, Self::Lag, Self::Lost, Self::Limit, Self::Clock];

    /// Its key, and the head of its column.
    pub(super) const fn key(self) -> (char, &'static str) {
        match self {
            Self::Name => ('n', "agent"),
            Self::State => ('o', "state"),
            Self::Rate => ('r', "per s"),
            Self::Queue => ('u', "queued"),
            Self::Lag => ('l', "lag"),
            Self::Lost => ('x', "lost"),
            Self::Limit => ('m', "limit"),
            Self::Clock => ('c', "clock"),
        }
    }

    /// What is worth a look comes first: much before little, offline before online; names from a on.
    fn compare(self, a: &Agent, b: &Agent) -> Ordering {
        let worse = match self {
            Self::Name => Ordering::Equal,
            Self::State => a.online.cmp(&b.online),
            Self::Rate => b.per_s.unwrap_or(-1.0).total_cmp(&a.per_s.unwrap_or(-1.0)),
            Self::Queue => b.queued.cmp(&a.queued),
            Self::Lag => b.lag_ms.cmp(&a.lag_ms),
            Self::Lost => (b.lost.max(b.dropped)).cmp(&a.lost.max(a.dropped)),
            Self::Limit => a.limit_kmh.unwrap_or(f64::MAX).total_cmp(&b.limit_kmh.unwrap_or(f64::MAX)),
            Self::Clock => Reverse(ahead(a)).cmp(&Reverse(ahead(b))),
        };
        worse.then_with(|| (&a.region, &a.agent).cmp(&(&b.region, &b.agent)))
    }
}

fn ahead(agent: &Agent) -> Option<u64> {
    agent.clock_ahead_ms.map(i64::unsigned_abs)
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Escape,
}

/// How far a page goes; the screen may be smaller or larger.
const PAGE_ROWS: usize = 10;

/// All that is shown.
#[derive(Debug)]
pub(super) struct View {
    fleet: Fleet,
    /// When it was told, and what has gone wrong since.
    pub(super) told: Option<Instant>,
    pub(super) trouble: Option<String>,
    pub(super) order: Order,
    pub(super) reversed: bool,
    pub(super) region: Option<String>,
    /// Whose row is marked, by its name: rows move.
    marked: Option<(String, String)>,
    pub(super) details: bool,
    pub(super) help: bool,
    pub(super) done: bool,
}

impl Default for View {
    fn default() -> Self {
        Self {
            fleet: Fleet::default(),
            told: None,
            trouble: None,
            order: Order::Name,
            reversed: false,
            region: None,
            marked: None,
            details: false,
            help: false,
            done: false,
        }
    }
}

impl View {
    /// The fleet was told anew.
    pub(super) fn tell(&mut self, fleet: Fleet, now: Instant) {
        (self.fleet, self.told, self.trouble) = (fleet, Some(now), None);
    }

    /// It could not be asked; what was told last stays.
    pub(super) fn trouble(&mut self, why: String) {
        self.trouble = Some(why);
    }

    pub(super) const fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// The agents that are shown, in their order.
    pub(super) fn rows(&self) -> Vec<&Agent> {
        let of_region = |agent: &&Agent| self.region.as_ref().is_none_or(|region| *region == agent.region);
        let mut rows: Vec<&Agent> = self.fleet.agents.iter().filter(of_region).collect();
        rows.sort_by(|a, b| self.order.compare(a, b));
        if self.reversed {
            rows.reverse();
        }
        rows
    }

    /// The place of the marked row among the rows.
    pub(super) fn place(&self, rows: &[&Agent]) -> usize {
        let is = |agent: &&Agent| {
            self.marked.as_ref().is_some_and(|(region, name)| *region == agent.region && *name == agent.agent)
        };
        rows.iter().position(is).unwrap_or(0)
    }

    pub(super) fn press(&mut self, key: Key) {
        match key {
            Key::Char('q') => self.done = true,
            Key::Char('h' | '?') => self.help = !self.help,
            Key::Escape if self.help => self.help = false,
            Key::Escape => self.details = false,
            Key::Enter => self.details = !self.details,
            Key::Char('f') => self.next_region(),
            Key::Char('R') => self.reversed = !self.reversed,
            Key::Char('s') => self.next_order(),
            Key::Char('k') => self.mark(|place, _| place.saturating_sub(1)),
            Key::Char('j') => self.mark(|place, _| place + 1),
            Key::Char(key) => self.order_by(key),
            Key::Up => self.mark(|place, _| place.saturating_sub(1)),
            Key::Down => self.mark(|place, _| place + 1),
            Key::PageUp => self.mark(|place, _| place.saturating_sub(PAGE_ROWS)),
            Key::PageDown => self.mark(|place, _| place + PAGE_ROWS),
            Key::Home => self.mark(|_, _| 0),
            Key::End => self.mark(|_, count| count),
        }
    }

    fn order_by(&mut self, key: char) {
        if let Some(order) = Order::ALL.into_iter().find(|order| order.key().0 == key) {
            (self.order, self.reversed) = (order, false);
        }
    }

    fn next_order(&mut self) {
        let place = Order::ALL.iter().position(|order| *order == self.order).unwrap_or(0);
        let next = Order::ALL.get(place + 1).copied().unwrap_or(Order::Name);
        (self.order, self.reversed) = (next, false);
    }

    /// All regions, then each by itself.
    fn next_region(&mut self) {
        let mut regions: Vec<&String> = self.fleet.agents.iter().map(|agent| &agent.region).collect();
        regions.sort_unstable();
        regions.dedup();
        self.region = match &self.region {
            None => regions.first().map(|&region| region.clone()),
            Some(now) => regions.into_iter().find(|region| *region > now).cloned(),
        };
    }

    fn mark(&mut self, to: impl Fn(usize, usize) -> usize) {
        let rows = self.rows();
        let place = to(self.place(&rows), rows.len()).min(rows.len().saturating_sub(1));
        let marked = rows.get(place).map(|agent| (agent.region.clone(), agent.agent.clone()));
        self.marked = marked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(region: &str, name: &str, queued: u64) -> Agent {
        Agent {
            region: region.to_owned(),
            agent: name.to_owned(),
            queued,
            online: Some(queued < 9),
            ..Agent::default()
        }
    }

    fn view() -> View {
        let agents = vec![agent("south", "a", 1), agent("north", "c", 9), agent("north", "b", 5)];
        let mut view = View::default();
        view.tell(Fleet { agents, ..Fleet::default() }, Instant::now());
        view
    }

    fn names(view: &View) -> String {
        view.rows().iter().map(|agent| agent.agent.as_str()).collect()
    }

    #[test]
    fn keys_choose_the_order() {
        let mut view = view();
        assert_eq!(names(&view), "bca", "by region and name");
        view.press(Key::Char('u'));
        assert_eq!(names(&view), "cba", "most queued first");
        view.press(Key::Char('R'));
        assert_eq!(names(&view), "abc");
        view.press(Key::Char('o'));
        assert_eq!(names(&view), "cba", "offline first");
        for _ in 0..Order::ALL.len() {
            view.press(Key::Char('s'));
        }
        assert_eq!(view.order, Order::State, "round and round");
    }

    #[test]
    fn regions_are_gone_through_and_the_mark_stays_with_its_agent() {
        let mut view = view();
        view.press(Key::Down);
        assert_eq!(view.place(&view.rows()), 1);
        view.press(Key::Char('u'));
        assert_eq!(view.place(&view.rows()), 0, "c moved to the top, and its mark with it");
        let seen: Vec<String> = (0..3)
            .map(|_| {
                view.press(Key::Char('f'));
                names(&view)
            })
            .collect();
        assert_eq!(seen, ["cb", "a", "cba"]);
        view.press(Key::End);
        view.press(Key::Down);
        assert_eq!(view.place(&view.rows()), 2, "no further than the last");
        view.press(Key::PageUp);
        assert_eq!(view.place(&view.rows()), 0);
    }

    #[test]
    fn trouble_leaves_what_was_told_and_goes_with_the_next_word() {
        let mut view = view();
        view.trouble("no answer".to_owned());
        assert_eq!((names(&view).len(), view.trouble.is_some()), (3, true));
        view.tell(Fleet::default(), Instant::now());
        assert_eq!((names(&view).len(), view.trouble), (0, None));
    }

    #[test]
    fn nothing_to_mark_is_no_harm() {
        let mut view = View::default();
        for key in [Key::Up, Key::Down, Key::End, Key::Enter, Key::Char('f'), Key::Char('z'), Key::Escape] {
            view.press(key);
        }
        assert!(!view.done);
        view.press(Key::Char('q'));
        assert!(view.done);
    }
}
