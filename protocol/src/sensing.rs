//! How often an agent samples, and over which windows it averages before it sends: what an operator may change while it runs.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The register that holds it.
pub const KEY: &str = "config/sensing";
/// The shortest time from sample to sample: ten a second.
pub const SAMPLING_MIN_MS: u64 = 100;
/// The longest: an hour.
pub const SAMPLING_MAX_MS: u64 = 3_600_000;
/// The shortest window.
pub const WINDOW_MIN_MS: u64 = 1000;
/// The longest window: an hour.
pub const WINDOW_MAX_MS: u64 = 3_600_000;

/// What is set; what is left out is as the agent was started with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sensing {
    /// From one sample to the next, in milliseconds, 100 to 3,600,000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampling_ms: Option<u64>,
    /// The width of the windows that readings are averaged over on the edge, in milliseconds, 1,000 to 3,600,000; 0: none, each
    /// reading goes as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<u64>,
}

/// Why a configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SensingError {
    /// Not of the form.
    #[error("it is not {{\"sampling_ms\":…,\"window_ms\":…}} with whole numbers: {0}")]
    Malformed(String),
    /// Out of bounds.
    #[error("sampling_ms is {0}: give 100 to 3600000, which is 100 ms to 1 h")]
    Sampling(u64),
    /// Out of bounds.
    #[error("window_ms is {0}: give 1000 to 3600000, which is 1 s to 1 h, or 0 for none")]
    Window(u64),
    /// Several samples make a window.
    #[error(
        "window_ms ({window_ms}) is shorter than sampling_ms ({sampling_ms}): no window would have more than one sample"
    )]
    Order {
        /// The window.
        window_ms: u64,
        /// The sampling interval.
        sampling_ms: u64,
    },
}

impl Sensing {
    /// Reads and checks the body of a decision or of a request. Other members are ignored.
    ///
    /// # Errors
    /// [`SensingError`] says what is wrong.
    pub fn parse(body: &Value) -> Result<Self, SensingError> {
        // The members of an array would pass for those of a structure.
        if !body.is_object() {
            return Err(SensingError::Malformed("it is no object".to_owned()));
        }
        let sensing = Self::deserialize(body).map_err(|error| SensingError::Malformed(error.to_string()))?;
        sensing.check()?;
        Ok(sensing)
    }

    /// Checks the bounds.
    ///
    /// # Errors
    /// [`SensingError`] says what is wrong.
    pub fn check(&self) -> Result<(), SensingError> {
        match (self.sampling_ms, self.window_ms) {
            (Some(ms), _) if !(SAMPLING_MIN_MS..=SAMPLING_MAX_MS).contains(&ms) => Err(SensingError::Sampling(ms)),
            (_, Some(ms)) if ms != 0 && !(WINDOW_MIN_MS..=WINDOW_MAX_MS).contains(&ms) => Err(SensingError::Window(ms)),
            (Some(sampling_ms), Some(window_ms)) if window_ms != 0 && window_ms < sampling_ms => {
                Err(SensingError::Order { window_ms, sampling_ms })
            }
            _ => Ok(()),
        }
    }

    /// As the body of a decision.
    #[must_use]
    pub fn body(&self) -> Value {
        // Two numbers: nothing in them that JSON cannot say.
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_left_out_is_the_agents_own() {
        let sensing = Sensing::parse(&json!({ "sampling_ms": 10_000, "by": "operator", "directive": 7 })).unwrap();
        assert_eq!(sensing, Sensing { sampling_ms: Some(10_000), window_ms: None });
        assert_eq!(sensing.body(), json!({ "sampling_ms": 10_000 }));
        assert_eq!(Sensing::parse(&json!({})), Ok(Sensing::default()));
    }

    #[test]
    fn each_bound_has_its_error() {
        for (good, bad, error) in [
            (json!({ "sampling_ms": 100 }), json!({ "sampling_ms": 99 }), SensingError::Sampling(99)),
            (
                json!({ "sampling_ms": 3_600_000 }),
                json!({ "sampling_ms": 3_600_001 }),
                SensingError::Sampling(3_600_001),
            ),
            (json!({ "window_ms": 0 }), json!({ "window_ms": 999 }), SensingError::Window(999)),
            (json!({ "window_ms": 3_600_000 }), json!({ "window_ms": 3_600_001 }), SensingError::Window(3_600_001)),
            (
                json!({ "sampling_ms": 5000, "window_ms": 5000 }),
                json!({ "sampling_ms": 5001, "window_ms": 5000 }),
                SensingError::Order { window_ms: 5000, sampling_ms: 5001 },
            ),
        ] {
            assert!(Sensing::parse(&good).is_ok(), "{good}");
            assert_eq!(Sensing::parse(&bad), Err(error), "{bad}");
        }
        for bad in
            [json!({ "sampling_ms": "10" }), json!({ "window_ms": -1 }), json!([1]), json!({ "sampling_ms": 1.5 })]
        {
            assert!(matches!(Sensing::parse(&bad), Err(SensingError::Malformed(_))), "{bad}");
        }
    }
}
