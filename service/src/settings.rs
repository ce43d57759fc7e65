//! Settings: flags over environment over a TOML file over defaults, with one description for all four.
//!
//! A program has one struct whose fields are its flags, its variables and the keys of its file at once. What is here reads the
//! file ([`SettingsFile`]), says where in it a problem is, and writes a complete file with every key explained ([`print()`]).

mod changes;
mod error;
mod file;
mod lines;
mod nearest;
mod print;
mod run;
#[cfg(test)]
mod testing;

pub(crate) use changes::{Changes, take_over};
pub use error::SettingsError;
pub use file::SettingsFile;
pub use print::print;
pub use run::{Asked, FileCommand};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a program can be told, each setting optional. The id of each flag is its key in the file.
pub trait Settings: clap::Args + Serialize + DeserializeOwned + Default {
    /// The program, as a user calls it.
    const PROGRAM: &'static str;
    /// Keys that a running program takes over when it is told to read its file again. All others need a restart.
    const RELOADED: &'static [&'static str];
    /// Tables of the file for which there is no flag: their names, and an example of each.
    const TABLES: &'static [(&'static str, &'static str)] = &[];

    /// These where they are set, and the others elsewhere.
    #[must_use]
    fn or(self, other: Self) -> Self;

    /// What holds where nothing is `given`.
    #[must_use]
    fn defaults(given: &Self) -> Self;
}

/// The settings as the table of a file; those that are not set are missing. None when they cannot be written as TOML, such as
/// integers above its range.
pub(crate) fn table(settings: &impl Serialize) -> toml::Table {
    let mut table = toml::Table::try_from(settings).unwrap_or_default();
    table.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    table
}

/// The flags of a program's settings, but for hidden ones.
fn flags<T: clap::Args>() -> Vec<clap::Arg> {
    let command = T::augment_args(clap::Command::new("settings"));
    command.get_arguments().filter(|flag| !flag.is_hide_set()).cloned().collect()
}
