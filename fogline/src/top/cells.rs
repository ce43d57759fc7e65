//! An agent as a row of texts, on the screen and in a pipe.

use super::fleet::Agent;
use crate::figures::count;

/// The columns. The first is aligned to the left.
pub(super) const COLUMNS: [&str; 10] =
    ["agent", "state", "per s", "queued", "lag", "lost", "limit", "answered", "clock", "broker"];

/// The cells of a row, as many as there are columns. What comes from outside is safe to show.
pub(super) fn cells(agent: &Agent) -> [String; 10] {
    [
        plain(&format!("{}/{}", agent.region, agent.agent)),
        state(agent).to_owned(),
        agent.per_s.map_or_else(|| "-".to_owned(), |per_s| format!("{per_s:.1}")),
        count(agent.queued),
        if agent.queued == 0 { "-".to_owned() } else { span(agent.lag_ms) },
        count(agent.lost.max(agent.dropped)),
        agent.limit_kmh.map_or_else(|| "-".to_owned(), |kmh| format!("{kmh:.0}")),
        agent.acknowledged.map_or("-", |yes| if yes { "yes" } else { "NO" }).to_owned(),
        agent.clock_ahead_ms.map_or_else(|| "-".to_owned(), ahead),
        plain(agent.broker.as_deref().unwrap_or("-")),
    ]
}

pub(super) fn state(agent: &Agent) -> &'static str {
    match agent.online {
        Some(true) => "online",
        Some(false) => "offline",
        None => "unheard",
    }
}

/// A time in few letters.
pub(super) fn span(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..120_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

fn ahead(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "+" };
    format!("{sign}{}", span(ms.unsigned_abs()))
}

/// Without what a terminal would obey: an ingester that is not ours may say anything.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        let shown = [0, 999, 1_500, 119_999, 120_000, 7_200_000, 200_000_000].map(span);
        assert_eq!(shown, ["0 ms", "999 ms", "1.5 s", "119.9 s", "2 min", "2 h", "2 d"]);
        assert_eq!([ahead(-3), ahead(2_000)], ["-3 ms", "+2.0 s"]);
    }

    #[test]
    fn no_text_reaches_the_terminal_as_a_command() {
        let agent = Agent { region: "\x1b[2J".to_owned(), broker: Some("a\nb".to_owned()), ..Agent::default() };
        assert!(cells(&agent).iter().all(|cell| !cell.contains(char::is_control)));
    }
}
