//! What is read is within its bounds, and reads again as it was when it is written.

use fogline_protocol::delivery::BATCH_MAX_READINGS;
use fogline_protocol::ids::SEQ_MAX;
use fogline_protocol::reading::{Readings, parse_reading};
use fogline_protocol::topic::Topic;
use fogline_protocol::wire::{Ack, Batch, Decision, DecisionAck, Hello, Message, PAYLOAD_MAX_BYTES, Status, WireError};
use std::fmt::Debug;

/// Longest explanation of a refusal: it goes into logs.
const EXPLANATION_MAX_BYTES: usize = 1024;

fn small<M: Message + PartialEq + Debug>(data: &[u8]) {
    match M::decode(data) {
        Ok(message) => {
            assert_eq!(message.check(), Ok(()));
            assert_eq!(M::decode(&message.encode()), Ok(message));
        }
        Err(error) => refused(&error),
    }
}

fn refused(error: &WireError) {
    assert!(!error.reason().is_empty() && error.to_string().len() <= EXPLANATION_MAX_BYTES, "{error}");
}

/// `up/hello`.
pub fn hello(data: &[u8]) {
    small::<Hello>(data);
}

/// `up/status`.
pub fn status(data: &[u8]) {
    small::<Status>(data);
}

/// `down/ack`.
pub fn ack(data: &[u8]) {
    small::<Ack>(data);
}

/// `down/limit`.
pub fn decision(data: &[u8]) {
    small::<Decision>(data);
}

/// `up/ack`.
pub fn answer(data: &[u8]) {
    small::<DecisionAck>(data);
}

/// `up/readings`.
pub fn batch(data: &[u8]) {
    match Batch::decode(data) {
        Ok(batch) => {
            let range = batch.range();
            assert!(data.len() <= PAYLOAD_MAX_BYTES && (1..=BATCH_MAX_READINGS).contains(&batch.readings.len()));
            assert!(batch.header.floor <= range.first && range.first >= 1 && range.last <= SEQ_MAX, "{range:?}");
            assert!(batch.readings.memory_bytes() < 64 * data.len(), "{}", batch.readings.memory_bytes());
            check_readings(&batch.readings);
        }
        Err(error) => refused(&error),
    }
}

/// A line of the source `stdin`.
pub fn reading(data: &[u8]) {
    let mut readings = Readings::new();
    if parse_reading(data, &mut readings).is_ok() {
        assert_eq!(readings.len(), 1);
        check_readings(&readings);
    } else {
        assert!(readings.is_empty(), "what is refused leaves nothing behind");
    }
}

fn check_readings(readings: &Readings) {
    let mut copy = Readings::new();
    readings.iter().for_each(|reading| copy.push_copy(reading).unwrap());
    assert!(readings.iter().zip(copy.iter()).all(|(one, other)| one.fields().eq(other.fields())));
}

/// A topic.
pub fn topic(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(topic) = Topic::parse(&text) {
        assert_eq!(topic.to_string(), text);
    }
}
