//! The settings as flags, environment and file.

use clap::{CommandFactory, Parser};
use serde::Deserialize;

fogline_door::http_settings!(
    /// Where the test serves HTTP.
    pub(crate) struct Http, prefix = "FOGLINE_TEST", what = "health and metrics", default = "127.0.0.1:8080"
);

/// As the programs have it: other settings beside, and unknown keys refused.
#[derive(Debug, Default, Parser, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    #[arg(long)]
    other: Option<u16>,
    #[command(flatten)]
    #[serde(flatten)]
    http: Http,
}

#[test]
fn flags_and_variables_have_the_names_of_their_program() {
    let command = Settings::command();
    let names = |id: &str| {
        let arg = command.get_arguments().find(|arg| arg.get_id() == id).unwrap();
        (arg.get_long().unwrap().to_owned(), arg.get_env().unwrap().to_str().unwrap().to_owned())
    };
    for (id, flag, variable) in [
        ("http", "http", "FOGLINE_TEST_HTTP"),
        ("http_tokens", "http-tokens", "FOGLINE_TEST_HTTP_TOKENS"),
        ("http_cert", "http-cert", "FOGLINE_TEST_HTTP_CERT"),
        ("http_key", "http-key", "FOGLINE_TEST_HTTP_KEY"),
    ] {
        assert_eq!(names(id), (flag.to_owned(), variable.to_owned()));
    }
    let help = Settings::command().render_help().to_string();
    assert!(help.contains("health and metrics") && help.contains("127.0.0.1:8080"), "{help}");
}

#[test]
fn a_file_has_the_same_keys_and_no_others() {
    let text = "other = 1\nhttp = \"127.0.0.1:1\"\nhttp_tokens = \"tokens\"\n";
    let settings: Settings = toml::from_str(text).unwrap();
    assert_eq!(settings.other, Some(1));
    assert_eq!(settings.http.http, Some("127.0.0.1:1".parse().unwrap()));
    for wrong in ["http_token = \"x\"", "http = 80", "http = \"localhost\""] {
        toml::from_str::<Settings>(wrong).unwrap_err();
    }
}

#[test]
fn what_is_given_first_counts() {
    let flags = Settings::parse_from(["test", "--http", "127.0.0.1:1", "--http-tokens", "mine"]);
    let file = Http { http_tokens: Some("theirs".into()), http_cert: Some("c".into()), ..Http::default() };
    let mut problems = Vec::new();
    let config = flags.http.or(file).checked("127.0.0.1:9".parse().unwrap(), &mut problems);
    assert_eq!((config.address.port(), config.tokens), (1, Some("mine".into())));
    assert_eq!(problems.len(), 1, "the certificate has no key: {problems:?}");
    let config = Http::default().checked("127.0.0.1:9".parse().unwrap(), &mut problems);
    assert_eq!((config.address.port(), config.tokens, config.tls), (9, None, None));
}
