//! What is accepted, what is refused, and what goes before what.

use super::*;
use clap::Parser;
use fogline_protocol::queue::FullPolicy;
use fogline_service::settings::print;
use std::time::Duration;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: AgentArgs,
}

/// A line of a printed file with its default in effect.
fn uncommented(line: &str) -> String {
    let key = line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()));
    key.filter(|rest| rest.contains(" = ") && !rest.contains(" = #")).unwrap_or(line).to_owned()
}

fn args(line: &str) -> AgentArgs {
    Cli::parse_from(["agent"].into_iter().chain(line.split_whitespace())).args
}

fn resolve(line: &str) -> Result<AgentConfig, Vec<String>> {
    args(line).resolve().map_err(|error| error.problems().to_vec())
}

#[test]
fn the_defaults_are_those_of_the_library() {
    let config = resolve("--source none").unwrap();
    let same = AgentConfig::new(config.id.clone(), config.brokers.clone(), config.data_dir.clone(), SourceConfig::None);
    assert_eq!(format!("{config:?}"), format!("{same:?}"));
    assert_eq!(config.id.to_string(), "local/agent-1");
    assert_eq!(config.data_dir, PathBuf::from("fogline-data/agent-1"));
}

#[test]
fn every_flag_arrives() {
    let config = resolve(
        "--broker a:1 --broker b:2,c --region north --name lane-7 --data-dir d --commit-every 200ms --synchronous normal \
         --queue-readings 5 --queue-bytes 70000 --queue-max-age 7d --when-full block --until queued --source none \
         --failover-after 4s --prefer-primary-after 5m --clock-hold 90s --config-trial 5s",
    )
    .unwrap();
    assert_eq!(config.brokers.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "b:2", "c:1883"]);
    assert_eq!((config.id.to_string().as_str(), config.commit_every), ("north/lane-7", Duration::from_millis(200)));
    assert_eq!(config.failover_after, Duration::from_secs(4));
    assert_eq!(config.prefer_primary_after, Some(Duration::from_secs(300)));
    assert_eq!(config.clock_hold, Duration::from_secs(90));
    assert_eq!(config.config_trial, Duration::from_secs(5));
    let limits = config.limits;
    assert_eq!((limits.readings, limits.bytes, limits.policy), (5, 70_000, FullPolicy::Block));
    assert_eq!((limits.max_age_us, config.until), (Some(604_800_000_000), Until::Queued));
}

#[test]
fn sources_and_their_defaults() {
    let SourceConfig::Simulate(simulate) = resolve("--source simulate --kind power --rate 0 --raw").unwrap().source
    else {
        panic!("not simulated")
    };
    assert_eq!((simulate.sensor.as_str(), simulate.raw), ("meter", true));
    assert_eq!(simulate.rate, crate::source::simulate::Rate::Fastest);
    let other = resolve("--source simulate --name other").unwrap();
    let SourceConfig::Simulate(other) = other.source else { panic!("not simulated") };
    assert_ne!(other.seed, simulate.seed);

    let SourceConfig::Csv(csv) = resolve("--source csv --file x.csv --pace max").unwrap().source else {
        panic!("no csv")
    };
    assert_eq!((csv.pace, csv.sensor.as_str(), csv.raw), (Pace::Max, "meter", false));
    let columns =
        "--source csv --file x.csv --kind weather --time-column t --time-unit rfc3339 --value-columns a=air_c,rain_mm";
    let SourceConfig::Csv(csv) = resolve(columns).unwrap().source else { panic!("no csv") };
    let crate::source::csv::LayoutConfig::Columns { values, delimiter, .. } = csv.layout else { panic!("no columns") };
    assert_eq!((values[0].1.as_str(), values[1].0.as_str(), delimiter), ("air_c", "rain_mm", ','));
    assert!(matches!(resolve("--source stdin --kind vm").unwrap().source, SourceConfig::Stdin(_)));
}

#[test]
fn all_problems_are_reported_together_with_a_remedy() {
    let problems = resolve(
        "--region A/b --broker https://x:1 --queue-readings 0 --queue-bytes 1 --queue-max-age 1ms --commit-every 2m \
         --failover-after 2s --prefer-primary-after 9s --clock-hold 25h --config-trial 2h --source simulate --kind rain --rate 0.01 --sensors 0 --reading-bytes 3 --sensor UP --pace 60",
    )
    .unwrap_err();
    let keys = [
        "region",
        "broker",
        "queue_readings",
        "queue_bytes",
        "queue_max_age",
        "commit_every",
        "clock_hold",
        "config_trial",
        "failover_after",
        "prefer_primary_after",
        "kind",
        "rate",
        "sensors",
        "reading_bytes",
        "sensor",
        "pace",
    ];
    for key in keys {
        assert!(problems.iter().any(|problem| problem.starts_with(&format!("{key}:"))), "{key}: {problems:#?}");
    }
    assert_eq!(problems.len(), keys.len(), "{problems:#?}");
}

#[test]
fn a_preference_among_one_broker_is_refused() {
    let problems = resolve("--source none --prefer-primary-after 1m").unwrap_err();
    assert!(
        matches!(problems.as_slice(), [one] if one.starts_with("prefer_primary_after: there is one broker")),
        "{problems:?}"
    );
    assert!(resolve("--source none --broker a,b").unwrap().prefer_primary_after.is_none());
    for (given, good) in [("3s", true), ("1h", true), ("2999ms", false), ("61m", false)] {
        assert_eq!(resolve(&format!("--source none --failover-after {given}")).is_ok(), good, "{given}");
    }
}

#[test]
fn half_a_csv_is_refused() {
    let problems = |line: &str| resolve(line).unwrap_err().join("\n");
    assert!(problems("").contains("--source"));
    assert!(problems("--source csv").contains("--file"));
    assert!(problems("--source csv --file x --value-columns a").contains("--time-column"));
    assert!(problems("--source csv --file x --kind power").contains("--time-column"));
    assert!(problems("--source csv --file x --time-column t --kind k").contains("value_columns"));
    assert!(problems("--source csv --file x --time-column t --kind k --value-columns A").contains("COLUMN=FIELD"));
    assert!(problems("--source csv --file x --pace 0").contains("max"));
    assert!(problems("--source csv --file x --pace max --times played").contains("pace"));
}

#[test]
fn flags_go_before_the_file_and_unknown_keys_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(
        &path,
        "source = 'csv'\nfile = 'a.csv'\npace = 60\nname = 'house-1'\nbrokers = ['x:1']\ncommit_every = '1s'\n",
    )
    .unwrap();
    let flags = format!("--config {} --name house-2", path.display());
    let config = resolve(&flags).unwrap();
    assert_eq!((config.id.agent.as_str(), config.brokers[0].port), ("house-2", 1));
    assert_eq!(config.commit_every, Duration::from_secs(1));
    let SourceConfig::Csv(csv) = config.source else { panic!("no csv") };
    assert_eq!(csv.pace, Pace::Times(60.0));

    std::fs::write(&path, "sorce = 'csv'\npace = 'fast'\ncommit_every = 50\n").unwrap();
    let problems = resolve(&flags).unwrap_err();
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn printed_settings_read_back_as_the_same() {
    let lines = [
        "--source csv --file x.csv --pace 60 --from-start",
        "--source households --file a.csv b.csv --households 9 --from 2019-12-24T01:00:00+01:00 --pace 60",
        "--source garage --garages 3 --capacity 40",
        "--source simulate --rate 0.5 --sensors 3 --queue-max-age 12h",
        "--source none --broker a,b --failover-after 30s --prefer-primary-after 1h",
        "--source none --default-limit 100 --local-broker sign --on-limit true --http 127.0.0.1:0",
    ];
    for line in lines {
        let given = args(line).settings;
        // What is a comment is a default: without its sign it says the same.
        let text: Vec<String> =
            print(&given).lines().take_while(|line| *line != "#[[sources]]").map(uncommented).collect();
        let text = text.join("\n");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, &text).unwrap();
        let again = AgentArgs { config: Some(path), ..AgentArgs::default() };
        assert_eq!(format!("{:?}", again.resolve().unwrap()), format!("{:?}", resolve(line).unwrap()), "{text}");
    }
}

#[test]
fn the_queue_of_an_agent_is_found_by_its_name() {
    let files = QueueFiles { name: Some("lane-1".to_owned()), ..QueueFiles::default() };
    assert_eq!(files.resolve().unwrap(), PathBuf::from("fogline-data/lane-1"));
}

#[test]
fn credentials_arrive_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2\n").unwrap();
    let line = format!("--source none --name lane-7 --broker mqtts://localhost --password-file {}", path.display());
    // A machine without roots of its own needs a CA file for mqtts.
    let line = if resolve(&line).is_ok() { line } else { line.replace("mqtts://", "") };
    let config = resolve(&line).unwrap();
    assert_eq!(config.security.user.as_deref(), Some("lane-7"));
    assert_eq!(config.security.password.as_ref().unwrap().expose(), "hunter2");
    let shown = format!("{config:?}") + &print(&args(&line).settings);
    assert!(shown.contains("lane-7") && !shown.contains("hunter2"), "{shown}");
    assert_eq!(resolve(&(line + " --user other")).unwrap().security.user.as_deref(), Some("other"));
}

#[test]
fn every_file_of_the_security_settings_is_checked() {
    let problems = resolve(
        "--source none --broker mqtts://localhost --broker-ca /no/ca --broker-cert /no/cert --broker-key /no/key \
         --password-file /no/password",
    )
    .unwrap_err();
    for (key, path) in [
        ("broker_ca", "/no/ca"),
        ("broker_cert", "/no/cert"),
        ("broker_key", "/no/key"),
        ("password_file", "/no/password"),
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(&format!("{key}: {path}"))), "{key}: {problems:#?}");
    }
    assert!(Cli::try_parse_from(["agent", "--password", "x"]).is_err(), "everybody on the machine would see it");
}

#[test]
fn the_limit_and_who_is_told_of_it() {
    let config = resolve("--source none --region a7 --name lane-1").unwrap();
    assert_eq!((config.default_limit_kmh, config.limit_sinks.sign), (130.0, None));
    let line = "--source none --region a7 --name lane-1 --default-limit 100 --local-broker sign --on-limit true";
    let config = resolve(line).unwrap();
    let sign = config.limit_sinks.sign.unwrap();
    assert_eq!((sign.broker.to_string().as_str(), sign.topic.as_str()), ("sign:1883", "fogline/a7/lane-1/limit"));
    assert_eq!((config.default_limit_kmh, config.limit_sinks.command.as_deref()), (100.0, Some("true")));
    let other = resolve(&format!("{line} --limit-topic car/{{agent}}")).unwrap();
    assert_eq!(other.limit_sinks.sign.unwrap().topic, "car/lane-1");

    let problems = resolve("--source none --default-limit 0 --local-broker x:y --limit-topic a/# --http 0.0.0.0:80");
    let problems = problems.unwrap_err();
    for key in ["default_limit", "local_broker", "limit_topic", "http"] {
        assert!(problems.iter().any(|problem| problem.starts_with(&format!("{key}:"))), "{key}: {problems:#?}");
    }
    assert_eq!(problems.len(), 4, "{problems:#?}");
    for bad in ["--default-limit 400.5", "--default-limit NaN", "--limit-topic a", "--http-tokens t"] {
        assert_eq!(resolve(&format!("--source none {bad}")).unwrap_err().len(), 1, "{bad}");
    }
}

#[test]
fn households_and_garages_and_their_defaults() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["b.csv", "a.csv", "notes.txt"] {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    let line =
        format!("--source households --dir {} --file x.csv y.csv --pace max --times recorded", folder.path().display());
    let SourceConfig::Households(houses) = resolve(&line).unwrap().source else { panic!("no households") };
    let files: Vec<_> = houses.files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(
        (files, houses.households, houses.sensor.as_str()),
        (vec!["x.csv", "y.csv", "a.csv", "b.csv"], 4, "house")
    );
    assert_eq!((houses.pace, houses.times, houses.from, houses.raw), (Pace::Max, Times::Original, None, false));
    let line =
        "--source households --households 50 --from 2019-12-24T01:00:00+01:00 --to 2019-12-25T00:00:00Z --pace 60";
    let SourceConfig::Households(houses) = resolve(line).unwrap().source else { panic!("no households") };
    assert_eq!((houses.from.unwrap().us(), houses.households), (1_577_145_600_000_000, 50));

    let SourceConfig::Garage(garage) = resolve("--source garage").unwrap().source else { panic!("no garage") };
    assert_eq!((garage.garages, garage.capacity, garage.tariff_cents), (1, 100, 200));
    assert_eq!((garage.sensor.as_str(), garage.pace, garage.from), ("garage", 1.0, None));
    let line = "--source garage --garages 3 --capacity 40 --tariff-cents 0 --pace 60 --seed 5";
    let SourceConfig::Garage(garage) = resolve(line).unwrap().source else { panic!("no garage") };
    assert_eq!((garage.garages, garage.capacity, garage.tariff_cents, garage.seed), (3, 40, 0, 5));
}

#[test]
fn a_scenario_that_cannot_be_is_refused() {
    for (line, key) in [
        ("--source households --households 0", "households"),
        ("--source households --households 1001", "households"),
        ("--source households --dir /no/such/folder", "dir"),
        ("--source households --from yesterday", "from"),
        ("--source households --from 2020-01-01T00:00:00Z --to 2020-01-01T00:00:00Z", "to"),
        ("--source households --pace 60", "from"),
        ("--source households --from 2020-01-01T00:00:00Z --pace max", "to"),
        ("--source households --garages 3", "garages"),
        ("--source households --kind power", "kind"),
        ("--source garage --pace max", "pace"),
        ("--source garage --pace 0", "pace"),
        ("--source garage --capacity 0", "capacity"),
        ("--source garage --garages 101", "garages"),
        ("--source garage --tariff-cents 10001", "tariff_cents"),
        ("--source garage --households 3", "households"),
        ("--source garage --sensor UP", "sensor"),
        ("--source csv --file a b", "file"),
        ("--source csv --file a --to 2020-01-01T00:00:00Z", "to"),
    ] {
        let problems = resolve(line).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(&format!("{key}:")), "{line}: {problems:?}");
    }
    assert!(resolve("--source households --pace 60 --times played").is_ok());
}

#[test]
fn a_file_of_settings_may_name_one_recording_or_several() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    let flags = format!("--config {}", path.display());
    for (text, count) in [("'a.csv'", 1), ("['a.csv', 'b.csv']", 2)] {
        std::fs::write(&path, format!("source = 'households'\nfile = {text}\nhouseholds = 7\n")).unwrap();
        let SourceConfig::Households(houses) = resolve(&flags).unwrap().source else { panic!("no households") };
        assert_eq!((houses.files.len(), houses.households), (count, 7));
    }
    std::fs::write(&path, "source = 'households'\nfile = 7\n").unwrap();
    assert!(resolve(&flags).unwrap_err()[0].contains("a path, or a list of paths"));
}
