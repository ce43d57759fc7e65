//! Inputs made of inputs: what a fuzzer does, without its knowledge of the code.

use fogline_protocol::rng::Rng;

/// Longest input that is made.
const LONGEST: usize = 4096;
/// What is at the edges of things.
const TOKENS: [&[u8]; 12] = [
    b"0",
    b"-1",
    b"9007199254740991",
    b"9007199254740992",
    b"18446744073709551615",
    b"1e308",
    b"null",
    b"[",
    b"{}",
    b"\"",
    b"\\u0000",
    b"\xff\xff\xff\xff",
];

/// One of `corpus`, changed in some places; or noise. The same generator in the same state gives the same.
#[must_use]
pub fn mutate(corpus: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let from = if rng.percent(10) { None } else { corpus.get(below(rng, corpus.len())) };
    let mut bytes = from.cloned().unwrap_or_else(|| noise(rng, 300));
    for _ in 0..rng.below(6) {
        change(&mut bytes, corpus, rng);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], rng: &mut Rng) {
    let at = below(rng, bytes.len() + 1);
    match rng.below(7) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        1 => bytes.truncate(at),
        2 => drop(bytes.splice(at..at, noise(rng, 20))),
        3 => {
            let end = (at + below(rng, 20)).min(bytes.len());
            bytes.drain(at..end);
        }
        4 => {
            let token = TOKENS.get(below(rng, TOKENS.len())).copied().unwrap_or_default();
            let end = (at + below(rng, 4)).min(bytes.len());
            drop(bytes.splice(at..end, token.iter().copied()));
        }
        5 => {
            let again = bytes.get(at..).unwrap_or_default().to_vec();
            bytes.extend(again);
        }
        _ => {
            let other = corpus.get(below(rng, corpus.len())).map_or(&[][..], Vec::as_slice);
            bytes.truncate(at);
            bytes.extend(other.get(below(rng, other.len())..).unwrap_or_default());
        }
    }
}

fn noise(rng: &mut Rng, most: u64) -> Vec<u8> {
    (0..rng.below(most)).map(|_| u8::try_from(rng.below(256)).unwrap_or(0)).collect()
}

fn below(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).unwrap_or(0)
}
