//! Settings from flags, environment and file, and what is wrong with them.

use super::*;
use fogline_door::http::HttpConfig;

fn resolve(settings: Settings) -> Result<IngestConfig, Vec<String>> {
    let args = IngestArgs { settings, ..IngestArgs::default() };
    args.resolve().map_err(|error| error.problems().to_vec())
}

#[test]
fn the_defaults_are_complete() {
    let config = resolve(Settings::default()).unwrap();
    assert_eq!(config.name.as_str(), "ingest-1");
    assert_eq!(config.http, HttpConfig::new("127.0.0.1:8080".parse().unwrap()));
    assert_eq!((config.memory_bytes, config.credit_bytes), (32 << 20, 6 << 20));
}

#[test]
fn all_problems_are_reported_together() {
    let problems = resolve(Settings {
        name: Some("A/b".into()),
        store: Some(StoreKind::Influxdb),
        http: HttpSettings { http: Some("0.0.0.0:80".parse().unwrap()), ..HttpSettings::default() },
        memory_mib: Some(0),
        limit_min_kmh: Some(65.0),
        synchronous: Some("off".into()),
        brokers: vec!["https://x:1".into()],
        ..Settings::default()
    })
    .unwrap_err();
    for key in ["name", "influxdb_url", "http", "memory_mib", "limit_min_kmh", "synchronous", "broker"] {
        assert!(problems.iter().any(|problem| problem.starts_with(key)), "{key}: {problems:?}");
    }
    assert_eq!(problems.len(), 7);
}

#[test]
fn a_file_has_the_keys_of_http_and_no_unknown_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ingest.toml");
    let resolve = |text: &str| {
        std::fs::write(&path, text).unwrap();
        IngestArgs { config: Some(path.clone()), ..IngestArgs::default() }.resolve()
    };
    let config = resolve("name = \"a\"\nhttp = \"0.0.0.0:80\"\nhttp_tokens = \"tokens\"\n").unwrap();
    assert_eq!((config.http.address.port(), config.http.tokens), (80, Some("tokens".into())));
    assert!(resolve("http_token = \"tokens\"\n").unwrap_err().problems()[0].contains("http_token"));
    assert!(resolve("http = 80\n").unwrap_err().problems()[0].contains("http"));
}

#[test]
fn a_token_is_never_shown() {
    let shown = InfluxSettings { url: "u".into(), org: "o".into(), bucket: "b".into(), token: "secret".into() };
    assert!(!format!("{shown:?}").contains("secret"));
}

#[test]
fn credentials_arrive_and_are_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2\n").unwrap();
    let config = resolve(Settings { password_file: Some(path), ..Settings::default() }).unwrap();
    assert_eq!(config.security.user.as_deref(), Some(DEFAULT_NAME));
    assert_eq!(config.security.password.as_ref().unwrap().expose(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn the_files_of_the_security_settings_are_checked() {
    let problems = resolve(Settings {
        brokers: vec!["mqtts://localhost".into()],
        broker_ca: Some("/no/ca".into()),
        broker_cert: Some("/no/cert".into()),
        broker_key: Some("/no/key".into()),
        password_file: Some("/no/password".into()),
        ..Settings::default()
    })
    .unwrap_err();
    for (key, path) in [
        ("broker_ca", "/no/ca"),
        ("broker_cert", "/no/cert"),
        ("broker_key", "/no/key"),
        ("password_file", "/no/password"),
    ] {
        assert!(problems.iter().any(|problem| problem.starts_with(&format!("{key}: {path}"))), "{key}: {problems:?}");
    }
}
