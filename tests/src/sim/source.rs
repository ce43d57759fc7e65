//! What an agent's sensors measure. Each reading carries a serial, so that it is known again wherever it turns up.

use super::ledger::{Row, Serial};
use super::options::AgentOptions;
use fogline_protocol::node::EdgeInput;
use fogline_protocol::queue::SourcePosition;
use fogline_protocol::reading::{ReadingRef, Readings, Value};
use fogline_protocol::rng::Rng;
use fogline_protocol::time::Wall;
use std::collections::BTreeMap;
use std::ops::Range;

/// The field that holds the serial: a text, which no average takes.
const SERIAL: &str = "serial";
/// Serials of one agent on one disk. Far more than a run has.
const SERIALS_PER_DISK: Serial = 1_000_000;
/// Disks of one agent.
const DISKS_MAX: Serial = 1_000;

/// The source of one agent.
#[derive(Debug)]
pub struct Source {
    options: AgentOptions,
    rng: Rng,
    next: Serial,
    tickets: u64,
    pending: BTreeMap<u64, Range<Serial>>,
    speed_kmh: f64,
}

impl Source {
    /// The source of the agent with the number `agent`.
    #[must_use]
    pub fn new(agent: usize, options: AgentOptions, mut rng: Rng) -> Self {
        let next = (agent as Serial + 1) * DISKS_MAX * SERIALS_PER_DISK;
        let speed_kmh = rng.between(65.0, 125.0);
        Self { options, rng, next, tickets: 0, pending: BTreeMap::new(), speed_kmh }
    }

    /// The agent was started: a source that can be read again goes on where `positions` say. With another disk than
    /// before, what it reads again are other readings: no store could know that they are not.
    pub fn restart(&mut self, positions: &[SourcePosition], exchanged: bool) {
        self.pending.clear();
        if exchanged {
            self.next = (self.next / SERIALS_PER_DISK + 1) * SERIALS_PER_DISK;
        } else if self.options.replay {
            let base = self.next - self.next % SERIALS_PER_DISK;
            let saved = positions.iter().filter_map(|position| position.position.parse().ok()).max();
            self.next = saved.filter(|saved| *saved >= base).unwrap_or(base);
        }
    }

    /// The next readings, measured at `now`.
    pub fn measure(&mut self, now: Wall) -> EdgeInput {
        let mut readings = Readings::new();
        let first = self.next;
        for _ in 0..self.options.burst {
            self.push(now, &mut readings);
        }
        self.tickets += 1;
        self.pending.insert(self.tickets, first..self.next);
        let position =
            SourcePosition { source: format!("replay:{}", self.options.id.agent), position: self.next.to_string() };
        EdgeInput::Readings { ticket: self.tickets, readings, position: self.options.replay.then_some(position) }
    }

    /// What was measured last.
    #[must_use]
    pub fn newest(&self) -> Range<Serial> {
        self.pending.get(&self.tickets).cloned().unwrap_or_default()
    }

    /// Which readings a ticket stood for.
    pub fn accepted(&mut self, ticket: u64) -> Option<Range<Serial>> {
        self.pending.remove(&ticket)
    }

    fn push(&mut self, now: Wall, into: &mut Readings) {
        // Traffic flows faster and slower, so that the limits change.
        self.speed_kmh = (self.speed_kmh + self.rng.between(-3.0, 3.0)).clamp(40.0, 150.0);
        let (serial, filler) = (self.next.to_string(), "x".repeat(250));
        let names: Vec<String> = (0..self.options.padding).map(|index| format!("filler_{index}")).collect();
        let field = if self.options.kind == "road" { "speed_kmh" } else { "power_w" };
        let mut fields = vec![(field, Value::Number(self.speed_kmh)), (SERIAL, Value::Text(&serial))];
        fields.extend(names.iter().map(|name| (name.as_str(), Value::Text(&filler))));
        let sensor = if self.next.is_multiple_of(3) { "left" } else { "right" };
        // A clock before 1970 is one that nobody could set: the readings of such a moment are never taken.
        if into.push(now, sensor, self.options.kind, &fields).is_ok() {
            self.next += 1;
        }
    }
}

/// What the ledger keeps of a reading.
#[must_use]
pub fn row_of(reading: ReadingRef<'_>, clock: u16) -> Row {
    let serial = reading.fields().find_map(|(name, value)| match value {
        Value::Text(text) if name == SERIAL => text.parse().ok(),
        _ => None,
    });
    let road = reading.kind() == "road";
    let speed_kmh = reading.number("speed_kmh").filter(|_| road);
    Row { serial: serial.unwrap_or_default(), ts: reading.ts(), clock, speed_kmh }
}
