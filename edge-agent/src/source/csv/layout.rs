//! What the columns of a file mean.

use super::cells::cells;
use super::instant::TimeUnit;
use fogline_protocol::reading::{FIELDS_MAX, ReadingError, Readings, Value};
use fogline_protocol::time::Wall;

/// The header of the household files.
pub(in crate::source) const HOUSEHOLD_HEADER: &str = "date,timestamp,energy,power,power1,power2,power3";
/// The kind of their readings.
const HOUSEHOLD_KIND: &str = "power";

/// How a file is to be read.
#[derive(Debug, Clone, PartialEq)]
pub enum LayoutConfig {
    /// A title line, the header `date,timestamp,energy,power,power1,power2,power3`, and rows of one smart meter: time in
    /// milliseconds, energy in 1e-10 kWh, power in mW.
    Household,
    /// Any file whose first line (after `title_lines`) names its columns.
    Columns {
        /// Lines before the header.
        title_lines: u64,
        /// Between the cells.
        delimiter: char,
        /// The kind of its readings.
        kind: String,
        /// The column with the time, and how it is written.
        time: (String, TimeUnit),
        /// Columns of numbers, and the field that each becomes; at least one, at most 32.
        values: Vec<(String, String)>,
    },
}

/// Why a row is not a reading.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::source) enum RowError {
    #[error("the line is longer than 16 KiB")]
    TooLong,
    #[error("the line is not UTF-8")]
    NotUtf8,
    #[error("the row has {found} columns, the header {expected}")]
    Columns { found: usize, expected: usize },
    #[error("column {0:?} holds no time of the expected form")]
    Time(String),
    #[error("column {0:?} holds no number")]
    Number(String),
    #[error(transparent)]
    Reading(#[from] ReadingError),
}

/// A layout that fits the header of the file.
#[derive(Debug)]
pub(in crate::source) enum Layout {
    Household,
    Columns(Columns),
}

#[derive(Debug)]
pub(in crate::source) struct Columns {
    delimiter: char,
    kind: String,
    count: usize,
    time: (usize, String, TimeUnit),
    values: Vec<(usize, String)>,
}

impl Layout {
    /// Fits the layout to a header.
    pub(in crate::source) fn new(config: &LayoutConfig, header: &str) -> Result<Self, String> {
        let LayoutConfig::Columns { delimiter, kind, time, values, .. } = config else {
            return (header == HOUSEHOLD_HEADER).then_some(Self::Household).ok_or_else(|| {
                format!(
                    "not a household file, whose second line is `{HOUSEHOLD_HEADER}`: for another file name its columns with \
                     time_column and value_columns"
                )
            });
        };
        let names: Vec<&str> = cells(header.trim_start_matches('\u{feff}'), *delimiter).collect();
        let find = |wanted: &str| {
            let place = names.iter().position(|name| *name == wanted);
            place.ok_or_else(|| format!("no column {wanted:?}: the header names {}", names.join(", ")))
        };
        let values =
            values.iter().map(|(column, field)| Ok((find(column)?, field.clone()))).collect::<Result<_, String>>()?;
        let time = (find(&time.0)?, time.0.clone(), time.1);
        Ok(Self::Columns(Columns { delimiter: *delimiter, kind: kind.clone(), count: names.len(), time, values }))
    }

    /// Adds the reading of a row to `into`.
    pub(in crate::source) fn parse(&self, line: &[u8], sensor: &str, into: &mut Readings) -> Result<(), RowError> {
        let text = std::str::from_utf8(line).map_err(|_| RowError::NotUtf8)?;
        match self {
            Self::Household => household(text, sensor, into),
            Self::Columns(columns) => columns.parse(text, sensor, into),
        }
    }
}

impl Columns {
    fn parse(&self, line: &str, sensor: &str, into: &mut Readings) -> Result<(), RowError> {
        let row: Vec<&str> = cells(line, self.delimiter).collect();
        if row.len() != self.count {
            return Err(RowError::Columns { found: row.len(), expected: self.count });
        }
        let cell = |place: usize| row.get(place).copied().unwrap_or_default();
        let (place, column, unit) = &self.time;
        let ts = unit.parse(cell(*place)).ok_or_else(|| RowError::Time(column.clone()))?;
        let mut fields: Vec<(&str, Value<'_>)> = Vec::with_capacity(FIELDS_MAX);
        // An empty cell is a value that was not measured.
        for (place, field) in self.values.iter().filter(|(place, _)| !cell(*place).is_empty()) {
            let number = cell(*place).parse().map_err(|_| RowError::Number(field.clone()))?;
            fields.push((field, Value::Number(number)));
        }
        Ok(into.push(ts, sensor, &self.kind, &fields)?)
    }
}

/// What a row of a household file says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::source) struct HouseholdRow {
    pub(in crate::source) ts: Wall,
    /// In all and per phase, in W.
    pub(in crate::source) powers: [f64; 4],
    /// The meter's reading in kWh.
    pub(in crate::source) energy: f64,
}

fn household(line: &str, sensor: &str, into: &mut Readings) -> Result<(), RowError> {
    let HouseholdRow { ts, powers: [power, power1, power2, power3], energy } = household_row(line)?;
    let fields =
        [("power_w", power), ("energy_kwh", energy), ("power1_w", power1), ("power2_w", power2), ("power3_w", power3)];
    Ok(into.push(ts, sensor, HOUSEHOLD_KIND, &fields.map(|(name, number)| (name, Value::Number(number))))?)
}

/// Reads a row of a household file.
pub(in crate::source) fn household_row(line: &str) -> Result<HouseholdRow, RowError> {
    let mut row = [""; 7];
    let mut found = 0;
    for (slot, cell) in row.iter_mut().zip(line.split(',')) {
        *slot = cell.trim();
        found += 1;
    }
    let more = line.split(',').skip(row.len()).count();
    if found + more != row.len() {
        return Err(RowError::Columns { found: found + more, expected: row.len() });
    }
    let [_, timestamp, energy, powers @ ..] = row;
    let ms: i64 = timestamp.parse().map_err(|_| RowError::Time("timestamp".to_owned()))?;
    let ts = ms.checked_mul(1000).ok_or_else(|| RowError::Time("timestamp".to_owned()))?;
    let powers = [("power", 0), ("power1", 1), ("power2", 2), ("power3", 3)]
        .map(|(name, place)| scaled(name, powers.get(place).copied().unwrap_or_default(), 1e3));
    let energy = scaled("energy", energy, 1e10)?;
    let [power, power1, power2, power3] = powers;
    Ok(HouseholdRow { ts: Wall::from_us(ts), powers: [power?, power1?, power2?, power3?], energy })
}

/// A whole number of small units in large ones. The division rounds to the nearest float, so that the whole number comes
/// back exactly from it.
fn scaled(column: &str, cell: &str, units: f64) -> Result<f64, RowError> {
    let whole = cell.strip_prefix('-').unwrap_or(cell);
    // Up to 15 digits are exact as a float.
    if whole.is_empty() || whole.len() > 15 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(RowError::Number(column.to_owned()));
    }
    cell.parse::<f64>().map(|number| number / units).map_err(|_| RowError::Number(column.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(layout: &Layout, line: &[u8]) -> Result<Readings, RowError> {
        let mut readings = Readings::new();
        layout.parse(line, "meter", &mut readings).map(|()| readings)
    }

    #[test]
    fn a_household_row() {
        let layout = Layout::new(&LayoutConfig::Household, HOUSEHOLD_HEADER).unwrap();
        let readings =
            parse(&layout, b"2019-12-24 00:00:01,1577145601420,50670127287000,42390,35740,5530,-1120").unwrap();
        let reading = readings.get(0).unwrap();
        assert_eq!((reading.ts().us(), reading.sensor(), reading.kind()), (1_577_145_601_420_000, "meter", "power"));
        let number = |name| reading.number(name).unwrap();
        assert_eq!((number("power_w") * 1000.0).round(), 42390.0);
        assert_eq!([number("power1_w"), number("power2_w"), number("power3_w")], [35.74, 5.53, -1.12]);
        assert_eq!((number("energy_kwh") * 1e10).round(), 50_670_127_287_000.0);
    }

    #[test]
    fn a_broken_household_row_says_what_is_wrong() {
        let layout = Layout::Household;
        let columns = |found| RowError::Columns { found, expected: 7 };
        assert_eq!(parse(&layout, b""), Err(columns(1)));
        assert_eq!(parse(&layout, b"d,1,2,3,4,5"), Err(columns(6)));
        assert_eq!(parse(&layout, b"d,1,2,3,4,5,6,7,8"), Err(columns(9)));
        assert_eq!(parse(&layout, b"d,x,2,3,4,5,6"), Err(RowError::Time("timestamp".into())));
        assert_eq!(parse(&layout, b"d,1,2,NaN,4,5,6"), Err(RowError::Number("power".into())));
        assert_eq!(parse(&layout, b"d,1,,3,4,5,6"), Err(RowError::Number("energy".into())));
        assert_eq!(parse(&layout, b"d,1,2,3,4,5,\xff"), Err(RowError::NotUtf8));
        assert_eq!(parse(&layout, b"d,9223372036854775807,2,3,4,5,6"), Err(RowError::Time("timestamp".into())));
        assert!(matches!(parse(&layout, b"d,-5,2,3,4,5,6"), Err(RowError::Reading(ReadingError::Time(_)))));
        assert!(Layout::new(&LayoutConfig::Household, "a,b").unwrap_err().contains("value_columns"));
    }

    fn weather() -> LayoutConfig {
        LayoutConfig::Columns {
            title_lines: 0,
            delimiter: ';',
            kind: "weather".to_owned(),
            time: ("when".to_owned(), TimeUnit::S),
            values: vec![("T".to_owned(), "air_c".to_owned()), ("P".to_owned(), "pressure_hpa".to_owned())],
        }
    }

    #[test]
    fn columns_are_found_by_name() {
        let layout = Layout::new(&weather(), "\u{feff}P;\"when\";note;T").unwrap();
        let readings = parse(&layout, b"1013.2;1.5;\"a;b\";-4").unwrap();
        let reading = readings.get(0).unwrap();
        assert_eq!((reading.ts().us(), reading.kind()), (1_500_000, "weather"));
        assert_eq!((reading.number("air_c"), reading.number("pressure_hpa")), (Some(-4.0), Some(1013.2)));
        let partly = parse(&layout, b"1013.2;1.5;;").unwrap();
        assert_eq!(partly.get(0).unwrap().number("air_c"), None);
        assert_eq!(parse(&layout, b";1.5;;"), Err(RowError::Reading(ReadingError::FieldCount(0))));
        assert_eq!(
            parse(&layout, b"inf;1.5;;"),
            Err(RowError::Reading(ReadingError::NotFinite("pressure_hpa".into())))
        );
        assert_eq!(parse(&layout, b"x;1.5;;"), Err(RowError::Number("pressure_hpa".into())));
        assert_eq!(parse(&layout, b"1;yesterday;;"), Err(RowError::Time("when".into())));
        assert!(Layout::new(&weather(), "P,when").unwrap_err().contains("\"T\""));
    }
}
