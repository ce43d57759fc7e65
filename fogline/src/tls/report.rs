//! What was made, for a person or for a program.

use super::folder::Role;
use super::hosts::{Host, of_this_machine};
use super::site::{Made, Whose};
use crate::figures::date;
use crate::table::Table;
use fogline_protocol::ids::Name;
use serde_json::json;
use std::path::{Display, Path};

/// The usual port of MQTT over TLS.
const PORT: u16 = 8883;

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
        "revoked {name}: {}\nGive the broker the new {}: Fogline's own ends the connections of {name} within seconds of that, another one perhaps at its restart.\n",
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
            Self::Client(Role::Operator, _) => "operator",
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
    let first = |role: Role| {
        made.iter().find_map(|one| match &one.whose {
            Whose::Client(own, name) if *own == role => Some((role, name, one)),
            _ => None,
        })
    };
    let clients: Vec<_> = Role::ALL.into_iter().rev().filter_map(first).collect();
    let mut lines: Vec<String> = clients.iter().map(|(role, name, _)| user(*role, name, &place)).collect();
    lines.extend(host.is_some().then(|| broker(&place)));
    let host = host.as_deref().unwrap_or("HOST");
    lines.extend(clients.iter().map(|(role, name, one)| client(*role, name, one, &place, host)));
    lines.push(format!("Keep {place}/ca-key.pem off the network: whoever has it can be anybody."));
    lines.join("\n") + "\n"
}

/// Lets a client in by its certificate.
fn user(role: Role, name: &Name, place: &Display<'_>) -> String {
    let role = match role {
        Role::Agent => "agent --region north",
        Role::Ingester => "ingest --region '*'",
        Role::Operator => "operator",
    };
    format!("fogline broker user add {name} --role {role} --certificate --users {place}/users")
}

/// The broker, which other machines reach over TLS only, and who has a certificate only.
fn broker(place: &Display<'_>) -> String {
    format!(
        "fogline broker --listen off --tls-listen 0.0.0.0:{PORT} --tls-cert {place}/server.pem --tls-key {place}/server-key.pem \
         --tls-client-ca {place}/ca.pem --tls-client-certificates required --tls-crl {place}/crl.pem --users {place}/users"
    )
}

fn client(role: Role, name: &Name, made: &Made, place: &Display<'_>, host: &str) -> String {
    let (certificate, key) = (made.certificate.display(), made.key.display());
    let command = match role {
        Role::Ingester => "fogline ingest",
        Role::Agent => "fogline agent run --region north --source simulate",
        Role::Operator => {
            let host = host.trim_matches(['[', ']']);
            return format!(
                "mosquitto_sub -q 1 -h {host} -p {PORT} --cafile {place}/ca.pem --cert {certificate} --key {key} -v -t 'fogline/v1/#'"
            );
        }
    };
    format!(
        "{command} --name {name} --broker mqtts://{host}:{PORT} --broker-ca {place}/ca.pem --broker-cert {certificate} --broker-key {key}"
    )
}

/// A host that was asked for, or else how this machine is reached from itself: its own name may be known to nobody.
fn best_host(hosts: &[Host]) -> Option<String> {
    let asked_for = |host: &&Host| of_this_machine().all(|own| own != **host);
    hosts.iter().find(asked_for).or(hosts.first()).map(Host::in_address)
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

    /// What is printed is what can be typed: a flag that does not exist would send people looking for it.
    #[test]
    fn the_commands_that_are_printed_exist() {
        use crate::tls::Throwaway;

        let name = |text: &str| Name::new(text).unwrap();
        let made = Throwaway::make(vec![name("lane-1")], vec![name("hub")], vec![name("anna")]).unwrap();
        let text = next(Path::new("tls"), made.made());
        let commands: Vec<_> = text.lines().filter(|line| line.starts_with("fogline ")).collect();
        assert_eq!(commands.len(), 6, "{text}");
        for command in commands {
            crate::cli::check(command.replace('\'', "").split(' '))
                .unwrap_or_else(|error| panic!("{command}: {error}"));
        }
        assert!(text.contains("mosquitto_sub -q 1 -h localhost -p 8883 --cafile tls/ca.pem --cert "), "{text}");
    }
}
