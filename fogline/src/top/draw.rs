//! The screen.

use super::cells::{COLUMNS, cells, plain, span, state};
use super::fleet::{AGENTS_MAX, Agent};
use super::view::{Order, View};
use crate::figures::count;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table, TableState};
use std::time::Instant;

/// Lines of the details below the table.
const DETAILS_LINES: u16 = 9;
/// Readings that wait longer are worth a look.
const LAG_MS: u64 = 10_000;
/// Clocks that differ more are worth a look.
const CLOCK_MS: u64 = 2_000;

const KEYS: &str = " q quit  h help  s sort  R reverse  f region  Enter details  up/down move";

/// Draws all of it; `colour` where the terminal wants some.
pub(super) fn draw(frame: &mut Frame<'_>, view: &View, now: Instant, colour: bool) {
    let details = if view.details { DETAILS_LINES } else { 0 };
    let parts = [Constraint::Length(2), Constraint::Min(3), Constraint::Length(details), Constraint::Length(1)];
    let [head, middle, below, foot] = Layout::vertical(parts).areas(frame.area());
    let rows = view.rows();
    frame.render_widget(Paragraph::new(header(view, &rows, now, colour)), head);
    table(frame, view, &rows, middle, colour);
    if let Some(agent) = rows.get(view.place(&rows)).filter(|_| view.details) {
        let title = format!(" {}/{} ", plain(&agent.region), plain(&agent.agent));
        let block = Block::default().borders(Borders::TOP).title(title);
        frame.render_widget(Paragraph::new(details_of(agent)).block(block), below);
    }
    frame.render_widget(Paragraph::new(KEYS).style(Style::new().add_modifier(Modifier::REVERSED)), foot);
    if view.help {
        help(frame);
    }
}

fn paint(colour: bool, with: Color) -> Style {
    if colour { Style::new().fg(with) } else { Style::new().add_modifier(Modifier::BOLD) }
}

fn header(view: &View, rows: &[&Agent], now: Instant, colour: bool) -> Vec<Line<'static>> {
    let health = &view.fleet().health;
    let online = rows.iter().filter(|agent| agent.online == Some(true)).count();
    let queued: u64 = rows.iter().map(|agent| agent.queued).sum();
    let region = view.region.as_deref().unwrap_or("all regions");
    let more = if view.fleet().more { format!(" (the first {AGENTS_MAX})") } else { String::new() };
    let latency =
        health.latency_ms.map_or_else(|| "-".to_owned(), |latency| format!("{:.0}/{:.0} ms", latency.p50, latency.p99));
    let first = format!(
        "{}: {online} of {} agents online{more}, {:.1} readings a second, latency p50/p99 {latency}, {} queued",
        plain(region),
        rows.len(),
        health.readings_per_s,
        count(queued)
    );
    vec![Line::from(first), second(view, now, colour)]
}

/// What is wrong, or who leads.
fn second(view: &View, now: Instant, colour: bool) -> Line<'static> {
    let red = paint(colour, Color::Red);
    if let Some(trouble) = &view.trouble {
        let since = view.told.map_or_else(
            || "nothing heard yet".to_owned(),
            |told| {
                format!(
                    "shown as {} ago",
                    span(u64::try_from(now.saturating_duration_since(told).as_millis()).unwrap_or(0))
                )
            },
        );
        return Line::from(Span::styled(format!("{since}: {}", plain(trouble)), red));
    }
    let health = &view.fleet().health;
    if view.told.is_none() {
        return Line::from("asking …");
    }
    if let Some(why) = &health.store_down {
        return Line::from(Span::styled(format!("the store is down: {}", plain(why)), red));
    }
    let leader = health.leader.as_deref().unwrap_or("nobody");
    let brokers = format!("{} of {} brokers", health.connected.len(), health.brokers.len());
    let counts = format!("{} duplicates, {} dead letters", count(health.duplicates_total), count(health.dead_total));
    let text = format!("{}: {} leads, {brokers}, {counts}", plain(&health.ingester), plain(leader));
    let is_well = health.leader.is_some() && !health.connected.is_empty();
    Line::from(Span::styled(text, if is_well { Style::new() } else { red }))
}

/// Columns from the left as far as they fit: on a narrow screen the last ones go first.
fn table(frame: &mut Frame<'_>, view: &View, rows: &[&Agent], area: Rect, colour: bool) {
    let place = view.place(rows);
    // Only what can be seen is made into cells: a fleet has thousands.
    let height = usize::from(area.height.saturating_sub(1)).max(1);
    let from = (place / height) * height;
    let seen = rows.get(from..(from + height).min(rows.len())).unwrap_or_default();
    let texts: Vec<[String; 10]> = seen.iter().map(|agent| cells(agent)).collect();
    let widths = widths(&texts, area.width);
    let marked_head = |column: &&str| {
        let sorted = view.order.key().1 == *column;
        let arrow = match (sorted, view.reversed) {
            (false, _) => "",
            (true, false) => "*",
            (true, true) => "^",
        };
        format!("{arrow}{column}")
    };
    let heads = COLUMNS.iter().zip(&widths).enumerate();
    let head =
        Row::new(heads.map(|(column, (name, width))| Cell::from(aligned(&marked_head(name), *width, column == 0))))
            .style(Style::new().add_modifier(Modifier::BOLD));
    let lines = seen.iter().zip(&texts).map(|(agent, texts)| {
        let cells = texts.iter().zip(&widths).enumerate().map(|(column, (text, width))| {
            Cell::from(aligned(text, *width, column == 0)).style(style(agent, column, colour))
        });
        Row::new(cells.collect::<Vec<_>>())
    });
    let constraints = widths.iter().map(|width| Constraint::Length(u16::try_from(*width).unwrap_or(u16::MAX)));
    let table = Table::new(lines, constraints)
        .header(head)
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected((!seen.is_empty()).then_some(place - from));
    frame.render_stateful_widget(table, area, &mut state);
}

fn aligned(text: &str, width: usize, left: bool) -> String {
    if left { format!("{text:<width$}") } else { format!("{text:>width$}") }
}

fn widths(texts: &[[String; 10]], room: u16) -> Vec<usize> {
    let mut widths = Vec::new();
    let mut left = usize::from(room);
    for (column, name) in COLUMNS.iter().enumerate() {
        let cells = texts.iter().filter_map(|row| row.get(column)).map(|text| text.chars().count());
        // One more, for the mark of the order.
        let width = cells.max().unwrap_or(0).max(name.len() + 1).min(usize::from(room));
        if width > left && !widths.is_empty() {
            break;
        }
        widths.push(width);
        left = left.saturating_sub(width + 2);
    }
    widths
}

/// What is worth a look stands out.
fn style(agent: &Agent, column: usize, colour: bool) -> Style {
    let name = COLUMNS.get(column).copied().unwrap_or_default();
    let red = match name {
        "state" => agent.online != Some(true),
        "lost" => agent.lost.max(agent.dropped) > 0,
        _ => false,
    };
    let yellow = match name {
        "lag" | "queued" => agent.lag_ms > LAG_MS,
        "answered" => agent.acknowledged == Some(false),
        "clock" => agent.clock_ahead_ms.is_some_and(|ms| ms.unsigned_abs() > CLOCK_MS),
        _ => false,
    };
    match (red, yellow) {
        (true, _) => paint(colour, Color::Red),
        (_, true) => paint(colour, Color::Yellow),
        _ => Style::new(),
    }
}

fn details_of(agent: &Agent) -> Vec<Line<'static>> {
    let heard = agent.heard_ms_ago.map_or_else(|| "never".to_owned(), |ms| format!("{} ago", span(ms)));
    let mut lines = vec![
        Line::from(format!(
            "{}, heard {heard}, broker {}",
            state(agent),
            plain(agent.broker.as_deref().unwrap_or("-"))
        )),
        Line::from(format!(
            "{} dealt with in {} streams, {} queued, oldest {}, {} in gaps, {} dropped or damaged",
            count(agent.through),
            agent.streams,
            count(agent.queued),
            span(agent.lag_ms),
            count(agent.lost),
            count(agent.dropped)
        )),
    ];
    lines.extend(agent.decisions.iter().map(|(what, fate)| Line::from(format!("{}: {}", plain(what), plain(fate)))));
    lines
}

fn help(frame: &mut Frame<'_>) {
    let mut lines: Vec<Line<'_>> = Order::ALL
        .iter()
        .map(|order| {
            let (key, what) = order.key();
            Line::from(format!(" {key}  order by {what}"))
        })
        .collect();
    lines.extend(
        [
            " s  next order     R  the other way round",
            " f  next region    Enter  details",
            " h  no help        q, Ctrl-C  end",
            " lag: age of the oldest queued reading; lost: in gaps, dropped or damaged",
        ]
        .map(Line::from),
    );
    let whole = frame.area();
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(whole.height);
    let width = 76.min(whole.width);
    let area = Rect { x: (whole.width - width) / 2, y: (whole.height - height) / 2, width, height };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::default().borders(Borders::ALL).title(" keys ")), area);
}

#[cfg(test)]
mod tests {
    use super::super::fleet::{Fleet, Health, Latency};
    use super::super::view::Key;
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use std::time::Duration;

    fn agent(name: &str, queued: u64) -> Agent {
        Agent {
            region: "north".to_owned(),
            agent: name.to_owned(),
            online: Some(queued < 100),
            per_s: Some(5.0),
            queued,
            lag_ms: queued * 100,
            limit_kmh: Some(80.0),
            acknowledged: Some(true),
            clock_ahead_ms: Some(-4),
            heard_ms_ago: Some(3_000),
            broker: Some("127.0.0.1:1883".to_owned()),
            through: 1_200,
            streams: 1,
            decisions: vec![("limit {\"limit_kmh\":80.0}".to_owned(), "applied".to_owned())],
            ..Agent::default()
        }
    }

    fn view(agents: Vec<Agent>, now: Instant) -> View {
        let health = Health {
            ingester: "ingest-1".to_owned(),
            leader: Some("ingest-1".to_owned()),
            connected: vec!["b".to_owned()],
            brokers: vec!["b".to_owned()],
            readings_per_s: 10.0,
            latency_ms: Some(Latency { p50: 12.0, p99: 48.0 }),
            ..Health::default()
        };
        let mut view = View::default();
        view.tell(Fleet { health, agents, more: false }, now);
        view
    }

    fn screen(view: &View, width: u16, height: u16, now: Instant) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, view, now, true)).unwrap();
        let lines = terminal.backend().to_string();
        lines.lines().map(|line| line.trim_matches('"').trim_end().to_owned() + "\n").collect()
    }

    #[test]
    fn the_fleet_is_a_table() {
        let now = Instant::now();
        let view = view(vec![agent("lane-1", 0), agent("lane-2", 1_234)], now);
        let expected = "\
all regions: 1 of 2 agents online, 10.0 readings a second, latency p50/p99 12/48 ms, 1,234 queued
ingest-1: ingest-1 leads, 1 of 1 brokers, 0 duplicates, 0 dead letters
*agent          state   per s   queued       lag   lost   limit   answered   clock          broker
north/lane-1   online     5.0        0         -      0      80        yes   -4 ms  127.0.0.1:1883
north/lane-2  offline     5.0    1,234     2 min      0      80        yes   -4 ms  127.0.0.1:1883

 q quit  h help  s sort  R reverse  f region  Enter details  up/down move
";
        let shown = screen(&view, 110, 7, now);
        // Only the widths of columns are free.
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&shown), words(expected), "{shown}");
        assert_eq!(shown.lines().count(), 7);
    }

    #[test]
    fn a_narrow_screen_loses_the_last_columns_and_a_tiny_one_does_no_harm() {
        let now = Instant::now();
        let mut view = view(vec![agent("lane-1", 3)], now);
        let narrow = screen(&view, 60, 8, now);
        assert!(narrow.contains("queued") && !narrow.contains("broker "), "{narrow}");
        view.press(Key::Enter);
        view.press(Key::Char('h'));
        for (width, height) in [(1, 1), (2, 3), (10, 4), (300, 100)] {
            screen(&view, width, height, now);
        }
    }

    #[test]
    fn details_help_and_trouble_are_shown() {
        let now = Instant::now();
        let mut view = view(vec![agent("lane-1", 3)], now);
        view.press(Key::Enter);
        let shown = screen(&view, 100, 20, now);
        assert!(shown.contains("heard 3.0 s ago") && shown.contains("limit {\"limit_kmh\":80.0}: applied"), "{shown}");
        view.press(Key::Char('h'));
        assert!(screen(&view, 100, 20, now).contains("order by lag"));
        view.press(Key::Char('h'));
        view.trouble("no answer from 127.0.0.1:8080".to_owned());
        let later = now + Duration::from_secs(12);
        let shown = screen(&view, 100, 20, later);
        assert!(shown.contains("shown as 12.0 s ago: no answer") && shown.contains("north/lane-1"), "{shown}");
    }

    #[test]
    fn thousands_are_drawn_as_fast_as_a_screenful() {
        let now = Instant::now();
        let mut view = view((0..5_000).map(|n| agent(&format!("lane-{n:04}"), n)).collect(), now);
        view.press(Key::End);
        let start = Instant::now();
        let shown = screen(&view, 120, 40, now);
        assert!(shown.contains("lane-4999"), "{shown}");
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    }
}
