use super::*;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_examples_that_name_it() {
    let mut command = Cli::command();
    command.build();
    for part in command.get_subcommands().filter(|part| part.get_name() != "help") {
        let help = part.get_after_help().unwrap_or_else(|| panic!("{} has no examples", part.get_name()));
        let text = help.to_string();
        assert!(text.contains(&format!("fogline {}", part.get_name())), "{text}");
        assert!(!text.contains("fogline-broker ") && !text.contains("fogline-agent run"), "{text}");
    }
}

#[test]
fn every_command_of_the_playbook_can_be_given() {
    let page = include_str!("../../../docs/operations.md");
    let from = page.find("\n## Playbook").unwrap();
    let playbook = page[from + 1..].split("\n## ").next().unwrap();
    let commands: Vec<&str> =
        playbook.split('`').skip(1).step_by(2).filter(|text| text.starts_with("fogline ")).collect();
    assert!(commands.len() > 20, "{commands:?}");
    for line in commands {
        match Cli::try_parse_from(line.split(' ')) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), clap::error::ErrorKind::DisplayHelp, "{line}: {error}"),
        }
    }
}

#[test]
fn all_parts_can_be_started() {
    for line in [
        "fogline demo --for 5 --json --secure --data-dir x",
        "fogline demo --sites 2 --pull S1@10,s1@20 --pull 3@5",
        "fogline bench --failover --rounds 5 --agents 4 --rate 100",
        "fogline bench --agents 2 --rate 200 --seconds 3 --json",
        "fogline audit --data-dir a --data-dir b --queue c --queue d/queue.db --json",
        "fogline lab --minutes 30 --seed 7 --store influxdb --faults kill-agent,kill-broker --json",
        "fogline doctor agent --config agent.toml --json",
        "fogline doctor --api http://127.0.0.1:8080 --no-login agent --name a --broker b:1 --data-dir d",
        "fogline doctor ingest --config ingest.toml",
        "fogline doctor broker --listen 127.0.0.1:1883",
        "fogline lab kill-broker",
        "fogline parking forget B-FG1",
        "fogline analyst nodes",
        "fogline analyst --api https://gate:8080 --ca ca.pem --token-file t --json nearest 0 99",
        "fogline analyst latest 1000 --json",
        "fogline analyst node node-1 1",
        "fogline analyst stats 10",
        "fogline analyst node-stats node-1 10",
        "fogline broker --listen 127.0.0.1:0",
        "fogline ingest --store null -v",
        "fogline ingest healthcheck",
        "fogline broker healthcheck --http 127.0.0.1:9083",
        "fogline city nodes --broker mqtts://b --broker-ca ca.pem --logins tls/agents",
        "fogline agent run --name a --source simulate",
        "fogline agent status --name a --json",
        "fogline agent queue ls --name a --json",
        "fogline agent queue peek --data-dir d --from 7 --count 3",
        "fogline agent queue export --name a --format csv --output f",
        "fogline agent queue replay f --name a --dry-run",
        "fogline agent queue purge --name a --older-than 7d --yes",
        "fogline broker user add car-1 --role agent --region north --users users",
        "fogline broker user list --json --users users",
        "fogline city nodes --api http://127.0.0.1:8080 --broker 127.0.0.1:1 --count 2 --at 10,10 --at 50,50 --name n --for 5",
        "fogline city sensors --count 20 --rate 2 --seed 7",
        "fogline city watch --json --for 3",
        "fogline token add grafana --role viewer --tokens tokens",
        "fogline token remove grafana --tokens tokens",
        "fogline token list --tokens tokens",
        "fogline tls init d --host broker.example --agent a --agent b --ingester c --days 30 --force --json",
        "fogline tls issue d --agent a",
        "fogline tls issue d --server",
        "fogline tls issue d --operator anna",
        "fogline tls revoke d a",
        "fogline top --api https://gate:8080 --ca ca.pem --token-file t --every 5",
        "fogline top --once --json",
        "fogline completions zsh",
        "fogline package-files out",
    ] {
        Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn what_no_part_can_do_is_refused() {
    for line in [
        "fogline",
        "fogline bench --agents 0",
        "fogline analyst",
        "fogline analyst nearest 100 0",
        "fogline analyst latest 0",
        "fogline analyst latest 1001",
        "fogline analyst node A/b 1",
        "fogline demo --sites 3",
        "fogline demo --pull S1",
        "fogline bench --rounds 3",
        "fogline ingest healthcheck --store null",
        "fogline city nodes --count 51",
        "fogline city nodes --at 100,0",
        "fogline tls init d --agent A/b",
        "fogline tls init d --days 0",
        "fogline tls issue d",
        "fogline top --json",
        "fogline top --every 0",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}

#[test]
fn what_an_operator_decides_is_complete_or_refused() {
    for line in [
        "fogline limit set 80 --region a7 --for 30m",
        "fogline limit set 80 --agent a7/lane-1 --until 2026-11-22T12:00:00Z --wait 0s --json",
        "fogline limit clear --region a7 --api https://gate:8080 --ca ca.pem --token-file t",
        "fogline limit list --region a7 --ended",
        "fogline agent config set --agent a7/lane-1 sampling=10s window=30s",
        "fogline agent config get --region a7 --json",
        "fogline agent config clear --agent a7/lane-1 --wait 1m",
    ] {
        Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    for line in [
        "fogline limit set 80 --region a7",
        "fogline limit set 80 --for 5m",
        "fogline limit set 80 --region a7 --agent a7/b --for 5m",
        "fogline limit set 80 --region a7 --for 5m --until 2026-11-22T12:00:00Z",
        "fogline limit set 80 --agent lane-1 --for 5m",
        "fogline agent config set --agent a7/lane-1",
        "fogline agent config set --agent a7/lane-1 speed=1s",
        "fogline agent config set --agent a7/lane-1 sampling=10",
    ] {
        assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
    }
}
