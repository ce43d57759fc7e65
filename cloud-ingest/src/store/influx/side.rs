//! Writes what may be lost, beside the readings.

use super::InfluxConfig;
use super::answer::Answer;
use super::writer::post;
use crate::store::StoreError;
use bytes::Bytes;
use influxdb2::Client;
use std::sync::Arc;

/// Writes lines once: what the database does not take is gone. Cheap to share.
#[derive(Clone)]
pub(crate) struct SideWriter {
    client: Client,
    org: Arc<str>,
    bucket: Arc<str>,
}

/// The database did not take all of it, whatever the reason: the store's own writes meet the same one, and say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotTaken {
    /// It may do so later.
    #[error("the database does not take points now")]
    Now,
    /// It will never: too old for it, for example.
    #[error("the database refuses the points for good")]
    Ever,
}

impl InfluxConfig {
    /// A writer with a connection of its own, so that readings never wait for it.
    ///
    /// # Errors
    /// [`StoreError::Config`] says what is wrong with the configuration.
    pub(crate) fn side_writer(&self) -> Result<SideWriter, StoreError> {
        self.check()?;
        Ok(SideWriter { client: self.client()?, org: self.org.as_str().into(), bucket: self.bucket.as_str().into() })
    }
}

impl SideWriter {
    /// Writes these lines.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) async fn write(&self, body: Bytes) -> Result<(), NotTaken> {
        let (client, org, bucket) = (self.client.clone(), Arc::clone(&self.org), Arc::clone(&self.bucket));
        match post(client, org, bucket, body).await {
            Answer::Written => Ok(()),
            Answer::TooLarge | Answer::Refused(_) => Err(NotTaken::Ever),
            Answer::Fault(_) => Err(NotTaken::Now),
        }
    }
}
