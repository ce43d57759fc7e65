//! The program: readiness, signals, exit statuses, settings, logs.

use std::{fs, net::TcpListener, time::Duration};

use rustix::process::Signal;

use crate::support::{BrokerProcess, output, program, publish, subscriber};

/// What is promised for an orderly stop.
const STOP: Duration = Duration::from_secs(2);

#[tokio::test]
async fn sigterm_stops_it_with_status_0() {
    let broker = BrokerProcess::start(&[]).await;
    broker.signal(Signal::TERM);
    let (status, log) = broker.ended(STOP).await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn sigint_stops_it_with_status_0() {
    let broker = BrokerProcess::start(&[]).await;
    broker.signal(Signal::INT);
    let (status, log) = broker.ended(STOP).await;
    assert_eq!(status.code(), Some(0), "{log}");
}

#[tokio::test]
async fn it_logs_json_lines_and_no_errors_when_nothing_is_wrong() {
    let broker = BrokerProcess::start(&["--watchdog-interval-ms", "50"]).await;
    let (client, mut events) = subscriber("onlooker", broker.address, &["fogline/#".to_owned()]).await;
    for _ in 0..3 {
        publish(&client, &mut events, "fogline/v1/north/car-1/up/hello", b"{}").await;
    }
    broker.signal(Signal::TERM);
    let (_, log) = broker.ended(STOP).await;
    assert!(log.lines().count() > 0);
    for line in log.lines() {
        assert!(line.starts_with('{') && !line.contains("ERROR") && !line.contains("WARN"), "{line}");
    }
}

#[tokio::test]
async fn a_port_in_use_ends_it_with_status_1_and_the_reason() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = output(program().args(["--listen", &address])).await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains(&format!("cannot listen on {address}")) && stderr.contains("in use"), "{stderr}");
    assert!(output.stdout.is_empty(), "it never said that it was ready");
}

#[tokio::test]
async fn every_bad_setting_is_reported_with_status_2() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broker.toml");
    fs::write(&file, "bogus = 1\nsegment_count = 1\n").unwrap();
    let output = output(program().arg("--config").arg(&file).args(["--listen", "0.0.0.0:1883"])).await;
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    for problem in [":1: bogus: there is no such key", "segment_count: 1", "use 127.0.0.1:1883"] {
        assert!(stderr.contains(problem), "{problem} is not in: {stderr}");
    }
}

#[tokio::test]
async fn an_unknown_flag_is_a_usage_error() {
    assert_eq!(output(program().arg("--bogus")).await.status.code(), Some(2));
}

#[tokio::test]
async fn flags_go_before_the_environment_and_that_before_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("broker.toml");
    fs::write(&file, "segment_count = 3\nsegment_bytes = 3000\nmax_connections = 33\n").unwrap();
    let output = output(
        program()
            .env("FOGLINE_BROKER_CONFIG", &file)
            .env("FOGLINE_BROKER_SEGMENT_COUNT", "4")
            .env("FOGLINE_BROKER_SEGMENT_BYTES", "4000")
            .args(["--segment-count", "5", "--print-config"]),
    )
    .await;
    let printed = String::from_utf8(output.stdout).unwrap();
    for line in ["segment_count = 5", "segment_bytes = 4000", "max_connections = 33", "#ingest_segment_count = 4"] {
        assert!(printed.lines().any(|printed| printed == line), "{line} is not in: {printed}");
    }
}

#[tokio::test]
async fn variables_that_kubernetes_sets_for_a_service_of_this_name_do_no_harm() {
    let mut command = program();
    command.env("FOGLINE_BROKER_PORT", "tcp://10.0.0.1:1883").env("FOGLINE_BROKER_SERVICE_HOST", "10.0.0.1");
    assert_eq!(output(command.arg("--print-config")).await.status.code(), Some(0));
}

#[tokio::test]
async fn help_shows_examples() {
    let output = output(program().arg("--help")).await;
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Examples:") && help.contains("FOGLINE_BROKER_LISTEN"), "{help}");
}
