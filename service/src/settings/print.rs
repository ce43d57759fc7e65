//! A complete settings file: every key, its meaning, its default, and whether it can change while the program runs.

use super::{Settings, flags, table};
use clap::Arg;
use std::fmt::Write;

/// Longest line of a comment, so that two fit beside each other.
const WIDTH: usize = 100;

/// All keys as a TOML file: those that are `given` with their values, the others as comments with their defaults.
#[must_use]
pub fn print<T: Settings>(given: &T) -> String {
    let defaults = table(&T::defaults(given));
    let given = table(given);
    let mut text = head(T::PROGRAM);
    let flags = flags::<T>();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for flag in &flags {
        if !headings.contains(&flag.get_help_heading()) {
            headings.push(flag.get_help_heading());
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            line(&mut text, &format!("\n# == {heading} =="));
        }
        for flag in flags.iter().filter(|flag| flag.get_help_heading() == heading) {
            let key = flag.get_id().as_str();
            let taken = T::RELOADED.contains(&key);
            line(&mut text, "");
            explain(&mut text, flag, taken);
            line(&mut text, &setting(flag, given.get(key), defaults.get(key)));
        }
    }
    for (name, example) in T::TABLES {
        table_of(&mut text, name, given.get(*name), example);
    }
    text
}

fn head(program: &str) -> String {
    let mut text = String::new();
    let say = format!(
        "Settings of {program}: every key, and its default as a comment. Flags go before the environment, the environment before \
         this file. Check it with {program} --check-config --config FILE. SIGHUP makes a running program read it again; what a \
         restart is needed for is said below, and in its log."
    );
    comment(&mut text, &say);
    text
}

/// What `--help` says of it, then what it is called elsewhere.
fn explain(text: &mut String, flag: &Arg, taken: bool) {
    if let Some(help) = flag.get_long_help().or(flag.get_help()) {
        comment(text, &help.to_string());
    }
    let values = flag.get_possible_values();
    // A switch needs no list of true and false.
    if !values.is_empty() && !values.iter().any(|value| value.get_name() == "true") {
        for value in values.iter().filter(|value| !value.is_hide_set()) {
            let help = value.get_help().map_or_else(String::new, |help| format!(": {help}"));
            comment(text, &format!("  {}{help}", value.get_name()));
        }
    }
    let mut names = Vec::new();
    names.extend(flag.get_long().map(|long| format!("--{long}")));
    names.extend(flag.get_env().map(|name| name.to_string_lossy().into_owned()));
    let when = if taken { "read again at SIGHUP" } else { "needs a restart" };
    names.push(when.to_owned());
    comment(text, &format!("({})", names.join(", ")));
}

fn setting(flag: &Arg, given: Option<&toml::Value>, default: Option<&toml::Value>) -> String {
    let key = flag.get_id().as_str();
    match (given, default) {
        (Some(value), _) => format!("{key} = {value}"),
        (None, Some(value)) => format!("#{key} = {value}"),
        (None, None) => {
            let kind = flag.get_value_names().and_then(<[_]>::first).map_or("VALUE", |name| name.as_str());
            format!("#{key} = # {kind}; not set")
        }
    }
}

/// An array of tables: as given, or an example.
fn table_of(text: &mut String, name: &str, given: Option<&toml::Value>, example: &str) {
    line(text, "");
    match given {
        Some(value) => {
            let table = toml::Table::from_iter([(name.to_owned(), value.clone())]);
            text.push_str(&toml::to_string(&table).unwrap_or_default());
        }
        None => example.lines().for_each(|example| {
            let sign = if example.is_empty() || example.starts_with('#') { "" } else { "#" };
            line(text, &format!("{sign}{example}"));
        }),
    }
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    writeln!(text, "{line}").ok();
}

/// Words in lines of comments.
fn comment(text: &mut String, words: &str) {
    for paragraph in words.lines() {
        let indent = &paragraph[..paragraph.len() - paragraph.trim_start().len()];
        let mut row = format!("# {indent}");
        let start = row.len();
        for word in paragraph.split_whitespace() {
            if row.len() > start && row.len() + 1 + word.len() > WIDTH {
                line(text, &row);
                row.truncate(start);
            }
            if row.len() > start {
                row.push(' ');
            }
            row.push_str(word);
        }
        line(text, row.trim_end());
    }
}

#[cfg(test)]
mod tests;
