//! A broker.

use crate::LabError;
use crate::ports::free_port;
use crate::process::{Program, Recipe};
use std::path::Path;

/// `fogline broker` on a port that it keeps over restarts. It remembers nothing.
#[derive(Debug)]
pub(crate) struct Broker {
    /// The process.
    pub(crate) program: Program,
    /// Its port on loopback.
    pub(crate) port: u16,
}

impl Broker {
    /// The broker with this index, which does not run yet.
    pub(crate) fn new(program: &Path, index: usize, place: &Path) -> Result<Self, LabError> {
        let (name, port) = (format!("broker-{}", super::letter(index)), free_port()?);
        let log = super::log(place, &name)?;
        let recipe = Recipe::new(&name, program, log).args(["broker", "--listen", &format!("127.0.0.1:{port}")]);
        Ok(Self { program: Program::new(recipe), port })
    }
}
