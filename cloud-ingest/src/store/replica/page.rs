//! All of a state, page by page, while it goes on changing. Each row is found by an index from where the last one was, so that
//! a page costs the same wherever it begins. What changes behind a place is for the log of changes to say.

use super::super::number::to_sql;
use super::super::{agents, aggregates, decisions, directives, latest, ledger, progress};
use super::GAPS_PER_ROW;
use super::place::Place;
use fogline_protocol::directive::Directive;
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{
    AverageRow, Clarification, DecisionRow, Latest, Owner, Page, ProgressRow, Rows, StatusRow, Stay,
};
use fogline_protocol::window::Aggregate;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// Rows that are taken together.
enum Entry {
    Progress(ProgressRow),
    Decisions(Vec<DecisionRow>),
    Directive(Directive),
    Status(StatusRow),
    Latest(Latest),
    Stay(Stay),
    Clarification(Clarification),
    Average(AverageRow),
}

/// The next rows after a place, of at most so many bytes, or one; a place that nobody wrote is the beginning.
pub(super) fn read(db: &Connection, after: Option<&str>, bytes_max: usize) -> rusqlite::Result<Page> {
    let mut place = after.and_then(Place::parse).unwrap_or(Place::START);
    let (mut rows, mut bytes) = (Rows::default(), 0);
    while let Some((next, entry)) = entry_after(db, place)? {
        bytes += entry.bytes();
        if !rows.is_empty() && bytes > bytes_max {
            return Ok(Page { rows, next: Some(place.to_string()) });
        }
        entry.put(&mut rows);
        place = next;
    }
    Ok(Page { rows, next: None })
}

impl Entry {
    fn bytes(&self) -> usize {
        let json = match self {
            Self::Progress(row) => serde_json::to_string(row),
            Self::Decisions(rows) => serde_json::to_string(rows),
            Self::Directive(row) => serde_json::to_string(row),
            Self::Status(row) => serde_json::to_string(row),
            Self::Latest(row) => serde_json::to_string(row),
            Self::Stay(row) => serde_json::to_string(row),
            Self::Clarification(row) => serde_json::to_string(row),
            Self::Average(row) => serde_json::to_string(row),
        };
        // And a comma. What cannot be said as JSON has no length either.
        json.map_or(0, |json| json.len() + 1)
    }

    fn put(self, rows: &mut Rows) {
        match self {
            Self::Progress(row) => rows.progress.push(row),
            Self::Decisions(more) => rows.decisions.extend(more),
            Self::Directive(row) => rows.directives.push(row),
            Self::Status(row) => rows.statuses.push(row),
            Self::Latest(row) => rows.latest.push(row),
            Self::Stay(row) => rows.stays.push(row),
            Self::Clarification(row) => rows.clarifications.push(row),
            Self::Average(row) => rows.averages.push(row),
        }
    }
}

type Found = Option<(Place, Entry)>;

/// The first entry after a place, and the place after it.
fn entry_after(db: &Connection, mut place: Place) -> rusqlite::Result<Found> {
    loop {
        let found = match place {
            Place::Progress { stream, gap } => progress_after(db, stream, gap)?,
            Place::Decisions { agent } => decisions_after(db, agent)?,
            Place::Directives { directive } => directives::after(db, directive)?
                .map(|row| (Place::Directives { directive: to_sql(row.id) }, Entry::Directive(row))),
            Place::Statuses { agent } => status_after(db, agent)?,
            Place::Latest { series } => {
                latest::after(db, series)?.map(|(series, row)| (Place::Latest { series }, Entry::Latest(row)))
            }
            Place::Stays { stay } => {
                ledger::stay_after(db, stay)?.map(|(stay, row)| (Place::Stays { stay }, Entry::Stay(row)))
            }
            Place::Clarifications { clarification } => ledger::clarification_after(db, clarification)?
                .map(|(clarification, row)| (Place::Clarifications { clarification }, Entry::Clarification(row))),
            Place::Averages { average, width_s, start_us } => average_after(db, (average, width_s, start_us))?,
        };
        match (found, place.next_section()) {
            (None, Some(next)) => place = next,
            (found, _) => return Ok(found),
        }
    }
}

fn progress_after(db: &Connection, stream: i64, gap: i64) -> rusqlite::Result<Found> {
    // A stream with more gaps than fit a row comes again, with the next ones.
    let more = if gap == Place::WHOLE { Vec::new() } else { progress::gaps_after(db, stream, gap, GAPS_PER_ROW)? };
    let (from, after) = if more.is_empty() { (stream.saturating_add(1), -1) } else { (stream, gap) };
    let mut statement = db.prepare_cached(
        "SELECT s.id, a.region, a.name, s.bits, s.through, s.ranges FROM stream s CROSS JOIN agent a ON a.id = s.agent
         WHERE s.id >= ?1 AND s.progressed ORDER BY s.id LIMIT 1",
    )?;
    let found = statement.query_row([from], |row| {
        let stream = StreamId::from_bits(row.get::<_, i64>(3)?.cast_unsigned());
        let id = AgentId { region: decisions::name(row, 1)?, agent: decisions::name(row, 2)? };
        Ok((row.get::<_, i64>(0)?, ProgressRow::new(&id, stream, progress::read(row, 4)?, Vec::new())))
    });
    let Some((stream, mut row)) = found.optional()? else { return Ok(None) };
    row.gaps = progress::gaps_after(db, stream, after, GAPS_PER_ROW)?;
    let last = row.gaps.last().filter(|_| row.gaps.len() == GAPS_PER_ROW);
    let gap = last.map_or(Place::WHOLE, |last| to_sql(last.first));
    Ok(Some((Place::Progress { stream, gap }, Entry::Progress(row))))
}

fn decisions_after(db: &Connection, agent: i64) -> rusqlite::Result<Found> {
    let mut next = db.prepare_cached("SELECT min(agent) FROM decision WHERE agent > ?1")?;
    let Some(agent) = next.query_row([agent], |row| row.get(0))? else { return Ok(None) };
    let rows = decisions::newest_of(db, agent)?.iter().map(DecisionRow::new).collect();
    Ok(Some((Place::Decisions { agent }, Entry::Decisions(rows))))
}

fn status_after(db: &Connection, agent: i64) -> rusqlite::Result<Found> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT a.id, a.region, a.name, a.heard_us, {} FROM agent a
         WHERE a.id > ?1 AND a.heard_us IS NOT NULL ORDER BY a.id LIMIT 1",
        agents::COLUMNS
    ))?;
    let found = statement.query_row([agent], |row| {
        let owner = Owner { region: decisions::name(row, 1)?, agent: decisions::name(row, 2)? };
        let status = StatusRow { owner, status: agents::read(row, 4)?, heard_us: row.get(3)? };
        Ok((Place::Statuses { agent: row.get(0)? }, Entry::Status(status)))
    });
    found.optional()
}

fn average_after(db: &Connection, after: (i64, i64, i64)) -> rusqlite::Result<Found> {
    let mut statement = db.prepare_cached(
        "SELECT g.average, g.width_s, g.start_us, v.region, v.agent, v.kind, v.field,
             g.n, g.sum, g.sum_squares, g.min, g.max
         FROM aggregate g CROSS JOIN average v ON v.id = g.average
         WHERE (g.average, g.width_s, g.start_us) > (?1, ?2, ?3)
         ORDER BY g.average, g.width_s, g.start_us LIMIT 1",
    )?;
    statement.query_row(after, average).optional()
}

fn average(row: &Row<'_>) -> rusqlite::Result<(Place, Entry)> {
    let place = Place::Averages { average: row.get(0)?, width_s: row.get(1)?, start_us: row.get(2)? };
    let name = |column: usize| {
        let empty = row.get_ref(column)?.as_str()?.is_empty();
        if empty { Ok(None) } else { decisions::name(row, column).map(Some) }
    };
    let Aggregate { n, sum, sum_squares, min, max } = aggregates::read(row, 7)?;
    let average = AverageRow {
        region: name(3)?,
        agent: name(4)?,
        kind: row.get(5)?,
        field: row.get(6)?,
        width_s: row.get(1)?,
        start_us: row.get(2)?,
        values: (n, sum, sum_squares, min, max),
    };
    Ok((place, Entry::Average(average)))
}
