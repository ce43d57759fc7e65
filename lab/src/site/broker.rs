//! A broker.

use crate::LabError;
use crate::machine;
use crate::options::{BrokerKind, Options};
use crate::ports::free_port;
use crate::process::{Program, Recipe};
use std::path::Path;

/// What Mosquitto is told, as it is shipped.
const MOSQUITTO: &str = include_str!("../../../mosquitto-compat/mosquitto.conf");

/// `fogline broker` or Mosquitto, on a port that it keeps over restarts. It remembers nothing that matters.
#[derive(Debug)]
pub(crate) struct Broker {
    /// The process.
    pub(crate) program: Program,
    /// Its port on loopback.
    pub(crate) port: u16,
}

impl Broker {
    /// The broker with this index, which does not run yet.
    pub(crate) fn new(options: &Options, index: usize, place: &Path) -> Result<Self, LabError> {
        let (name, port) = (format!("broker-{}", super::letter(index)), free_port()?);
        let log = super::log(place, &name)?;
        let recipe = match options.broker {
            BrokerKind::Fogline => {
                Recipe::new(&name, &options.program, log).args(["broker", "--listen", &format!("127.0.0.1:{port}")])
            }
            BrokerKind::Mosquitto => {
                let program = machine::program("mosquitto").ok_or(LabError::NotInstalled { name: "mosquitto" })?;
                let file = place.join(format!("{name}.conf"));
                std::fs::write(&file, configuration(port, &name, place))
                    .map_err(|error| LabError::file(&file, &error))?;
                Recipe::new(&name, &program, log).args([Path::new("-c"), &file])
            }
        };
        Ok(Self { program: Program::new(recipe), port })
    }
}

/// The shipped file with a port and a place of its own. Started by root, Mosquitto would become a user who may not write there.
fn configuration(port: u16, name: &str, place: &Path) -> String {
    let text = MOSQUITTO.replace("listener 1883 ", &format!("listener {port} "));
    let text = text.replace("persistence_file mosquitto.db", &format!("persistence_file {name}.db"));
    format!("{text}persistence_location {}/\nuser root\n", place.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_is_changed_where_it_has_to_be() {
        let text = configuration(12_345, "broker-a", Path::new("/run"));
        for line in ["listener 12345 127.0.0.1", "persistence_file broker-a.db", "persistence_location /run/"] {
            assert!(text.lines().any(|given| given == line), "{line}: {text}");
        }
        assert!(!text.contains("1883 127") && !text.contains("mosquitto.db"), "{text}");
    }
}
