//! Lines from a serial port: text with an expression, rows, JSON, plain numbers.

use super::SourceError;
use super::async_lines::{AsyncLines, TextLine};
use super::feed::{Feed, FeedSource, Gone};
use super::mapping::{self, Allowed, Mapping};
use crate::settings::keys::Keys;
use crate::shape::ShapeConfig;
use fogline_protocol::reading::Readings;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;
use tokio_serial::{DataBits, FlowControl, Parity, SerialPortBuilderExt, SerialStream, StopBits};

/// The usual speed of sensors.
const BAUD: u32 = 9600;
/// The slowest that a port has, and more than any.
const BAUDS: std::ops::RangeInclusive<u32> = 50..=4_000_000;
/// How long a device that is unplugged is looked for again and again, between attempts.
const RETRY: Duration = Duration::from_secs(1);
/// After so many attempts in vain they become rarer.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// A port and what comes from it.
#[derive(Debug, Clone)]
pub struct SerialConfig {
    /// The device.
    pub device: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// Bits of a character.
    pub data_bits: DataBits,
    /// Its parity.
    pub parity: Parity,
    /// Bits after it.
    pub stop_bits: StopBits,
    /// Who may hold the other back.
    pub flow_control: FlowControl,
    /// What its lines mean.
    pub mapping: Mapping,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenParity {
    None,
    Odd,
    Even,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum WrittenFlow {
    None,
    Software,
    Hardware,
}

/// Reads the table of such a source.
pub(crate) fn read(keys: &mut Keys<'_>, shape: &mut ShapeConfig) -> Option<SerialConfig> {
    let device = keys.require("device", "give the port, as in /dev/ttyUSB0 or /dev/serial/by-id/...");
    let baud = keys.within("baud", BAUDS).unwrap_or(BAUD);
    let data_bits = match keys.within("data_bits", 5_u8..=8) {
        Some(5) => DataBits::Five,
        Some(6) => DataBits::Six,
        Some(7) => DataBits::Seven,
        _ => DataBits::Eight,
    };
    let stop_bits = if keys.within("stop_bits", 1_u8..=2) == Some(2) { StopBits::Two } else { StopBits::One };
    let parity = match keys.get("parity") {
        Some(WrittenParity::Odd) => Parity::Odd,
        Some(WrittenParity::Even) => Parity::Even,
        Some(WrittenParity::None) | None => Parity::None,
    };
    let flow_control = match keys.get("flow_control") {
        Some(WrittenFlow::Software) => FlowControl::Software,
        Some(WrittenFlow::Hardware) => FlowControl::Hardware,
        Some(WrittenFlow::None) | None => FlowControl::None,
    };
    let mapping = mapping::read(keys, Allowed { sensor: "serial", kind: "generic" }, shape);
    Some(SerialConfig { device: device?, baud, data_bits, parity, stop_bits, flow_control, mapping })
}

/// Starts the source.
///
/// # Errors
/// [`SourceError::Runtime`].
pub(crate) fn open(name: &str, config: SerialConfig) -> Result<FeedSource, SourceError> {
    FeedSource::start(name, move |feed| async move {
        // Gone means that the agent stops.
        let Err(Gone) = run(&feed, &config).await;
        Ok(())
    })
}

async fn run(feed: &Feed, config: &SerialConfig) -> Result<std::convert::Infallible, Gone> {
    let (mut wait, mut there) = (RETRY, None);
    loop {
        let reason = match port(config) {
            Ok(port) => {
                tracing::info!(source = feed.name(), device = %config.device.display(), baud = config.baud, "the device is there");
                (wait, there) = (RETRY, Some(true));
                listen(feed, config, port).await?
            }
            Err(error) => error.to_string(),
        };
        if there.replace(false) != Some(false) {
            tracing::warn!(source = feed.name(), device = %config.device.display(), reason, "the device is away: it is looked for");
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

fn port(config: &SerialConfig) -> tokio_serial::Result<SerialStream> {
    tokio_serial::new(config.device.to_string_lossy(), config.baud)
        .data_bits(config.data_bits)
        .parity(config.parity)
        .stop_bits(config.stop_bits)
        .flow_control(config.flow_control)
        .open_native_async()
}

/// Takes lines until the port ends, and says why.
async fn listen(feed: &Feed, config: &SerialConfig, port: SerialStream) -> Result<String, Gone> {
    let mut lines = AsyncLines::new(port);
    // The first line may have begun before the port was opened.
    let mut first = true;
    loop {
        match lines.fill().await {
            Ok(true) => {}
            Ok(false) => return Ok("it ended".to_owned()),
            Err(error) => return Ok(error.to_string()),
        }
        let mut readings = Readings::new();
        while let Some(line) = lines.pop() {
            take(feed, config, &line, std::mem::take(&mut first), &mut readings);
        }
        feed.give_readings(readings).await?;
    }
}

fn take(feed: &Feed, config: &SerialConfig, line: &TextLine, first: bool, into: &mut Readings) {
    let (text, error) = match line {
        TextLine::Whole(text) if text.trim_ascii().is_empty() => return,
        TextLine::Whole(text) => match config.mapping.map(text, &[], feed.wall(), into) {
            Ok(()) => return,
            Err(error) => (text.as_slice(), error.to_string()),
        },
        TextLine::TooLong => (&b""[..], "the line is too long".to_owned()),
    };
    if !first {
        feed.skip(text, &error);
    }
}

#[cfg(test)]
mod tests;
