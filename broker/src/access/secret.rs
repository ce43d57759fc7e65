//! What a user proves itself with, as it is kept: never the secret itself.

use std::fmt;

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString},
};
use ring::{
    digest::{SHA256, SHA256_OUTPUT_LEN, digest},
    rand::{SecureRandom, SystemRandom},
};
use subtle::ConstantTimeEq;

/// A token cannot be guessed: 256 bits.
const TOKEN_BYTES: usize = 32;
/// By this a token that has got somewhere it should not be is found.
const TOKEN_PREFIX: &str = "fogline_";
const SALT_BYTES: usize = 16;

/// Memory for one check of a password; what is usual is 19 MiB. A file that asks for more would exhaust the machine.
const MAX_KIB: u32 = 256 * 1024;
/// What is usual is 2; with [`MAX_KIB`] this is about two seconds.
const MAX_PASSES: u32 = 16;

/// What a user proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    /// The SHA-256 of a random token: enough for what cannot be guessed, and checked in a microsecond, so that thousands of
    /// agents can come back at once.
    Token([u8; SHA256_OUTPUT_LEN]),
    /// An Argon2id hash of a password, as PHC string: slow on purpose, as people's passwords can be guessed.
    Password(Box<str>),
    /// Nothing: it comes with a certificate, or not at all.
    Certificate,
}

/// The system gave no random numbers, or the hash could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers: try again later")]
pub(crate) struct NoRandomNumbers;

impl Secret {
    /// A new random token, and what is kept of it.
    pub(crate) fn generate() -> Result<(String, Self), NoRandomNumbers> {
        let token = format!("{TOKEN_PREFIX}{}", hex(&random::<TOKEN_BYTES>()?));
        let secret = Self::of_token(token.as_bytes());
        Ok((token, secret))
    }

    pub(crate) fn of_token(token: &[u8]) -> Self {
        Self::Token(sha256(token))
    }

    /// Takes some 30 ms and 19 MiB, as recommended by OWASP.
    pub(crate) fn of_password(password: &[u8]) -> Result<Self, NoRandomNumbers> {
        let salt = SaltString::encode_b64(&random::<SALT_BYTES>()?).map_err(|_| NoRandomNumbers)?;
        let hash = argon2id(Params::default()).hash_password(password, &salt).map_err(|_| NoRandomNumbers)?;
        Ok(Self::Password(hash.to_string().into()))
    }

    /// # Errors
    /// What is wrong with it, as the end of a sentence that does not show it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        if text == "-" {
            Ok(Self::Certificate)
        } else if let Some(hash) = text.strip_prefix("sha256:") {
            unhex(hash).map(Self::Token).ok_or("after sha256: come 64 hexadecimal digits")
        } else if text.starts_with("$argon2id$") {
            usable(text).then(|| Self::Password(text.into())).ok_or(
                "not an Argon2id hash of version 19 with at most 262144 KiB and 16 passes: remove the user and add it again",
            )
        } else {
            Err(
                "the secret is sha256:HEX, $argon2id$..., or - for a certificate: let `fogline-broker user add` make it",
            )
        }
    }

    /// As it stands in the file.
    pub(crate) fn encoded(&self) -> String {
        match self {
            Self::Token(hash) => format!("sha256:{}", hex(hash)),
            Self::Password(hash) => hash.to_string(),
            Self::Certificate => "-".to_owned(),
        }
    }

    /// The word for its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Password(_) => "password",
            Self::Certificate => "certificate",
        }
    }

    /// In constant time.
    pub(crate) fn is_token(&self, presented: &[u8]) -> bool {
        match self {
            Self::Token(hash) => sha256(presented).ct_eq(hash).into(),
            Self::Password(_) | Self::Certificate => false,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.kind())
    }
}

/// Whether the password is that of this PHC string. Blocks for some 30 ms.
pub(crate) fn is_password(hash: &str, presented: &[u8]) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| argon2id(Params::default()).verify_password(presented, &hash).is_ok())
}

fn argon2id(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn usable(text: &str) -> bool {
    let Ok(hash) = PasswordHash::new(text) else { return false };
    let Ok(params) = Params::try_from(&hash) else { return false };
    hash.version == Some(Version::V0x13.into())
        && hash.salt.is_some()
        && hash.hash.is_some()
        && params.m_cost() <= MAX_KIB
        && params.t_cost() <= MAX_PASSES
}

fn sha256(bytes: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    hash
}

fn random<const N: usize>() -> Result<[u8; N], NoRandomNumbers> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomNumbers)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_token_is_recognised_and_no_other() {
        let (token, secret) = Secret::generate().unwrap();
        assert_eq!(token.len(), TOKEN_PREFIX.len() + 64);
        assert!(secret.is_token(token.as_bytes()));
        assert!(!secret.is_token(token.to_uppercase().as_bytes()) && !secret.is_token(b""));
        assert_ne!(Secret::generate().unwrap().0, token);
    }

    #[test]
    fn the_hash_is_sha_256() {
        let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Secret::of_token(b"abc").encoded(), abc);
        assert_eq!(Secret::parse(abc), Ok(Secret::of_token(b"abc")));
    }

    #[test]
    fn a_password_is_recognised_and_no_other() {
        let secret = Secret::of_password(b"correct horse").unwrap();
        assert_eq!(Secret::parse(&secret.encoded()), Ok(secret.clone()));
        let Secret::Password(hash) = &secret else { panic!("{secret:?}") };
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(is_password(hash, b"correct horse") && !is_password(hash, b"correct horsf") && !is_password(hash, b""));
        assert!(!secret.is_token(b"correct horse") && !secret.is_token(hash.as_bytes()));
    }

    #[test]
    fn what_could_not_be_checked_is_refused() {
        let hash = "c2FsdHNhbHRzYWx0$MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";
        assert!(Secret::parse(&format!("$argon2id$v=19$m=19456,t=2,p=1${hash}")).is_ok());
        for bad in [
            "",
            "x",
            "sha256:",
            "sha256:00",
            &format!("sha256:{}", "g".repeat(64)),
            &format!("sha256:+{}", "0".repeat(63)),
            "$argon2id$",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0",
            &format!("$argon2id$v=19$m=4194304,t=2,p=1${hash}"),
            &format!("$argon2id$v=19$m=19456,t=17,p=1${hash}"),
            &format!("$argon2id$v=16$m=19456,t=2,p=1${hash}"),
            &format!("$argon2i$v=19$m=19456,t=2,p=1${hash}"),
        ] {
            assert!(Secret::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn it_is_never_shown() {
        let (_, token) = Secret::generate().unwrap();
        assert_eq!(format!("{token:?}"), "Secret(token)");
        assert_eq!(format!("{:?}", Secret::Password("$argon2id$x".into())), "Secret(password)");
    }
}
