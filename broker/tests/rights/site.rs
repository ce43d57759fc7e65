//! A broker with a file of users and one of rules.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use fogline_broker::{Broker, BrokerConfig};
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

use crate::model::{Who, everybody};

/// A folder with the files.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new(users: &str, rules: &str) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write("users", users);
        files.write("rules", rules);
        files
    }

    /// Replaces the file as a whole.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }
}

/// A broker inside this process.
pub(crate) struct Site {
    pub(crate) broker: Broker,
    pub(crate) files: Files,
}

impl Site {
    /// With everybody of the model.
    pub(crate) async fn start() -> Self {
        Self::with(Files::new(&users(&everybody()), "")).await
    }

    pub(crate) async fn with(files: Files) -> Self {
        let broker = Broker::start(BrokerConfig {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            users: Some(files.path("users")),
            rules: Some(files.path("rules")),
            ..BrokerConfig::default()
        });
        Self { broker: broker.await.unwrap(), files }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.broker.local_addr()
    }

    /// Replaces a file, and has it taken over at once.
    pub(crate) async fn change(&self, name: &str, text: &str) {
        self.files.write(name, text);
        self.broker.reload().await;
    }
}

/// Lines for users whose tokens are those of [`token`].
pub(crate) fn users(users: &[Who]) -> String {
    users.iter().map(user).collect()
}

pub(crate) fn user(who: &Who) -> String {
    let Who { name, role, region, .. } = who;
    format!("{name} {} {region} {}\n", role.name(), hash(&token(name)))
}

pub(crate) fn token(name: &str) -> String {
    format!("token-of-{name}")
}

pub(crate) fn hash(token: &str) -> String {
    let digest = digest(&SHA256, token.as_bytes());
    format!("sha256:{}", digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}
