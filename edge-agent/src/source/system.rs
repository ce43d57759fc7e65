//! The machine that the agent runs on: processor, memory, disks, temperatures, network.

use super::{Offer, Skipped, Source, SourceError, Step};
use crate::durations::Span;
use crate::settings::keys::Keys;
use crate::shape::interval;
use crate::source::mapping::field_name;
use crate::tuning::TuningReader;
use fogline_protocol::ids::is_name;
use fogline_protocol::reading::{FIELDS_MAX, Readings, Value};
use fogline_protocol::time::{Monotonic, Now};
use std::path::PathBuf;
use std::time::Duration;
use sysinfo::{Components, CpuRefreshKind, Disks, MemoryRefreshKind, Networks, RefreshKind, System};

/// How often the machine is looked at, unless configured otherwise.
const EVERY: Duration = Duration::from_secs(10);

/// What is asked of the machine.
#[derive(Debug, Clone)]
pub struct SystemConfig {
    /// The sensor's name.
    pub sensor: String,
    /// The kind of its readings.
    pub kind: String,
    /// How often.
    pub every: Duration,
    /// The mount point whose room is told.
    pub disk: PathBuf,
}

/// Reads the table of such a source.
pub(crate) fn read(keys: &mut Keys<'_>) -> SystemConfig {
    let mut name = |key: &str, default: &str| {
        let name = keys.get::<String>(key).unwrap_or_else(|| default.to_owned());
        if !is_name(&name) {
            keys.problem(key, &format!("{name:?} is not a name: {}", crate::settings::NAME_RULE));
        }
        name
    };
    let (sensor, kind) = (name("sensor", "machine"), name("kind", "machine"));
    let every = keys.get::<Span>("every").and_then(|span| interval(keys, "every", span)).unwrap_or(EVERY);
    let disk = keys.get("disk").unwrap_or_else(|| PathBuf::from("/"));
    SystemConfig { sensor, kind, every, disk }
}

/// Looks at the machine at intervals.
pub struct SystemSource {
    config: SystemConfig,
    tuning: TuningReader,
    system: System,
    disks: Disks,
    components: Components,
    networks: Networks,
    /// When it was looked at last.
    looked: Option<Monotonic>,
    skipped: Skipped,
}

impl SystemSource {
    /// Looks at everything once, because loads and rates are differences.
    pub(crate) fn new(config: SystemConfig, tuning: TuningReader) -> Self {
        Self {
            config,
            tuning,
            system: System::new_with_specifics(what()),
            disks: Disks::new_with_refreshed_list(),
            components: Components::new_with_refreshed_list(),
            networks: Networks::new_with_refreshed_list(),
            looked: None,
            skipped: Skipped::new(),
        }
    }

    fn look(&mut self, since: Duration) -> Vec<(String, f64)> {
        self.system.refresh_specifics(what());
        self.disks.refresh(true);
        self.components.refresh(true);
        self.networks.refresh(true);
        let mut fields = Vec::new();
        let mut add = |name: &str, value: f64| fields.push((name.to_owned(), value));
        add("cpu_pct", f64::from(self.system.global_cpu_usage()));
        let load = System::load_average();
        add("load_1min", load.one);
        add("load_5min", load.five);
        let (total, free) = (self.system.total_memory(), self.system.available_memory());
        add("memory_pct", share(total.saturating_sub(free), total));
        add("memory_free_bytes", whole(free));
        add("swap_pct", share(self.system.used_swap(), self.system.total_swap()));
        add("uptime_s", whole(System::uptime()));
        if let Some(disk) = self.disks.iter().find(|disk| disk.mount_point() == self.config.disk) {
            add("disk_pct", share(disk.total_space().saturating_sub(disk.available_space()), disk.total_space()));
            add("disk_free_bytes", whole(disk.available_space()));
        }
        let outside = self.networks.iter().filter(|(name, _)| *name != "lo");
        let (received, sent) =
            outside.fold((0, 0), |(received, sent), (_, data)| (received + data.received(), sent + data.transmitted()));
        let seconds = since.as_secs_f64();
        if seconds > 0.0 {
            add("received_bps", whole(received) * 8.0 / seconds);
            add("sent_bps", whole(sent) * 8.0 / seconds);
        }
        for component in &self.components {
            let name = field_name(&format!("{}_c", component.label())).filter(|name| name != "c");
            if let (Some(name), Some(celsius)) = (name, component.temperature()) {
                add(&name, f64::from(celsius));
            }
        }
        fields
    }
}

fn what() -> RefreshKind {
    RefreshKind::nothing()
        .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
        .with_memory(MemoryRefreshKind::everything())
}

#[expect(clippy::cast_precision_loss, reason = "bytes of a disk are below 2^53")]
fn whole(count: u64) -> f64 {
    count as f64
}

/// Percent; nothing of nothing is 0.
fn share(part: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { whole(part) * 100.0 / whole(all) }
}

impl Source for SystemSource {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        let every = self.tuning.interval(self.config.every);
        let looked = *self.looked.get_or_insert(now.mono);
        if now.mono < looked + every {
            return Ok(Step::Wait(looked + every));
        }
        self.looked = Some(now.mono);
        let mut fields = self.look(now.mono.since(looked));
        // Chips with many sensors of one name tell of the first.
        let mut seen = std::collections::BTreeSet::new();
        fields.retain(|(name, value)| value.is_finite() && seen.insert(name.clone()));
        fields.truncate(FIELDS_MAX);
        let fields: Vec<(&str, Value<'_>)> =
            fields.iter().map(|(name, value)| (name.as_str(), Value::Number(*value))).collect();
        let mut readings = Readings::new();
        if let Err(error) = readings.push(now.wall, &self.config.sensor, &self.config.kind, &fields) {
            self.skipped.note_of(&self.config.sensor, b"", &error);
        }
        Ok(Step::Offer(Offer { readings, ..Offer::default() }))
    }

    fn skipped(&self) -> u64 {
        self.skipped.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::Tunings;
    use fogline_protocol::time::Wall;

    #[test]
    fn the_machine_is_told_of_as_proc_tells_of_it() {
        let config = SystemConfig {
            sensor: "machine".to_owned(),
            kind: "machine".to_owned(),
            every: Duration::from_secs(10),
            disk: PathBuf::from("/"),
        };
        let mut source = SystemSource::new(config, Tunings::new().reader("system"));
        let now = |seconds: u64| Now { mono: Monotonic::from_us(seconds * 1_000_000), wall: Wall::from_us(7) };
        assert_eq!(source.step(now(1)).unwrap(), Step::Wait(Monotonic::from_us(11_000_000)));
        let Step::Offer(offer) = source.step(now(11)).unwrap() else { panic!("no reading") };
        let reading = offer.readings.get(0).unwrap();
        let proc = std::fs::read_to_string("/proc/meminfo").unwrap();
        let kib = |key: &str| -> f64 {
            let line = proc.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        };
        let used = 100.0 - kib("MemAvailable:") * 100.0 / kib("MemTotal:");
        assert!((reading.number("memory_pct").unwrap() - used).abs() < 20.0, "{used}");
        let uptime: f64 = std::fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((reading.number("uptime_s").unwrap() - uptime).abs() < 60.0);
        for field in ["cpu_pct", "load_1min", "memory_free_bytes", "received_bps"] {
            assert!(reading.number(field).is_some_and(|value| value >= 0.0), "{field}");
        }
        assert_eq!(source.skipped(), 0);
    }
}
