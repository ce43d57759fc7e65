//! What was made, for a person or for a program.

use super::folder::Role;
use super::hosts::{Host, of_this_machine};
use super::site::{Made, Whose};
use crate::table::Table;
use fogline_protocol::ids::Name;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// The certificates that were made, and the commands to use them next.
pub(super) fn made(dir: &Path, made: &[Made], as_json: bool) -> Result<String, serde_json::Error> {
    if as_json {
        let certificates: Vec<_> = made.iter().map(entry).collect();
        let value =
            json!({ "dir": dir, "ca": dir.join("ca.pem"), "crl": dir.join("crl.pem"), "certificates": certificates });
        return Ok(serde_json::to_string(&value)? + "\n");
    }
    let mut table = Table::of_texts(&["for", "name", "certificate", "key", "valid until"]);
    for one in made {
        let (certificate, key) = (one.certificate.display().to_string(), one.key.display().to_string());
        table.row([one.whose.role().to_owned(), one.whose.name(), certificate, key, date(one.not_after)]);
    }
    Ok(format!("{table}\n{}", next(dir, made)))
}

/// What was revoked, and what to do with it.
pub(super) fn revoked(dir: &Path, name: &Name, serials: &[String], as_json: bool) -> Result<String, serde_json::Error> {
    let list = dir.join("crl.pem");
    if as_json {
        let value = json!({ "dir": dir, "crl": list, "name": name.as_str(), "revoked": serials });
        return Ok(serde_json::to_string(&value)? + "\n");
    }
    Ok(format!(
        "revoked {name}: {}\nGive the broker the new {}; a connection that is open stays open until the broker ends it.\n",
        serials.join(", "),
        list.display()
    ))
}

fn entry(made: &Made) -> serde_json::Value {
    json!({
        "for": made.whose.role(),
        "name": made.whose.name(),
        "certificate": made.certificate,
        "key": made.key,
        "serial": made.serial,
        "valid_until": date(made.not_after),
    })
}

impl Whose {
    const fn role(&self) -> &'static str {
        match self {
            Self::Authority => "CA",
            Self::Server(_) => "broker",
            Self::Client(Role::Agent, _) => "agent",
            Self::Client(Role::Ingester, _) => "ingester",
        }
    }

    /// User name, or hosts.
    fn name(&self) -> String {
        match self {
            Self::Authority => String::new(),
            Self::Server(hosts) => hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
            Self::Client(_, name) => name.to_string(),
        }
    }
}

/// One command of each kind.
fn next(dir: &Path, made: &[Made]) -> String {
    let place = dir.display();
    let host = made.iter().find_map(|one| match &one.whose {
        Whose::Server(hosts) => best_host(hosts),
        Whose::Authority | Whose::Client(..) => None,
    });
    let address = format!("mqtts://{}:8883", host.as_deref().unwrap_or("HOST"));
    let mut text = String::new();
    for role in [Role::Ingester, Role::Agent] {
        let Some((one, name)) = made.iter().find_map(|one| match &one.whose {
            Whose::Client(own, name) if *own == role => Some((one, name)),
            _ => None,
        }) else {
            continue;
        };
        let command = match role {
            Role::Ingester => "fogline ingest",
            Role::Agent => "fogline agent run --source simulate",
        };
        // Writing into a text does not fail.
        writeln!(
            text,
            "{command} --name {name} --broker {address} --broker-ca {place}/ca.pem --broker-cert {} --broker-key {}",
            one.certificate.display(),
            one.key.display()
        )
        .ok();
    }
    if host.is_some() {
        writeln!(text, "The broker needs server.pem, server-key.pem, ca.pem and crl.pem of {place}.").ok();
    }
    writeln!(text, "Keep {place}/ca-key.pem off the network: whoever has it can be anybody.").ok();
    text
}

/// A host that was asked for, or else how this machine is reached from itself: its own name may be known to nobody.
fn best_host(hosts: &[Host]) -> Option<String> {
    let asked_for = |host: &&Host| of_this_machine().all(|own| own != **host);
    hosts.iter().find(asked_for).or(hosts.first()).map(Host::in_address)
}

/// As in 2026-12-31, UTC.
fn date(seconds: u64) -> String {
    let time = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    format!("{:04}-{:02}-{:02}", time.year(), u8::from(time.month()), time.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_the_examples_is_one_that_works() {
        let mut hosts: Vec<Host> = of_this_machine().collect();
        assert_eq!(best_host(&hosts).as_deref(), Some("localhost"));
        hosts.push("broker.example".parse().unwrap());
        assert_eq!(best_host(&hosts).as_deref(), Some("broker.example"));
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(1_798_761_599), "2026-12-31");
    }
}
