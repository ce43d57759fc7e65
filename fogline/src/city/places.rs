//! Where nodes and sensors are put, when nobody says where.

use fogline_protocol::city::{GRID_SIZE, Place};
use fogline_protocol::rng::Rng;

/// Nodes in rows: far enough apart from each other, all of them.
const STEP: u32 = 20;

/// Places for nodes, each far enough from all others: 50 of them, spread over the city.
pub(super) fn node_places() -> Vec<Place> {
    let per_row = GRID_SIZE / STEP;
    let places: Vec<Place> = (0..2 * per_row)
        .flat_map(|row| {
            (0..per_row).map(move |column| Place { u: STEP / 2 * (row % 2) + column * STEP, v: row * STEP / 2 })
        })
        .collect();
    // Every 23rd of 50 visits all, far from each other: a few nodes are not all in one corner.
    (0..places.len()).filter_map(|number| places.get((12 + number * 23) % places.len()).copied()).collect()
}

/// Places for sensors: anywhere.
pub(super) fn sensor_places(count: u32, seed: u64) -> Vec<Place> {
    let mut rng = Rng::new(seed);
    let mut coordinate = || u32::try_from(rng.below(u64::from(GRID_SIZE))).unwrap_or(0);
    (0..count).map(|_| Place { u: coordinate(), v: coordinate() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::city::SPACING_MIN;

    #[test]
    fn all_places_of_nodes_are_far_enough_apart() {
        let places = node_places();
        assert_eq!(places.len(), 50);
        for (index, place) in places.iter().enumerate() {
            assert!(place.is_on_grid());
            assert!(places[..index].iter().all(|other| other.distance(*place) >= SPACING_MIN), "{place:?}");
        }
    }

    #[test]
    fn sensors_are_spread_by_the_seed() {
        assert_eq!(sensor_places(5, 7), sensor_places(5, 7));
        assert_ne!(sensor_places(5, 7), sensor_places(5, 8));
        assert!(sensor_places(500, 1).iter().all(|place| place.is_on_grid()));
    }
}
