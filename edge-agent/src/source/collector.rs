//! What lies between the rows of a source and its offers.

use super::averaging::{AVERAGED_KIND, Averager};
use super::lines::Place;
use fogline_protocol::reading::{ReadingError, ReadingRef, Readings};
use fogline_protocol::time::Monotonic;

/// The most readings of an offer: enough that the cost of an offer does not show, few enough to keep a source responsive.
pub(crate) const OFFER_READINGS_MAX: usize = 512;
/// The most memory of an offer, in bytes, but for its last reading.
pub(crate) const OFFER_BYTES_MAX: usize = 128 * 1024;

/// Collects readings for an offer, as they are or averaged.
#[derive(Debug)]
pub(crate) struct Collector {
    batch: Readings,
    averager: Option<Averager>,
}

impl Collector {
    /// With `raw`, readings that would be averaged go as they are.
    pub(crate) fn new(raw: bool) -> Self {
        Self { batch: Readings::new(), averager: (!raw).then(Averager::default) }
    }

    /// Adds a reading whose row begins at `row` in the source.
    pub(crate) fn add(&mut self, reading: ReadingRef<'_>, row: Place, now: Monotonic) -> Result<(), ReadingError> {
        match &mut self.averager {
            Some(averager) if reading.kind() == AVERAGED_KIND => averager.add(reading, row, now, &mut self.batch),
            _ => self.batch.push_copy(reading),
        }
    }

    /// True when the offer should go before more is added.
    pub(crate) fn is_full(&self) -> bool {
        self.batch.len() >= OFFER_READINGS_MAX || self.batch.memory_bytes() >= OFFER_BYTES_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Hands out what is collected; open windows stay.
    pub(crate) fn take(&mut self) -> Readings {
        std::mem::take(&mut self.batch)
    }

    /// Where the source has the oldest reading that is in an open window.
    pub(crate) fn first_row(&self) -> Option<Place> {
        self.averager.as_ref().and_then(Averager::first_row)
    }

    /// When a window closes because nothing comes.
    pub(crate) fn idle_at(&self) -> Option<Monotonic> {
        self.averager.as_ref().and_then(Averager::idle_at)
    }

    pub(crate) fn close_idle(&mut self, now: Monotonic) -> Result<(), ReadingError> {
        self.averager.as_mut().map_or(Ok(()), |averager| averager.close_idle(now, &mut self.batch))
    }

    pub(crate) fn close_all(&mut self) -> Result<(), ReadingError> {
        self.averager.as_mut().map_or(Ok(()), |averager| averager.close_all(&mut self.batch))
    }
}
