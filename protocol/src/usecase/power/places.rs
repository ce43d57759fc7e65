//! Where households are: their postal codes, and the federal state of a postal code.

use crate::ids::{AgentId, is_name};
use std::collections::BTreeMap;

/// The federal states of Germany by the letters of ISO 3166-2:DE, in the order of those.
pub const STATES: [(&str, &str); 16] = [
    ("BB", "Brandenburg"),
    ("BE", "Berlin"),
    ("BW", "Baden-Württemberg"),
    ("BY", "Bayern"),
    ("HB", "Bremen"),
    ("HE", "Hessen"),
    ("HH", "Hamburg"),
    ("MV", "Mecklenburg-Vorpommern"),
    ("NI", "Niedersachsen"),
    ("NW", "Nordrhein-Westfalen"),
    ("RP", "Rheinland-Pfalz"),
    ("SH", "Schleswig-Holstein"),
    ("SL", "Saarland"),
    ("SN", "Sachsen"),
    ("ST", "Sachsen-Anhalt"),
    ("TH", "Thüringen"),
];

/// Ranges of postal codes and their states: from, to (both included), letters of the state.
///
/// Postal codes are Deutsche Post's and follow its routes: a few dozen areas cross the border of a state. Such a code is given
/// to the state in which most of its area's people live. Codes between the ranges are not in use.
const POSTCODES: &str = include_str!("postcodes.csv");

/// The most households that an operator's file may name.
const HOUSEHOLDS_MAX: usize = 1_000_000;
/// The most ranges of an operator's file.
const RANGES_MAX: usize = 100_000;

/// Why a file of places cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacesError {
    /// A line is not what it should be.
    #[error("line {line}: {text:?} is not {what}")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What it says.
        text: String,
        /// What it should be.
        what: &'static str,
    },
    /// Ranges must follow each other without overlap.
    #[error("line {line}: the range {from} to {to} ends before it begins, or overlaps the one before: sort the ranges")]
    Range {
        /// Which line, from 1.
        line: usize,
        /// The first code.
        from: u32,
        /// The last code.
        to: u32,
    },
    /// Too many lines.
    #[error("more than {0} lines: split the households over more ingesters")]
    TooMany(usize),
}

/// What an ingester knows of places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// By first code: last code and state.
    ranges: BTreeMap<u32, (u32, String)>,
    /// `region/agent/sensor` to postal code, as the operator has it.
    households: BTreeMap<String, u32>,
}

impl Default for Places {
    fn default() -> Self {
        let none = BTreeMap::new;
        // The built-in table is tested.
        Self { ranges: ranges(POSTCODES).unwrap_or_default(), households: none() }
    }
}

impl Places {
    /// With the operator's ranges in the place of the built-in ones: lines `from,to,state` below a head, sorted.
    ///
    /// # Errors
    /// [`PlacesError`] names the line.
    pub fn with_postcodes(mut self, csv: &str) -> Result<Self, PlacesError> {
        self.ranges = ranges(csv)?;
        Ok(self)
    }

    /// With the operator's households: lines `region,agent,household,postcode` below a head.
    ///
    /// # Errors
    /// [`PlacesError`] names the line.
    pub fn with_households(mut self, csv: &str) -> Result<Self, PlacesError> {
        self.households = households(csv)?;
        Ok(self)
    }

    /// The postal code of a household, five digits: the operator's, or else one that is drawn from all of the table by the
    /// household's name, always the same.
    #[must_use]
    pub fn postcode(&self, agent: &AgentId, household: &str) -> String {
        let key = format!("{agent}/{household}");
        let code = self.households.get(&key).copied().unwrap_or_else(|| self.drawn(&key));
        format!("{code:05}")
    }

    fn drawn(&self, key: &str) -> u32 {
        let codes: u64 = self.ranges.iter().map(|(from, (to, _))| u64::from(to - from + 1)).sum();
        // FNV-1a, and a mix of its bits: names that differ in a digit are spread over the country.
        let hash = key
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        let mut place = ((hash ^ (hash >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16) % codes.max(1);
        for (from, (to, _)) in &self.ranges {
            let size = u64::from(to - from + 1);
            if place < size {
                return from + u32::try_from(place).unwrap_or(0);
            }
            place -= size;
        }
        0
    }

    /// The letters of the state of a postal code; none of one that is in no range.
    #[must_use]
    pub fn state(&self, postcode: &str) -> Option<&str> {
        let code = code(postcode)?;
        let (_, (to, state)) = self.ranges.range(..=code).next_back()?;
        (code <= *to).then_some(state.as_str())
    }
}

/// The name of a state by its letters.
#[must_use]
pub fn state_name(letters: &str) -> Option<&'static str> {
    STATES.iter().find(|(known, _)| *known == letters).map(|(_, name)| *name)
}

fn lines(csv: &str, most: usize) -> Result<impl Iterator<Item = (usize, &str)>, PlacesError> {
    if csv.lines().count() > most {
        return Err(PlacesError::TooMany(most));
    }
    let lines = csv.lines().enumerate().skip(1).map(|(index, line)| (index + 1, line.trim()));
    Ok(lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')))
}

fn ranges(csv: &str) -> Result<BTreeMap<u32, (u32, String)>, PlacesError> {
    let mut found = BTreeMap::new();
    let mut last = 0;
    for (line, text) in lines(csv, RANGES_MAX)? {
        let wrong = || PlacesError::Line {
            line,
            text: text.chars().take(80).collect(),
            what: "FROM,TO,STATE as in 10001,14199,BE with one of the 16 states",
        };
        let mut cells = text.split(',').map(str::trim);
        let (Some(from), Some(to), Some(state), None) = (cells.next(), cells.next(), cells.next(), cells.next()) else {
            return Err(wrong());
        };
        let (Some(from), Some(to)) = (code(from), code(to)) else { return Err(wrong()) };
        if state_name(state).is_none() {
            return Err(wrong());
        }
        if from > to || from <= last {
            return Err(PlacesError::Range { line, from, to });
        }
        last = to;
        found.insert(from, (to, state.to_owned()));
    }
    Ok(found)
}

fn households(csv: &str) -> Result<BTreeMap<String, u32>, PlacesError> {
    let mut found = BTreeMap::new();
    for (line, text) in lines(csv, HOUSEHOLDS_MAX)? {
        let cells: Vec<&str> = text.split(',').map(str::trim).collect();
        let known = match cells.as_slice() {
            [region, agent, household, postcode] if [region, agent, household].iter().all(|name| is_name(name)) => {
                code(postcode).map(|code| (format!("{region}/{agent}/{household}"), code))
            }
            _ => None,
        };
        let (key, code) = known.ok_or_else(|| PlacesError::Line {
            line,
            text: text.chars().take(80).collect(),
            what: "REGION,AGENT,HOUSEHOLD,POSTCODE as in village,house-1,meter-1,10115",
        })?;
        found.insert(key, code);
    }
    Ok(found)
}

/// Five digits.
fn code(text: &str) -> Option<u32> {
    (text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Name;
    use std::collections::BTreeSet;

    fn house(n: u32) -> (AgentId, String) {
        let agent = AgentId { region: Name::new("village").unwrap(), agent: Name::new("hub").unwrap() };
        (agent, format!("house-{n}"))
    }

    #[test]
    fn capitals_are_in_their_states() {
        let places = Places::default();
        for (postcode, state) in [
            ("70173", "BW"),
            ("80331", "BY"),
            ("10115", "BE"),
            ("14467", "BB"),
            ("28195", "HB"),
            ("20095", "HH"),
            ("65183", "HE"),
            ("19053", "MV"),
            ("30159", "NI"),
            ("40213", "NW"),
            ("55116", "RP"),
            ("66111", "SL"),
            ("01067", "SN"),
            ("39104", "ST"),
            ("24103", "SH"),
            ("99084", "TH"),
            ("27568", "HB"),
            ("68159", "BW"),
            ("68623", "HE"),
            ("67059", "RP"),
            ("89231", "BY"),
            ("89073", "BW"),
        ] {
            assert_eq!(places.state(postcode), Some(state), "{postcode}");
        }
        for none in ["00000", "99999", "1011", "x", "05000"] {
            assert_eq!(places.state(none), None, "{none}");
        }
    }

    #[test]
    fn all_states_are_in_the_table_and_households_are_drawn_from_all_of_them() {
        let places = Places::default();
        let of_table: BTreeSet<&str> = places.ranges.values().map(|(_, state)| state.as_str()).collect();
        assert_eq!(of_table, STATES.iter().map(|(letters, _)| *letters).collect());
        let mut drawn = BTreeMap::<String, u32>::new();
        for n in 0..2000 {
            let (agent, household) = house(n);
            let postcode = places.postcode(&agent, &household);
            assert_eq!(places.postcode(&agent, &household), postcode);
            *drawn.entry(places.state(&postcode).unwrap().to_owned()).or_default() += 1;
        }
        assert_eq!(drawn.len(), 16, "{drawn:?}");
    }

    #[test]
    fn an_operators_files_come_first() {
        let places = Places::default()
            .with_households("region,agent,household,postcode\n# ours\nvillage,hub,house-1,01067\n")
            .unwrap()
            .with_postcodes("from,to,state\n01000,09999,SN\n10000,99999,BY\n")
            .unwrap();
        let (agent, household) = house(1);
        assert_eq!(places.postcode(&agent, &household), "01067");
        assert_eq!(places.state("10115"), Some("BY"));
    }

    #[test]
    fn mistakes_are_named_by_their_line() {
        let refused = |csv: &str| Places::default().with_postcodes(csv).unwrap_err().to_string();
        assert!(refused("h\n01000,02000,XX\n").starts_with("line 2: \"01000,02000,XX\" is not FROM,TO,STATE"));
        assert!(refused("h\n01000,02000,SN\n01500,03000,SN\n").starts_with("line 3: the range 1500 to 3000"));
        let refused = |csv: &str| Places::default().with_households(csv).unwrap_err().to_string();
        assert!(refused("h\nvillage,hub,house-1,1067\n").starts_with("line 2"));
        assert!(refused("h\nVillage,hub,house-1,01067\n").starts_with("line 2"));
    }
}
