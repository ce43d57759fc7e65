//! Opens the sources of an agent, each behind the stage that shapes its readings.

use super::{CsvSource, GarageSource, HouseholdsSource, SimulateSource, Source, SourceError, StdinSource};
use super::{exec, garage, households, modbus, mqtt, push, serial, system};
use crate::pump::NamedSource;
use crate::settings::{AgentConfig, SourceConfig};
use crate::shape::{ShapeConfig, Shaped, Shaping};
use crate::tuning::TuningReader;
use fogline_protocol::queue::SourcePosition;
use fogline_runtime::clock::wall;

/// All sources of an agent, the flat one first.
///
/// # Errors
/// The first that cannot be opened.
pub(crate) fn open_sources(
    config: &AgentConfig,
    positions: &[SourcePosition],
) -> Result<Vec<NamedSource>, SourceError> {
    let flat = (config.source.type_name(), &config.source, &ShapeConfig::default());
    let tables = config.sources.iter().map(|entry| (entry.name.as_str(), &entry.config, &entry.shape));
    let mut opened = Vec::new();
    for (name, source, shape) in std::iter::once(flat).chain(tables) {
        let tuning = config.tunings.reader(name);
        if let Some(inner) = open(name, source, positions, &tuning)? {
            let shaping = source.shaping();
            let source = match shaping {
                Shaping::Own => inner,
                Shaping::Pushed | Shaping::Polled => {
                    Box::new(Shaped::new(inner, shape.clone(), shaping == Shaping::Polled, tuning))
                }
            };
            opened.push(NamedSource { name: name.to_owned(), source });
        }
    }
    Ok(opened)
}

fn open(
    name: &str,
    config: &SourceConfig,
    positions: &[SourcePosition],
    tuning: &TuningReader,
) -> Result<Option<Box<dyn Source>>, SourceError> {
    let saved = |key: &str| {
        let saved = positions.iter().find(|position| position.source == key);
        saved.map(|position| position.position.as_str())
    };
    Ok(Some(match config {
        SourceConfig::None => return Ok(None),
        SourceConfig::Simulate(config) => Box::new(SimulateSource::new(config.clone())),
        SourceConfig::Stdin(config) => Box::new(StdinSource::new(std::io::stdin(), config.clone())?),
        SourceConfig::Csv(config) => Box::new(CsvSource::open(config.clone(), saved(&config.source_key()))?),
        SourceConfig::Households(config) => Box::new(HouseholdsSource::open(config, saved(households::KEY), wall())?),
        SourceConfig::Garage(config) => Box::new(GarageSource::new(config.clone(), saved(garage::KEY))?),
        SourceConfig::Exec(config) => Box::new(exec::open(name, config.clone(), tuning.clone())?),
        SourceConfig::Mqtt(config) => Box::new(mqtt::open(name, (**config).clone())?),
        SourceConfig::Http(config) => Box::new(push::open(name, (**config).clone())?),
        SourceConfig::Modbus(config) => Box::new(modbus::open(name, config.clone(), tuning.clone())?),
        SourceConfig::Serial(config) => Box::new(serial::open(name, config.clone())?),
        SourceConfig::System(config) => Box::new(system::SystemSource::new(config.clone(), tuning.clone())),
    }))
}
