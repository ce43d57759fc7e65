//! Settings from flags, environment and file, and what is wrong with them.

use super::*;
use std::fs;

fn parsed(text: &str) -> (Settings, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broker.toml");
    fs::write(&path, text).unwrap();
    let mut file = SettingsFile::read(Some(&path));
    let settings = std::mem::take(&mut file.settings);
    let checked = file.check(&Settings::default(), Vec::new());
    (settings, checked.err().map_or_else(Vec::new, |error| error.problems().to_vec()))
}

#[test]
fn a_file_gives_settings() {
    let (settings, problems) = parsed("listen = \"127.0.0.1:1884\"\nsegment_count = 3\n");
    assert_eq!(problems, Vec::<String>::new());
    let expected =
        Settings { listen: Some("127.0.0.1:1884".parse().unwrap()), segment_count: Some(3), ..Settings::default() };
    assert_eq!(settings, expected);
}

#[test]
fn every_bad_key_is_reported() {
    let (settings, problems) =
        parsed("listn = \"x\"\nmax_connections = -1\nsegment_bytes = \"16k\"\nsegment_count = 4\nlisten = \"here\"\n");
    assert_eq!(settings, Settings { segment_count: Some(4), ..Settings::default() });
    for (problem, key) in
        problems.iter().zip([":1: listn: ", ":2: max_connections: ", ":3: segment_bytes: ", ":5: listen: "])
    {
        assert!(problem.contains(key), "{key}: {problems:#?}");
    }
    assert!(problems.len() == 4 && problems[0].ends_with("did you mean listen?"), "{problems:#?}");
}

#[test]
fn flags_go_before_the_file_and_the_file_before_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broker.toml");
    fs::write(&path, "segment_count = 3\nmax_connections = 50\n").unwrap();
    let args = BrokerArgs {
        settings: Settings { segment_count: Some(5), ..Settings::default() },
        config: Some(path),
        ..BrokerArgs::default()
    };
    let expected = BrokerConfig { segment_count: 5, max_connections: 50, ..BrokerConfig::default() };
    assert_eq!(args.resolve().unwrap(), expected);
}

#[test]
fn problems_of_file_and_values_come_together() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("broker.toml");
    fs::write(&path, "bogus = 1\nsegment_count = 0\n").unwrap();
    let errors = BrokerArgs { config: Some(path), ..BrokerArgs::default() }.resolve().unwrap_err();
    assert_eq!(errors.problems().len(), 2, "{errors}");
}

#[test]
fn http_is_served_where_it_is_asked_for() {
    let resolve = |settings| BrokerArgs { settings, ..BrokerArgs::default() }.resolve();
    assert_eq!(resolve(Settings::default()).unwrap().http, None);
    let address = "127.0.0.1:8083".parse().unwrap();
    let asked = Settings { http: Some(address), ..Settings::default() };
    assert_eq!(resolve(asked).unwrap().http, Some(HttpConfig::new(address)));
    let open = Settings { http: Some("0.0.0.0:8083".parse().unwrap()), ..Settings::default() };
    assert!(resolve(open).unwrap_err().to_string().contains("--http-tokens"));
    let alone = Settings { http_tokens: Some("tokens".into()), ..Settings::default() };
    assert!(resolve(alone).unwrap_err().to_string().contains("--http ADDRESS:PORT"));
}

#[test]
fn a_missing_file_is_reported() {
    let args = BrokerArgs { config: Some("/nonexistent/broker.toml".into()), ..BrokerArgs::default() };
    assert!(args.resolve().unwrap_err().to_string().contains("--config"));
}

#[test]
fn printed_settings_read_back_as_the_same() {
    let tls = TlsConfig {
        client_ca: Some("ca.pem".into()),
        crl: Some("crl.pem".into()),
        client_certificates: ClientCertificates::Required,
        ..TlsConfig::new("server.pem", "server.key")
    };
    let secure = BrokerConfig {
        listen: None,
        tls_listen: Some("0.0.0.0:8883".parse().unwrap()),
        ws_listen: Some("127.0.0.1:9001".parse().unwrap()),
        wss_listen: Some("0.0.0.0:9443".parse().unwrap()),
        ws_origins: vec!["https://fogline.example".to_owned()],
        tls: Some(tls),
        ..BrokerConfig::default()
    };
    for config in [BrokerConfig { segment_count: 9, ..BrokerConfig::default() }, secure] {
        let text = fogline_service::settings::print(&Settings::from(&config));
        let (settings, problems) = parsed(&text);
        assert_eq!((settings.over(BrokerConfig::default()), problems), (config, Vec::new()));
    }
}

#[test]
fn what_tls_needs_is_asked_for() {
    let path = || Some(PathBuf::from("file.pem"));
    for (settings, name, remedy) in [
        (Settings { tls_cert: path(), ..Settings::default() }, "tls_cert:", "--tls-key"),
        (Settings { tls_key: path(), ..Settings::default() }, "tls_key:", "--tls-cert"),
        (Settings { tls_client_ca: path(), ..Settings::default() }, "tls_client_ca:", "--tls-cert and --tls-key"),
        (Settings { tls_crl: path(), ..Settings::default() }, "tls_crl:", "--tls-cert and --tls-key"),
    ] {
        let errors = BrokerArgs { settings, ..BrokerArgs::default() }.resolve().unwrap_err();
        assert!(errors.problems()[0].starts_with(name) && errors.problems()[0].contains(remedy), "{errors}");
    }
}
