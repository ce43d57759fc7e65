//! Which regions' agents an ingester takes: all, some that are named, or a share of all by a hash of their names.
//!
//! Ingesters of the same realm elect one of them. Two realms that have a region in common and are not the same are
//! [rivals](Realm::is_rival_of): only one of them may be led at a time.

mod share;

pub use share::{SHARES_MAX, Share, ShareError};

use crate::ids::{Name, NameError};
use crate::topic::Forum;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// The most regions that one ingester is given by name: two filters for each, and one more, go into one SUBSCRIBE of at most
/// 64, and a beat goes to each of them. Whoever has more takes shares.
pub const REGIONS_MAX: usize = 30;

/// How [`Realm::Everywhere`] is written.
const EVERYWHERE: &str = "*";

/// The regions that an ingester takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Realm {
    /// These.
    Regions(Regions),
    /// Those that a hash of their names puts into this share.
    Share(Share),
    /// All.
    Everywhere,
}

/// Some regions: one at least, [`REGIONS_MAX`] at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Regions {
    /// The least by name: there the ingesters of a realm talk.
    first: Name,
    others: BTreeSet<Name>,
}

/// Why something is not a realm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RealmError {
    /// A region's name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A share is none.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// No region at all.
    #[error("no region is named: name one at least, or leave it out for all")]
    Empty,
    /// More than [`REGIONS_MAX`].
    #[error(
        "{0} regions are more than {REGIONS_MAX}: start more ingesters, or give each a share of all regions (--share)"
    )]
    TooMany(usize),
}

impl Regions {
    /// These; one that is named twice counts once.
    ///
    /// # Errors
    /// [`RealmError::Empty`] and [`RealmError::TooMany`].
    pub fn new(names: impl IntoIterator<Item = Name>) -> Result<Self, RealmError> {
        let mut others: BTreeSet<Name> = names.into_iter().collect();
        if others.len() > REGIONS_MAX {
            return Err(RealmError::TooMany(others.len()));
        }
        let first = others.pop_first().ok_or(RealmError::Empty)?;
        Ok(Self { first, others })
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Name> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Whether this region is one of them.
    #[must_use]
    pub fn contains(&self, region: &str) -> bool {
        self.iter().any(|name| name.as_str() == region)
    }
}

impl Realm {
    /// One region alone.
    #[must_use]
    pub const fn region(name: Name) -> Self {
        Self::Regions(Regions { first: name, others: BTreeSet::new() })
    }

    /// Whether agents of this region belong to it. Looked at for each message: it allocates nothing.
    #[must_use]
    pub fn takes(&self, region: &str) -> bool {
        match self {
            Self::Regions(regions) => regions.contains(region),
            Self::Share(share) => share.takes(region),
            Self::Everywhere => true,
        }
    }

    /// Whether both take some region, and are not the same. Of two shares it is said whether there *can* be such a region.
    #[must_use]
    pub fn is_rival_of(&self, other: &Self) -> bool {
        if self == other {
            return false;
        }
        match (self, other) {
            (Self::Everywhere, _) | (_, Self::Everywhere) => true,
            (Self::Share(one), Self::Share(another)) => one.meets(*another),
            (Self::Regions(regions), realm) | (realm, Self::Regions(regions)) => {
                regions.iter().any(|region| realm.takes(region.as_str()))
            }
        }
    }

    /// Where its ingesters say what they are, so that rivals hear it too.
    #[must_use]
    pub fn beat_forums(&self) -> Vec<Forum> {
        match self {
            Self::Regions(regions) => regions.iter().cloned().map(Forum::Region).collect(),
            Self::Share(_) | Self::Everywhere => vec![Forum::Everywhere],
        }
    }

    /// Where its ingesters keep each other in step.
    #[must_use]
    pub fn home(&self) -> Forum {
        match self {
            Self::Regions(regions) => Forum::Region(regions.first.clone()),
            Self::Share(share) => Forum::Share(*share),
            Self::Everywhere => Forum::Everywhere,
        }
    }
}

impl From<Share> for Realm {
    /// The only share is all.
    fn from(share: Share) -> Self {
        if share.is_all() { Self::Everywhere } else { Self::Share(share) }
    }
}

/// `*`, `2/4`, or the regions by name with commas between them.
impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere => f.write_str(EVERYWHERE),
            Self::Share(share) => write!(f, "{share}"),
            Self::Regions(regions) => {
                f.write_str(regions.first.as_str())?;
                regions.others.iter().try_for_each(|name| write!(f, ",{name}"))
            }
        }
    }
}

impl FromStr for Realm {
    type Err = RealmError;

    fn from_str(text: &str) -> Result<Self, RealmError> {
        if text == EVERYWHERE {
            return Ok(Self::Everywhere);
        }
        if text.contains('/') {
            return Ok(text.parse::<Share>()?.into());
        }
        // Not more names than a realm may have are looked at.
        let names: Result<Vec<Name>, NameError> = text.split(',').take(REGIONS_MAX + 1).map(Name::new).collect();
        Ok(Self::Regions(Regions::new(names?)?))
    }
}

impl TryFrom<String> for Realm {
    type Error = RealmError;

    fn try_from(text: String) -> Result<Self, RealmError> {
        text.parse()
    }
}

impl From<Realm> for String {
    fn from(realm: Realm) -> Self {
        realm.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(text: &str) -> Realm {
        text.parse().unwrap()
    }

    #[test]
    fn every_realm_reads_back() {
        for text in ["*", "a7", "a7,a8,north", "1/2", "64/64"] {
            assert_eq!(realm(text).to_string(), text);
        }
        assert_eq!(realm("north,a7,north").to_string(), "a7,north", "by name, each once");
        assert_eq!(realm("1/1"), Realm::Everywhere);
        for bad in ["", "A7", "a7,", "a7,ingest", "0/2", "3/2", "1/65", "1/2,a7", "/", "1/", "**"] {
            assert!(bad.parse::<Realm>().is_err(), "{bad:?}");
        }
        let many: Vec<String> = (0..=REGIONS_MAX).map(|number| format!("r{number}")).collect();
        assert!(many[1..].join(",").parse::<Realm>().is_ok());
        assert_eq!(many.join(",").parse::<Realm>(), Err(RealmError::TooMany(REGIONS_MAX + 1)));
    }

    #[test]
    fn rivals_have_a_region_in_common_and_are_not_the_same() {
        // `a7` is in 1/2, `north` in 2/2: see the vector in share.rs.
        for (one, another, rivals) in [
            ("*", "*", false),
            ("*", "a7", true),
            ("*", "2/4", true),
            ("a7", "a8", false),
            ("a7", "a7", false),
            ("a7,a8", "a8", true),
            ("a7,a8", "b1,b2", false),
            ("a7", "1/2", true),
            ("a7", "2/2", false),
            ("a7,north", "1/2", true),
            ("1/2", "2/2", false),
            ("1/2", "1/4", true),
            ("1/2", "2/4", false),
            ("1/2", "3/4", true),
            ("1/2", "1/3", true),
        ] {
            assert_eq!(realm(one).is_rival_of(&realm(another)), rivals, "{one} {another}");
            assert_eq!(realm(another).is_rival_of(&realm(one)), rivals, "{another} {one}");
        }
    }

    #[test]
    fn each_realm_takes_its_own() {
        for (text, region, takes) in
            [("*", "a7", true), ("a7,a8", "a8", true), ("a7,a8", "a", false), ("1/2", "a7", true), ("2/2", "a7", false)]
        {
            assert_eq!(realm(text).takes(region), takes, "{text} {region}");
        }
    }
}
