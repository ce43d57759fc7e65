//! Agents that a broker with TLS and users must keep out.

use super::broker::Broker;
use super::certificates::Certificates;
use super::program::{Program, Recipe};
use std::path::Path;

/// Who they say they are: nobody else is.
const NAME: &str = "stranger";

/// Starts agents that trust another CA, show another's token, and show none; each is told why it does not get in. Their files go to
/// `folder`.
///
/// # Panics
/// When one gets in, or the broker lets everybody in.
pub fn strangers_stay_out(broker: &Broker, folder: &Path) {
    let other = Certificates::make(&folder.join("another-ca")).trust();
    let ([ca, ca_file, token, own], [.., another]) = (login(broker, NAME), login(broker, "lane-1"));
    let cases: [(&str, Vec<&str>, &str); 3] = [
        ("another CA", vec![&other[0], &other[1], &token, &own], "give its CA file"),
        ("the token of another", vec![&ca, &ca_file, &token, &another], "it does not let this client in"),
        ("no token", vec![&ca, &ca_file], "it does not let this client in"),
    ];
    for (number, (what, flags, reason)) in cases.into_iter().enumerate() {
        let stranger = start(broker, &folder.join(format!("stranger-{number}")), &flags);
        let said = |line: &str| line.contains(reason) || line.contains("connected and subscribed");
        let line = stranger.output().line_where(what, said).expect("the agent goes on");
        assert!(line.contains(reason), "an agent with {what} got in: {line}");
    }
}

fn login(broker: &Broker, name: &str) -> [String; 4] {
    broker.login(name).try_into().expect("the broker has users")
}

fn start(broker: &Broker, folder: &Path, flags: &[&str]) -> Program {
    let agent = Recipe::ours("fogline-agent").args(["run", "--region", "north", "--name", NAME]);
    let agent = agent.args(["--source", "simulate", "--kind", "road", "--broker", &broker.address(), "--data-dir"]);
    Program::start(agent.arg(folder).args(flags.iter().copied()))
}
