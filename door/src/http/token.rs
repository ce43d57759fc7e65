//! Tokens: 256 random bits that say who asks, of which only the SHA-256 is kept.

pub(super) mod file;

use clap::ValueEnum;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::str::FromStr;
use subtle::{Choice, ConstantTimeEq};

/// Before every token, so that people and secret scanners know what they see.
const PREFIX: &str = "fogline_";
/// Random bytes of a token. With 256 bits a fast digest is as good as a slow one: there is nothing to guess.
const SECRET_BYTES: usize = 32;
/// As the names of agents and ingesters.
const NAME_CHARS_MAX: usize = 63;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Role {
    /// To look at everything.
    Viewer,
    /// To change things too.
    Operator,
}

impl Role {
    fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Who asks: the name of the token, and what it allows. Never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name of the token.
    pub name: String,
    /// What it allows.
    pub role: Role,
}

/// A token that was just made. It is shown once, and nowhere kept.
pub struct NewToken(String);

impl NewToken {
    /// From the system's generator; none when that fails.
    fn generate() -> Option<Self> {
        let mut secret = [0; SECRET_BYTES];
        SystemRandom::new().fill(&mut secret).ok()?;
        Some(Self(format!("{PREFIX}{}", hex(&secret))))
    }

    /// The token itself, to be given to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for NewToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewToken(..)")
    }
}

/// What is kept of a token: one line of the file, `NAME ROLE SHA256` with the digest of its text in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) caller: Caller,
    digest: [u8; digest::SHA256_OUTPUT_LEN],
}

impl Entry {
    fn new(name: &str, role: Role, token: &NewToken) -> Self {
        Self { caller: Caller { name: name.to_owned(), role }, digest: digest_of(token.reveal()) }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.caller.name, self.caller.role, hex(&self.digest))
    }
}

impl FromStr for Entry {
    type Err = &'static str;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(role), Some(digest), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err("it is not NAME ROLE SHA256");
        };
        if !is_name(name) {
            return Err("the name is not 1 to 63 of a-z, 0-9, - and _, the first a letter or digit");
        }
        let role = Role::from_str(role, false).map_err(|_| "the role is neither viewer nor operator")?;
        let digest = unhex(digest).ok_or("the digest is not 64 hexadecimal digits")?;
        Ok(Self { caller: Caller { name: name.to_owned(), role }, digest })
    }
}

/// Whose token it is; its length is bounded by that of a head. Takes the same time whichever it is, and if it is none.
pub(super) fn whose(entries: &[Entry], token: &str) -> Option<Caller> {
    let digest = digest_of(token);
    let mut found = None;
    for entry in entries {
        let same: Choice = entry.digest.ct_eq(&digest);
        if same.into() {
            found = Some(&entry.caller);
        }
    }
    found.cloned()
}

fn is_name(name: &str) -> bool {
    let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|c| letter(c) || matches!(c, b'-' | b'_'))
        && name.bytes().next().is_some_and(letter)
}

fn digest_of(token: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
    // Both have the length of a SHA-256.
    bytes.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<[u8; digest::SHA256_OUTPUT_LEN]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes?.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_the_digest_of_the_text() {
        // printf fogline_test | sha256sum
        let token = NewToken("fogline_test".to_owned());
        let line = "grafana viewer 2d135ecc84ee24c888418ae37485df056c91e8d907261371a8e8d2a82fb39e21";
        let entry = Entry::new("grafana", Role::Viewer, &token);
        assert_eq!(entry.to_string(), line);
        assert_eq!(entry.to_string().parse::<Entry>(), Ok(entry.clone()));
        assert_eq!(whose(std::slice::from_ref(&entry), "fogline_test"), Some(entry.caller.clone()));
        assert_eq!(whose(&[entry], "fogline_tesT"), None);
    }

    #[test]
    fn tokens_differ_and_are_not_shown() {
        let (one, two) = (NewToken::generate().unwrap(), NewToken::generate().unwrap());
        assert_eq!(one.reveal().len(), PREFIX.len() + 2 * SECRET_BYTES);
        assert_ne!(one.reveal(), two.reveal());
        assert!(!format!("{one:?}").contains(one.reveal()));
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        let digest = "0".repeat(64);
        for line in [
            "a viewer",
            &format!("a viewer {digest} more"),
            &format!("A viewer {digest}"),
            &format!("-a viewer {digest}"),
            &format!("a admin {digest}"),
            &format!("a viewer {digest}0"),
            &format!("a viewer {}x", &digest[1..]),
            &format!("{} viewer {digest}", "a".repeat(64)),
        ] {
            assert!(line.parse::<Entry>().is_err(), "{line}");
        }
    }

    #[test]
    fn an_operator_may_what_a_viewer_may() {
        assert!(Role::Operator > Role::Viewer);
    }
}
