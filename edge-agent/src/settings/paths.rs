//! Paths in a file of settings: one, or a list.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path, or a list of paths")]
enum Written {
    One(PathBuf),
    Many(Vec<PathBuf>),
}

pub(super) fn serialize<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    match paths {
        [one] => one.serialize(serializer),
        many => many.serialize(serializer),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PathBuf>, D::Error> {
    Ok(match Written::deserialize(deserializer)? {
        Written::One(path) => vec![path],
        Written::Many(paths) => paths,
    })
}
