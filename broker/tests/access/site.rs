//! Files of users and rules for a test.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
};

use fogline_broker::access::{Access, AccessConfig, Anonymous, Identity, LoginRefused, LoginRequest};
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

/// Where most logins here come from.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// The password of everybody who has one.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A folder with the files.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    pub(crate) fn new(users: &str, rules: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap() };
        site.write("users", users);
        site.write("rules", rules);
        site
    }

    /// Replaces the file as a whole.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> AccessConfig {
        AccessConfig { users: Some(self.path("users")), rules: Some(self.path("rules")) }
    }

    pub(crate) fn open(&self) -> Access {
        Access::open(self.config(), Anonymous::Refused).unwrap()
    }
}

/// A line for a user whose token is `token-NAME`.
pub(crate) fn user(name: &str, role: &str, regions: &str) -> String {
    format!("{name} {role} {regions} {}\n", token_hash(&format!("token-{name}")))
}

pub(crate) fn token_hash(token: &str) -> String {
    let hash: String = digest(&SHA256, token.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hash}")
}

/// A line for a user whose password is [`PASSWORD`], hashed faster than is safe.
pub(crate) fn person(name: &str, role: &str) -> String {
    use argon2::password_hash::{PasswordHasher, SaltString};
    let fast = argon2::Params::new(64, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, fast);
    let salt = SaltString::encode_b64(b"salt of the test").unwrap();
    format!("{name} {role} - {}\n", argon2.hash_password(PASSWORD.as_bytes(), &salt).unwrap())
}

pub(crate) fn request<'a>(user: &'a str, password: &'a str, client_id: &'a str) -> LoginRequest<'a> {
    let password = Some(password.as_bytes());
    LoginRequest { address: ADDRESS, client_id, user: Some(user), password, certificate_user: None }
}

/// Logs in with the token of [`user`].
pub(crate) async fn login(access: &Access, name: &str, client_id: &str) -> Result<Identity, LoginRefused> {
    access.login(&request(name, &format!("token-{name}"), client_id)).await
}
