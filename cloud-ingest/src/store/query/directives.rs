//! What operators decided, and what became of it on each agent.

use super::agents::DecisionRow;
use super::{After, Listed, QueryError, StoreReader};
use crate::store::{decisions, directives};
use fogline_protocol::directive::{Directive, directive_of};
use rusqlite::OptionalExtension as _;
use serde::Serialize;
use utoipa::ToSchema;

/// What an operator decided.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Directive)]
pub struct DirectiveRow {
    /// Its number.
    pub id: u64,
    /// The region.
    pub region: String,
    /// The agent; null: all of the region.
    pub agent: Option<String>,
    /// The register: `limit` or `config/sensing`.
    pub key: String,
    /// What was decided.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// The token of who set it; null where none is needed.
    pub by: Option<String>,
    /// When it was set, in microseconds since 1970.
    pub set_us: i64,
    /// When it ends by itself; null: it does not.
    pub until_us: Option<i64>,
    /// When it ended; null while it is in force.
    pub ended_us: Option<i64>,
    /// How: `replaced`, `cleared` or `expired`.
    pub ended: Option<&'static str>,
    /// The token of who ended it.
    pub ended_by: Option<String>,
}

impl From<Directive> for DirectiveRow {
    fn from(directive: Directive) -> Self {
        let Directive { id, target, body, by, set_us, until_us, ended } = directive;
        Self {
            id,
            region: target.region.to_string(),
            agent: target.agent.map(|agent| agent.to_string()),
            key: target.key,
            body,
            by,
            set_us,
            until_us,
            ended_us: ended.as_ref().map(|ended| ended.at_us),
            ended: ended.as_ref().map(|ended| ended.how.as_str()),
            ended_by: ended.and_then(|ended| ended.by),
        }
    }
}

/// An agent whom a directive concerns, and what it has of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Directed)]
pub struct DirectedRow {
    /// Its region.
    pub region: String,
    /// The agent.
    pub agent: String,
    /// Whether it is connected, as its newest status says; null where it was never heard of.
    pub online: Option<bool>,
    /// `waiting`: it was not told yet, or has not answered; `overridden`: a directive of its own counts for it; else what it
    /// answered: `applied`, `refused`, `rolled_back`, `superseded`, or `expired` where it did not before its time was over.
    pub state: &'static str,
    /// Whether it has answered.
    pub acknowledged: bool,
    /// The newest decision of its register; null where there is none.
    pub decision: Option<DecisionRow>,
}

/// Which of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectiveFilter {
    /// Only those for this region, or for agents of it.
    pub region: Option<String>,
    /// Only those of this register.
    pub key: Option<String>,
    /// Those that ended too.
    pub ended: bool,
}

impl StoreReader {
    /// Directives, newest first.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn directives(&self, filter: &DirectiveFilter, after: &After) -> Result<Listed<DirectiveRow>, QueryError> {
        let before = after.number()?.unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {} FROM directive d WHERE d.id < ?1 AND (?2 IS NULL OR d.region = ?2) AND (?3 IS NULL OR d.key = ?3)
             AND (?4 OR d.ended_us IS NULL) ORDER BY d.id DESC LIMIT ?5",
            directives::COLUMNS
        ))?;
        let asked = (before, &filter.region, &filter.key, filter.ended, after.reads());
        let rows = statement.query_map(asked, directives::read)?.map(|row| row.map(DirectiveRow::from));
        Ok(after.page(rows.collect::<Result<_, _>>()?, |row: &DirectiveRow| [row.id.to_string()]))
    }

    /// One directive.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn directive(&self, id: u64) -> Result<Option<Directive>, QueryError> {
        let Ok(id) = i64::try_from(id) else { return Ok(None) };
        let mut statement = self
            .connection
            .prepare_cached(&format!("SELECT {} FROM directive d WHERE d.id = ?1", directives::COLUMNS))?;
        Ok(statement.query_row([id], directives::read).optional()?)
    }

    /// The agents that a directive is for, by region and name, with what they have of it. None when there is no such directive.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn directed(&self, id: u64, after: &After) -> Result<Option<Listed<DirectedRow>>, QueryError> {
        // One moment for all of the answer, whatever is committed meanwhile.
        let snapshot = self.connection.unchecked_transaction()?;
        let Some(directive) = self.directive(id)? else { return Ok(None) };
        let [begin] = after.key()?.unwrap_or_default();
        let target = &directive.target;
        let mut agents = snapshot.prepare_cached(
            "SELECT id, name, CASE WHEN heard_us IS NULL THEN NULL ELSE online END FROM agent
             WHERE region = ?1 AND name > ?2 AND (?3 IS NULL OR name = ?3) ORDER BY name LIMIT ?4",
        )?;
        let wanted = target.agent.as_ref().map(|agent| agent.as_str());
        let rows = agents.query_map((target.region.as_str(), &begin, wanted, after.reads()), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<bool>>(2)?))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (agent, name, online) = row?;
            let newest = decisions::newest_of(&self.connection, agent)?;
            let decision = newest.into_iter().find(|record| record.decision.key == target.key).map(DecisionRow::from);
            let (state, acknowledged) = state(&directive, decision.as_ref());
            let (region, agent) = (target.region.to_string(), name);
            found.push(DirectedRow { region, agent, online, state, acknowledged, decision });
        }
        // One that was never heard of may come yet.
        if let Some(agent) = wanted.filter(|agent| found.is_empty() && *agent > begin.as_str()) {
            let (region, agent) = (target.region.to_string(), agent.to_owned());
            let (online, state, acknowledged, decision) = (None, "waiting", false, None);
            found.push(DirectedRow { region, agent, online, state, acknowledged, decision });
        }
        Ok(Some(after.page(found, |row| [row.agent.clone()])))
    }
}

/// What an agent has of a directive, or what it has since that ended, by the newest decision of its register.
fn state(directive: &Directive, newest: Option<&DecisionRow>) -> (&'static str, bool) {
    let in_force = directive.ended.is_none();
    match newest {
        None => ("waiting", false),
        Some(newest) => match (directive_of(&newest.body), in_force) {
            (Some(id), true) if id != directive.id => ("overridden", newest.acknowledged),
            (None, true) => ("waiting", false),
            // It was not told yet that it ended.
            (Some(id), false) if id == directive.id => ("waiting", false),
            (Some(_) | None, _) if newest.fate == "outstanding" => ("waiting", false),
            (Some(_) | None, _) => (newest.fate, newest.acknowledged),
        },
    }
}
