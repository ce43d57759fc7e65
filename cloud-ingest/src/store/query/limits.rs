//! The newest decision of each agent and register.

use super::agents::DecisionRow;
use super::{After, Listed, QueryError, StoreReader};
use crate::store::decisions;
use serde::Serialize;
use utoipa::ToSchema;

/// A decision, and for whom it is.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Limit)]
pub struct LimitRow {
    /// The agent's region.
    pub region: String,
    /// The agent.
    pub agent: String,
    /// What was decided, and what became of it.
    #[serde(flatten)]
    pub decision: DecisionRow,
}

/// Which of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitFilter {
    /// Only those of this region.
    pub region: Option<String>,
    /// Only those that their agent has answered, or only those that it has not.
    pub acknowledged: Option<bool>,
}

impl StoreReader {
    /// The newest decision of each agent and register, by region, agent and key.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn limits(&self, filter: &LimitFilter, after: &After) -> Result<Listed<LimitRow>, QueryError> {
        let [region, agent, key] = after.key()?.unwrap_or_default();
        let snapshot = self.connection.unchecked_transaction()?;
        let mut agents = snapshot.prepare_cached(
            "SELECT id, region, name FROM agent WHERE (region, name) >= (?1, ?2) AND (?3 IS NULL OR region = ?3)
             ORDER BY region, name",
        )?;
        let rows = agents.query_map((&region, &agent, &filter.region), |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        })?;
        let (mut found, most) = (Vec::new(), usize::try_from(after.reads()).unwrap_or(usize::MAX));
        for row in rows {
            let (id, of_region, name) = row?;
            let begun = (&of_region, &name) == (&region, &agent);
            for decision in decisions::newest_of(&self.connection, id)? {
                let decision = DecisionRow::from(decision);
                let wanted = filter.acknowledged.is_none_or(|wanted| wanted == decision.acknowledged);
                if wanted && !(begun && decision.key <= key) {
                    found.push(LimitRow { region: of_region.clone(), agent: name.clone(), decision });
                }
            }
            if found.len() >= most {
                break;
            }
        }
        Ok(after.page(found, |row| [row.region.clone(), row.agent.clone(), row.decision.key.clone()]))
    }
}
