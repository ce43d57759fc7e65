//! Meters, inverters, heat pumps: registers asked over Modbus TCP.

mod config;
mod register;

pub use config::ModbusConfig;
pub(crate) use config::read;
pub use register::{Number, Register, Table};

use super::SourceError;
use super::exec::wait_for_next;
use super::feed::{Feed, FeedSource, Gone};
use crate::tuning::TuningReader;
use fogline_protocol::reading::{Readings, Value};
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tokio_modbus::client::{Client, Context, Reader, tcp::attach_slave};
use tokio_modbus::{ExceptionCode, Slave};

/// The longest wait between attempts to connect.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Starts the source.
///
/// # Errors
/// [`SourceError::Runtime`].
pub(crate) fn open(name: &str, config: ModbusConfig, tuning: TuningReader) -> Result<FeedSource, SourceError> {
    FeedSource::start(name, move |feed| async move {
        // Gone means that the agent stops.
        let Err(Gone) = run(&feed, &config, &tuning).await;
        Ok(())
    })
}

/// Asks at intervals, and connects again where it cannot.
async fn run(feed: &Feed, config: &ModbusConfig, tuning: &TuningReader) -> Result<std::convert::Infallible, Gone> {
    let (mut wait, mut there): (Duration, Option<bool>) = (config.every, None);
    loop {
        let reason = match connect(config).await {
            Ok(mut device) => loop {
                let began = Instant::now();
                match ask(feed, config, &mut device).await {
                    Ok(readings) => feed.give_readings(readings).await?,
                    Err(reason) => {
                        // One that is dead already cannot be told goodbye.
                        device.disconnect().await.ok();
                        break reason;
                    }
                }
                if there.replace(true) != Some(true) {
                    tracing::info!(source = feed.name(), device = config.address, "the device answers");
                }
                wait = config.every;
                wait_for_next(began, config.every, tuning).await;
            },
            Err(reason) => reason,
        };
        if there.replace(false) != Some(false) {
            tracing::warn!(
                source = feed.name(),
                device = config.address,
                reason,
                "the device does not answer: it is asked again"
            );
        }
        tokio::time::sleep(wait.min(RETRY_MAX)).await;
        wait = (wait * 2).min(RETRY_MAX.max(config.every));
    }
}

async fn connect(config: &ModbusConfig) -> Result<Context, String> {
    let stream = timeout(config.timeout, tokio::net::TcpStream::connect(config.address.as_str())).await;
    let stream = stream.map_err(|_| "no connection in time".to_owned())?.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    Ok(attach_slave(stream, Slave(config.unit_id)))
}

/// Asks for all registers. A register that the device refuses is left out of the reading; a device that does not answer ends the
/// connection, because a late answer would be taken for the next one.
async fn ask(feed: &Feed, config: &ModbusConfig, device: &mut Context) -> Result<Readings, String> {
    let mut fields: Vec<(&str, Value<'_>)> = Vec::new();
    for register in &config.registers {
        match timeout(config.timeout, value(device, register)).await {
            Err(_) => return Err(format!("register {} is not answered in time", register.address)),
            Ok(Err(error)) => return Err(error.to_string()),
            Ok(Ok(Err(exception))) => {
                feed.skip(
                    register.field.as_bytes(),
                    &format_args!("the device refuses {} {}: {exception}", register.table, register.address),
                );
            }
            Ok(Ok(Ok(Some(value)))) => fields.push((&register.field, value)),
            Ok(Ok(Ok(None))) => feed.skip(register.field.as_bytes(), &"it is no finite number"),
        }
    }
    let mut readings = Readings::new();
    if !fields.is_empty()
        && let Err(error) = readings.push(feed.wall(), &config.sensor, &config.kind, &fields)
    {
        feed.skip(config.sensor.as_bytes(), &error);
    }
    Ok(readings)
}

/// What a register says; none when it is not a number that a field can have.
async fn value(
    device: &mut Context,
    register: &Register,
) -> Result<Result<Option<Value<'static>>, ExceptionCode>, tokio_modbus::Error> {
    let (address, words) = (register.address, register.number.words());
    let bit = |bits: Vec<bool>| bits.first().copied().map(Value::Flag);
    Ok(match register.table {
        Table::Coils => device.read_coils(address, 1).await?.map(bit),
        Table::Discrete => device.read_discrete_inputs(address, 1).await?.map(bit),
        Table::Holding => device.read_holding_registers(address, words).await?.map(|words| register.read(&words)),
        Table::Input => device.read_input_registers(address, words).await?.map(|words| register.read(&words)),
    })
}

#[cfg(test)]
mod tests;
