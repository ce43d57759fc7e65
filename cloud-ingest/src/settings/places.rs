//! Files about places: which household is where, and which postal codes belong to which state.

use fogline_protocol::usecase::power::{PRICE_EUR_PER_KWH, Places, PlacesError};
use std::path::Path;
use std::sync::Arc;

/// The most bytes of such a file: a million households are some 40 MB.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// What a kilowatt-hour may cost, in euros.
const PRICES: std::ops::RangeInclusive<f64> = 0.0..=100.0;

/// What is known of places. What is wrong with a file is added to `problems`.
pub(super) fn places(households: Option<&Path>, postcodes: Option<&Path>, problems: &mut Vec<String>) -> Arc<Places> {
    let mut places = Places::default();
    let mut read = |what: &str, path: &Path, with: fn(Places, &str) -> Result<Places, PlacesError>| {
        let before = places.clone();
        match text(path).and_then(|csv| with(before, &csv).map_err(|error| error.to_string())) {
            Ok(known) => places = known,
            Err(error) => problems.push(format!("{what}: {}: {error}", path.display())),
        }
    };
    if let Some(path) = postcodes {
        read("postcodes", path, Places::with_postcodes);
    }
    if let Some(path) = households {
        read("households", path, Places::with_households);
    }
    Arc::new(places)
}

fn text(path: &Path) -> Result<String, String> {
    let bytes = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(format!("{bytes} bytes, at most {FILE_BYTES_MAX} are read"));
    }
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The price of a kilowatt-hour.
pub(super) fn price(given: Option<f64>, problems: &mut Vec<String>) -> f64 {
    let price = given.unwrap_or(PRICE_EUR_PER_KWH);
    if !PRICES.contains(&price) {
        problems.push(format!("price_eur_per_kwh: {price}, give euros from 0 to 100"));
    }
    price
}
