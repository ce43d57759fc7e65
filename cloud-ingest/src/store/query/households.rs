//! Households, and the federal states that they are in.

use super::latest::{LatestFilter, LatestRow};
use super::{After, Listed, QueryError, StoreReader};
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::usecase::power::{Places, STATES, annual_kwh, state_name};
use rusqlite::OptionalExtension as _;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

const KIND: &str = "power";
const FIELD: &str = "power_w";
/// A state's mean is that of so long before its newest hour: a year with its seasons.
const AVERAGED_US: i64 = 366 * 24 * 3600 * 1_000_000;

/// A household.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Household)]
pub struct HouseholdRow {
    /// The agent's region.
    pub region: String,
    /// The agent that reads its meter.
    pub agent: String,
    /// Its name: that of the meter.
    pub household: String,
    /// Its postal code.
    pub postcode: String,
    /// The letters of its federal state; null: no state has the postal code.
    pub state: Option<String>,
    /// The state's name.
    pub state_name: Option<&'static str>,
    /// Its newest power, in watts.
    pub power_w: f64,
    /// Its meter's newest count, in kilowatt-hours.
    pub energy_kwh: f64,
    /// When these were measured, in microseconds since 1970.
    pub ts_us: i64,
}

/// A federal state. Numbers are null where it has no households.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = State)]
pub struct StateRow {
    /// Its letters.
    pub state: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How many households are known.
    pub households: u64,
    /// Their mean power, in watts, of at most a year.
    pub mean_w: Option<f64>,
    /// What that comes to in a year, in kilowatt-hours.
    pub annual_kwh: Option<f64>,
    /// What that costs, in euros.
    pub price_eur: Option<f64>,
}

impl StoreReader {
    /// Households by region, agent and name; with `state` only those of one, by its letters.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn households(
        &self,
        places: &Places,
        state: Option<&str>,
        after: &After,
    ) -> Result<Listed<HouseholdRow>, QueryError> {
        let [region, agent, household] = after.key()?.unwrap_or_default();
        let (mut found, most) = (Vec::new(), usize::try_from(after.reads()).unwrap_or(usize::MAX));
        self.each_latest(&LatestFilter::kind(KIND), &[region, agent, KIND.to_owned(), household], |row| {
            let household = of(row, places);
            if state.is_none() || household.state.as_deref() == state {
                found.push(household);
            }
            found.len() < most
        })?;
        Ok(after.page(found, |row| [row.region.clone(), row.agent.clone(), row.household.clone()]))
    }

    /// All 16 states, by their letters.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn states(&self, places: &Places, price_eur_per_kwh: f64) -> Result<Vec<StateRow>, QueryError> {
        let mut households: BTreeMap<String, u64> = BTreeMap::new();
        self.each_latest(&LatestFilter::kind(KIND), &Default::default(), |row| {
            if let Some(state) = of(row, places).state {
                *households.entry(state).or_default() += 1;
            }
            true
        })?;
        let state = |(state, name): (&'static str, &'static str)| {
            let households = households.get(state).copied().unwrap_or(0);
            let mean_w = if households > 0 { self.mean_of_group(state)? } else { None };
            let annual_kwh = mean_w.map(annual_kwh);
            let price_eur = annual_kwh.map(|kwh| kwh * price_eur_per_kwh);
            Ok(StateRow { state, name, households, mean_w, annual_kwh, price_eur })
        };
        STATES.into_iter().map(state).collect()
    }

    /// The mean power of a state's households.
    fn mean_of_group(&self, state: &str) -> rusqlite::Result<Option<f64>> {
        let group = format!("de-{}", state.to_ascii_lowercase());
        let Some(average) = self.average("", &group, KIND, FIELD)? else { return Ok(None) };
        self.connection
            .prepare_cached(
                "SELECT total(sum) / sum(n) FROM aggregate WHERE average = ?1 AND width_s = 3600 AND start_us >
                     (SELECT max(start_us) FROM aggregate WHERE average = ?1 AND width_s = 3600) - ?2",
            )?
            .query_row((average, AVERAGED_US), |row| row.get(0))
            .optional()
            .map(Option::flatten)
    }
}

fn of(row: LatestRow, places: &Places) -> HouseholdRow {
    let names = (Name::new(&row.region), Name::new(&row.agent));
    let postcode = match names {
        (Ok(region), Ok(agent)) => places.postcode(&AgentId { region, agent }, &row.sensor),
        // Names were checked when they were written.
        _ => String::new(),
    };
    let state = places.state(&postcode).map(str::to_owned);
    HouseholdRow {
        power_w: row.number(FIELD),
        energy_kwh: row.number("energy_kwh"),
        ts_us: row.ts_us,
        region: row.region,
        agent: row.agent,
        household: row.sensor,
        postcode,
        state_name: state.as_deref().and_then(state_name),
        state,
    }
}
