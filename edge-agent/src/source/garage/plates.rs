//! Licence plates in the German form: a district, letters, a number.

use fogline_protocol::rng::Rng;

/// Districts of one or two letters, so that no plate has more than eight characters.
const DISTRICTS: [&str; 20] =
    ["B", "M", "K", "F", "S", "D", "L", "H", "N", "HH", "HB", "DO", "DU", "BO", "MA", "KA", "WI", "MS", "BN", "KI"];
const LETTERS: u64 = 26;
/// Numbers of four digits.
const NUMBER_FIRST: u64 = 1000;
const NUMBERS: u64 = 9000;
/// How many plates there are.
const PLATES: u64 = DISTRICTS.len() as u64 * LETTERS * LETTERS * NUMBERS;
/// Has no factor in common with [`PLATES`], whose factors are 2, 3, 5 and 13: so each car has a plate of its own.
const STEP: u64 = 15_485_863;

/// Gives each car a plate, and no two cars the same.
#[derive(Debug)]
pub(super) struct Plates {
    offset: u64,
}

impl Plates {
    pub(super) fn new(seed: u64) -> Self {
        Self { offset: Rng::new(seed).below(PLATES) }
    }

    /// `B-FG 1234`.
    pub(super) fn plate(&self, car: u32) -> String {
        // Both factors are below 2^32.
        let plate = (u64::from(car) * STEP + self.offset) % PLATES;
        let (number, rest) = (NUMBER_FIRST + plate % NUMBERS, plate / NUMBERS);
        let letter = |index: u64| char::from(b'A' + u8::try_from(index % LETTERS).unwrap_or(0));
        let district = usize::try_from(rest / LETTERS / LETTERS).ok().and_then(|index| DISTRICTS.get(index));
        format!("{}-{}{} {number}", district.unwrap_or(&"B"), letter(rest), letter(rest / LETTERS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn plates_are_german_and_no_two_are_the_same() {
        let plates = Plates::new(7);
        let all: BTreeSet<String> = (0..100_000).map(|car| plates.plate(car)).collect();
        assert_eq!(all.len(), 100_000);
        for plate in &all {
            let (district, rest) = plate.split_once('-').unwrap();
            let (letters, number) = rest.split_once(' ').unwrap();
            assert!(DISTRICTS.contains(&district) && letters.len() == 2 && number.len() == 4, "{plate}");
            assert!(letters.bytes().all(|b| b.is_ascii_uppercase()) && number.parse::<u32>().is_ok(), "{plate}");
        }
        assert_ne!(Plates::new(8).plate(0), plates.plate(0));
    }
}
