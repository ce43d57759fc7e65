//! The log of the demo: in a file, because the screen shows something else.

use anyhow::Context;
use std::fs::File;
use std::path::Path;

/// The libraries below speak of every packet.
const DIRECTIVES: &str = "info,rumqttd=off,rumqttc=warn";

/// Sends the log of this process to `path`, which begins anew with each start. `RUST_LOG` says how much.
///
/// # Errors
/// When the file cannot be made, when `RUST_LOG` is no filter, or when there is a log already.
pub(crate) fn to_file(path: &Path) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(fogline_door::logging::to_file(file, DIRECTIVES)?)
}
