//! How readings get from the queue on the edge into the store, and how the edge learns of it.
//!
//! [`sender`] decides what to send next, resends, and frees what was acknowledged; [`receiver`] decides what is new and
//! what to acknowledge. Nothing here knows what a reading means.

pub mod backoff;
pub mod lanes;
pub mod ranges;
pub mod receiver;
pub mod segments;
pub mod sender;

/// The most bytes of one batch on the wire. MQTT packets are limited to 64 KiB on our brokers: this leaves room for the
/// topic and the header.
pub const BATCH_MAX_BYTES: usize = 48 * 1024;
/// The bytes of a batch that are not readings: keys, numbers, and up to [`GAPS_PER_MESSAGE_MAX`] gaps.
pub const BATCH_HEADER_BYTES: usize = 2 * 1024;
/// The bytes of readings that fit a batch.
pub const PAYLOAD_BYTES: u64 = (BATCH_MAX_BYTES - BATCH_HEADER_BYTES) as u64;
/// The most readings of one batch. The shortest reading has 52 bytes, so that no full batch is refused for its count.
pub const BATCH_MAX_READINGS: usize = 1024;
/// The most gaps that one message names; the next message names the next ones.
pub const GAPS_PER_MESSAGE_MAX: usize = 32;
/// The most bytes that an agent has unacknowledged, whatever it is granted: more does not make it faster, and costs it memory.
pub const CREDIT_MAX: u64 = 1 << 20;
/// The most ranges above the watermark that a receiver keeps for a stream.
pub const RANGES_MAX: usize = 64;
/// The most streams of one agent that are open at the same time: the newest, and the oldest that still have to drain.
pub const STREAMS_MAX: usize = 16;
