//! An average of particulate matter over a window: a node's own, or the coordinator's of all nodes.
//!
//! As JSON: `{"id":"node-1","ts_us":…,"from_us":…,"to_us":…,"mean_ugm3":21.5,"n":40}`. Statistics over several of them are in
//! [`Statistics`].

use crate::ids::{Name, SEQ_MAX};
use crate::reading::ReadingRef;
use crate::time::Wall;
use crate::usecase::{self, GLOBAL};
use serde::{Deserialize, Serialize};

/// The use case whose readings are such averages, and its fields.
const KIND: &str = "city";
const MEAN: &str = "pm10_ugm3";

/// The average of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// Of whom: a node's id, or `global`.
    pub id: Name,
    /// When the window ended, in microseconds since 1970; the same as `to_us`.
    pub ts_us: i64,
    /// When the window began.
    pub from_us: i64,
    /// When the window ended.
    pub to_us: i64,
    /// The mean of its values, in µg/m³.
    pub mean_ugm3: f64,
    /// How many values there were.
    pub n: u64,
}

/// Why something is no average of a window. The text says what to do.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AggregateError {
    /// No node may have this id.
    #[error("the id {0:?} is reserved: give a node's id, or \"global\"")]
    Id(String),
    /// The window is none, or is not on the calendar.
    #[error(
        "from_us={from_us}, to_us={to_us} is no window: give microseconds from 0 to 2^53 - 1, from_us before to_us, and ts_us \
         the same as to_us"
    )]
    Window {
        /// When it was said to begin.
        from_us: i64,
        /// When it was said to end.
        to_us: i64,
    },
    /// Not a mean of particulate matter.
    #[error("mean_ugm3={0} cannot be true: give 0 to 2000")]
    Mean(f64),
    /// No values, or more than can be counted.
    #[error("n={0} is no number of values: give 1 to 2^53 - 1")]
    Count(u64),
}

impl Aggregate {
    /// True when it is of all nodes.
    #[must_use]
    pub fn is_global(&self) -> bool {
        self.id.as_str() == GLOBAL
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// [`AggregateError`] says which part is wrong.
    pub fn check(&self) -> Result<(), AggregateError> {
        let Self { id, ts_us, from_us, to_us, mean_ugm3, n } = self;
        if !self.is_global() && super::RESERVED_IDS.contains(&id.as_str()) {
            return Err(AggregateError::Id(id.to_string()));
        }
        if *from_us < 0 || from_us >= to_us || ts_us != to_us || *to_us > Wall::MAX.us() {
            return Err(AggregateError::Window { from_us: *from_us, to_us: *to_us });
        }
        let field = usecase::find(KIND).and_then(|city| city.fields().iter().find(|field| field.name == MEAN));
        if !field.is_some_and(|field| field.admits(*mean_ugm3)) {
            return Err(AggregateError::Mean(*mean_ugm3));
        }
        if (1..=SEQ_MAX).contains(n) { Ok(()) } else { Err(AggregateError::Count(*n)) }
    }

    /// What a coordinator says in a reading: its sensor is the id, its time the end of the window. None when the reading is of
    /// another kind, or is no average that [`Self::check`] would let pass.
    #[must_use]
    pub fn of_reading(reading: ReadingRef<'_>) -> Option<Self> {
        if reading.kind() != KIND {
            return None;
        }
        let to_us = reading.ts().us();
        let aggregate = Self {
            id: Name::new(reading.sensor()).ok()?,
            ts_us: to_us,
            from_us: i64::try_from(whole(reading.number("from_us")?)?).ok()?,
            to_us,
            mean_ugm3: reading.number(MEAN)?,
            n: whole(reading.number("n")?)?,
        };
        aggregate.check().is_ok().then_some(aggregate)
    }
}

/// A number from 0 to 2^53 - 1 without a fraction.
fn whole(number: f64) -> Option<u64> {
    const MAX: f64 = 9_007_199_254_740_991.0;
    let is_whole = (0.0..=MAX).contains(&number) && number.fract() == 0.0;
    // Just checked: nothing is cut off.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is whole, and fits 53 bits")]
    is_whole.then_some(number as u64)
}

/// What several averages have in common. Each counts once, however many values it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Of how many averages; at least 1.
    pub n: usize,
    /// The mean of their means, in µg/m³.
    pub mean_ugm3: f64,
    /// The standard deviation of their means, in µg/m³; see [`stddev`].
    pub stddev_ugm3: f64,
}

impl Statistics {
    /// Of these means; none without any.
    #[must_use]
    pub fn of(means: &[f64]) -> Option<Self> {
        Some(Self { n: means.len(), mean_ugm3: mean(means)?, stddev_ugm3: stddev(means)? })
    }
}

/// The arithmetic mean; none of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / count(values))
}

/// The population's standard deviation, the square root of the sum of squared distances from the mean by n (not n - 1): the
/// values are all that was asked for and no sample of something larger. 0 of one value, none of nothing.
#[must_use]
pub fn stddev(values: &[f64]) -> Option<f64> {
    let mean = mean(values)?;
    // In two passes: a sum of squares less the square of a sum would lose what large values have in common.
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / count(values)).sqrt())
}

/// A number of values; beyond 2^32 it saturates, and no answer has so many.
fn count(values: &[f64]) -> f64 {
    f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Readings, Value};
    use proptest::prelude::*;

    fn aggregate(id: &str) -> Aggregate {
        let id = Name::new(id).unwrap();
        Aggregate { id, ts_us: 10_000_000, from_us: 5_000_000, to_us: 10_000_000, mean_ugm3: 21.5, n: 40 }
    }

    fn reading(kind: &str, sensor: &str, fields: &[(&str, f64)]) -> Option<Aggregate> {
        let mut readings = Readings::new();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, Value::Number(*value))).collect();
        readings.push(Wall::from_us(10_000_000), sensor, kind, &fields).unwrap();
        Aggregate::of_reading(readings.get(0).unwrap())
    }

    #[test]
    fn an_average_in_json() {
        let text = r#"{"id":"node-1","ts_us":10000000,"from_us":5000000,"to_us":10000000,"mean_ugm3":21.5,"n":40}"#;
        assert_eq!(serde_json::to_string(&aggregate("node-1")).unwrap(), text);
        assert_eq!(serde_json::from_str::<Aggregate>(text).unwrap(), aggregate("node-1"));
    }

    #[test]
    fn each_rule_has_its_error() {
        let right = aggregate("global");
        assert_eq!(right.check(), Ok(()));
        assert_eq!(aggregate("stats").check(), Err(AggregateError::Id("stats".into())));
        for (from_us, to_us, ts_us) in [(5, 5, 5), (6, 5, 5), (-1, 5, 5), (1, 5, 4), (1, 1 << 53, 1 << 53)] {
            let wrong = Aggregate { from_us, to_us, ts_us, ..right.clone() };
            assert_eq!(wrong.check(), Err(AggregateError::Window { from_us, to_us }));
        }
        for mean_ugm3 in [-0.1, 2000.1, f64::INFINITY, f64::NAN] {
            let checked = Aggregate { mean_ugm3, ..right.clone() }.check();
            assert!(matches!(checked, Err(AggregateError::Mean(_))), "{mean_ugm3}");
        }
        for n in [0, 1 << 53] {
            assert_eq!(Aggregate { n, ..right.clone() }.check(), Err(AggregateError::Count(n)));
        }
    }

    #[test]
    fn a_reading_of_the_city_is_an_average() {
        let fields = [(MEAN, 21.5), ("n", 40.0), ("from_us", 5_000_000.0)];
        assert_eq!(reading(KIND, "node-1", &fields), Some(aggregate("node-1")));
        assert_eq!(reading(KIND, "global", &fields), Some(aggregate("global")));
        assert_eq!(reading("road", "node-1", &fields), None);
        assert_eq!(reading(KIND, "stats", &fields), None);
        for wrong in [(MEAN, 2001.0), ("n", 0.0), ("n", 0.5), ("n", -1.0), ("n", 1e300), ("from_us", 10_000_000.0)] {
            let fields = fields.map(|field| if field.0 == wrong.0 { wrong } else { field });
            assert_eq!(reading(KIND, "node-1", &fields), None, "{wrong:?}");
        }
        assert_eq!(reading(KIND, "node-1", &fields[..2]), None);
    }

    #[test]
    fn statistics_of_known_values() {
        // Mean 5, and a variance of 4 by n.
        let known = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!(Statistics::of(&known), Some(Statistics { n: 8, mean_ugm3: 5.0, stddev_ugm3: 2.0 }));
        assert_eq!(Statistics::of(&[7.5]), Some(Statistics { n: 1, mean_ugm3: 7.5, stddev_ugm3: 0.0 }));
        assert_eq!(Statistics::of(&[]), None);
    }

    proptest! {
        #[test]
        fn statistics_are_where_the_values_are(values in prop::collection::vec(0.0..2000.0_f64, 1..1000)) {
            let Statistics { n, mean_ugm3, stddev_ugm3 } = Statistics::of(&values).unwrap();
            let min = values.iter().copied().fold(f64::INFINITY, f64::min);
            let max = values.iter().copied().fold(0.0, f64::max);
            prop_assert_eq!(n, values.len());
            prop_assert!(min - 1e-9 <= mean_ugm3 && mean_ugm3 <= max + 1e-9);
            prop_assert!(0.0 <= stddev_ugm3 && stddev_ugm3 <= (max - min) / 2.0 + 1e-9);
        }
    }
}
