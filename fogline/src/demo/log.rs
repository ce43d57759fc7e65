//! The log of the demo: in a file, because the screen shows something else.

use anyhow::Context;
use std::fs::File;
use std::path::Path;
use tracing_subscriber::EnvFilter;

/// The libraries below speak of every packet.
const DIRECTIVES: &str = "info,rumqttd=off,rumqttc=warn";

/// Sends the log of this process to `path`, which begins anew with each start. `RUST_LOG` says how much.
///
/// # Errors
/// When the file cannot be made, when `RUST_LOG` is no filter, or when there is a log already.
pub(crate) fn to_file(path: &Path) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(text) if !text.is_empty() => {
            EnvFilter::try_new(text).context("RUST_LOG: give a filter such as info, or unset it")?
        }
        _ => EnvFilter::try_new(DIRECTIVES)?,
    };
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let log =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::sync::Mutex::new(file));
    log.try_init().map_err(|error| anyhow::anyhow!("logging is set up twice: {error}"))
}
