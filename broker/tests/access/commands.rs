//! `fogline-broker user`.

use std::{
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

use fogline_broker::access::{Access, AccessConfig, Anonymous, Role};

use crate::site::{Site, request};

const PASSWORD: &str = "a password of hers";

fn run(site: &Site, args: &[&str], stdin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogline-broker"));
    command.arg("user").args(args).env("FOGLINE_BROKER_USERS", site.path("users")).env_remove("RUST_LOG");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that reads nothing may be gone before.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

fn done(output: &Output) -> &str {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn empty_site() -> Site {
    let site = Site::new("", "");
    fs::remove_file(site.path("users")).unwrap();
    site
}

fn open(site: &Site) -> Access {
    Access::open(AccessConfig { users: Some(site.path("users")), rules: None }, Anonymous::Refused).unwrap()
}

#[tokio::test]
async fn who_was_added_can_log_in_until_removed() {
    let site = empty_site();
    let added = run(&site, &["add", "lane-1", "--role", "agent", "--region", "north"], "");
    let token = done(&added).strip_suffix('\n').expect("one line").to_owned();
    assert!(token.len() >= 64 && !token.contains(char::is_whitespace), "the token and nothing else: {token}");
    assert!(!text(&added.stderr).contains(&token));
    let stored = fs::read_to_string(site.path("users")).unwrap();
    assert!(!stored.contains(&token), "only its hash is kept");
    let access = open(&site);
    let identity = access.login(&request("lane-1", &token, "lane-1")).await.unwrap();
    assert!(identity.may_publish("fogline/v1/north/lane-1/up/hello"));
    assert_eq!(done(&run(&site, &["remove", "lane-1"], "")), "");
    access.reload().unwrap();
    assert!(access.refresh(&identity).is_none());
}

#[tokio::test]
async fn a_password_comes_from_standard_input() {
    let site = empty_site();
    let args = ["add", "Anna@example.org", "--role", "operator", "--password-stdin"];
    assert_eq!(done(&run(&site, &args, &format!("{PASSWORD}\n"))), "");
    let identity = open(&site).login(&request("Anna@example.org", PASSWORD, "x")).await.unwrap();
    assert_eq!(identity.role(), Role::Operator);
    let stored = fs::read_to_string(site.path("users")).unwrap();
    assert!(stored.contains("$argon2id$") && !stored.contains(PASSWORD));
}

#[tokio::test]
async fn a_token_can_go_to_a_file() {
    let site = empty_site();
    let file = site.path("hub.token");
    let args = ["add", "hub", "--role", "ingest", "--region", "*", "--token-file", file.to_str().unwrap()];
    assert_eq!(done(&run(&site, &args, "")), "");
    let token = fs::read_to_string(&file).unwrap();
    open(&site).login(&request("hub", token.trim_end(), "hub")).await.unwrap();
    // Neither the token of somebody else nor the users are touched when it cannot be done.
    let args = ["add", "hub-2", "--role", "ingest", "--region", "*", "--token-file", file.to_str().unwrap()];
    assert_eq!(run(&site, &args, "").status.code(), Some(1));
    let second = site.path("2");
    let args = ["add", "hub", "--role", "ingest", "--region", "*", "--token-file", second.to_str().unwrap()];
    assert_eq!(run(&site, &args, "").status.code(), Some(1));
    assert!(!second.exists(), "no token is left for nobody");
    assert_eq!(fs::read_to_string(&file).unwrap(), token);
    assert_eq!(done(&run(&site, &["list"], "")).lines().count(), 2);
}

#[test]
fn users_are_listed_without_secrets() {
    let site = empty_site();
    done(&run(&site, &["add", "lane-1", "--role", "agent", "--region", "north"], ""));
    done(&run(&site, &["add", "x", "--role", "admin", "--certificate"], ""));
    let table = done(&run(&site, &["list"], "")).to_owned();
    assert_eq!(
        table,
        "NAME    ROLE   REGIONS  LOGIN\nlane-1  agent  north    token\nx       admin  -        certificate\n"
    );
    let listed = run(&site, &["list", "--json"], "");
    let lines: Vec<serde_json::Value> = done(&listed).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["name"], &lines[0]["regions"][0]), (2, &"lane-1".into(), &"north".into()));
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let site = empty_site();
    done(&run(&site, &["add", "lane-1", "--role", "agent", "--region", "north"], ""));
    let before = fs::read_to_string(site.path("users")).unwrap();
    for (args, stdin, status, reason) in [
        (&["add", "lane-1", "--role", "operator"][..], "", 1, "there is a user lane-1 already"),
        (&["add", "Lane", "--role", "agent", "--region", "north"], "", 2, "is no name"),
        (&["add", "peers", "--role", "agent", "--region", "north"], "", 2, "reserved"),
        (&["add", "a", "--role", "boss"], "", 2, "agent, ingest, operator or admin"),
        (&["add", "a", "--role", "agent"], "", 2, "--region"),
        (&["add", "a", "--role", "agent", "--region", "*"], "", 2, "every region"),
        (&["add", "a", "--role", "agent", "--region", "north", "--password-stdin"], "long enough", 2, "have tokens"),
        (&["add", "a", "--role", "admin", "--password-stdin"], "short\n", 2, "8 to 1024"),
        (&["add", "a", "--role", "admin", "--password", "x"], "", 2, "--password"),
        (&["remove", "a"], "", 1, "no user a"),
        (&["list", "--users", "/nonexistent/users"], "", 1, "there is no file /nonexistent/users"),
        (&["add", "a", "--role", "admin", "--users", "/nonexistent/users"], "", 1, "/nonexistent/users.lock"),
    ] {
        let output = run(&site, args, stdin);
        let stderr = text(&output.stderr);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(status), ""), "{args:?} {stderr}");
        assert!(stderr.contains(reason), "{args:?}: {stderr}");
        assert!(!stderr.contains("sha256"), "{stderr}");
    }
    assert_eq!(fs::read_to_string(site.path("users")).unwrap(), before);
}

#[test]
fn settings_in_the_environment_do_not_get_in_the_way() {
    let site = Site::new("", "");
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogline-broker"));
    command.env("FOGLINE_BROKER_LISTEN", "127.0.0.1:1").env("FOGLINE_BROKER_SEGMENT_COUNT", "3");
    let output = command.args(["user", "list", "-v", "--users"]).arg(site.path("users")).output().unwrap();
    assert_eq!(done(&output).lines().count(), 1);
}

#[test]
fn users_are_exported_with_their_tokens_and_who_has_none_is_named() {
    let site = empty_site();
    let folder = site.path("").display().to_string();
    let token_file = site.path("lane-1.token").display().to_string();
    done(&run(&site, &["add", "lane-1", "--role", "agent", "--region", "north", "--token-file", &token_file], ""));
    done(&run(&site, &["add", "anna", "--role", "operator", "--password-stdin"], &format!("{PASSWORD}\n")));
    let token = fs::read_to_string(&token_file).unwrap();
    for (broker, file) in [("mosquitto", "passwords"), ("nats", "users.conf")] {
        let exported = run(&site, &["export", broker, "--tokens", &folder, "--to", &folder], "");
        assert_eq!(done(&exported), "");
        let said = text(&exported.stderr);
        assert!(said.contains("anna cannot log in there") && !said.contains(token.trim()), "{said}");
        let written = fs::read_to_string(site.path(file)).unwrap();
        assert!(written.contains(token.trim()) && !written.contains("anna"), "{written}");
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(site.path(file)).unwrap().permissions()) & 0o77,
            0
        );
    }
    assert!(fs::read_to_string(site.path("acl")).unwrap().contains("user anna\ntopic read #\n"));
}

#[test]
fn what_cannot_be_exported_leaves_what_was_there() {
    let site = empty_site();
    let folder = site.path("").display().to_string();
    done(&run(&site, &["add", "lane-1", "--role", "agent", "--region", "north"], ""));
    fs::write(site.path("acl"), "old").unwrap();
    let rules = site.path("more-rules").display().to_string();
    fs::write(&rules, "role agent\ndeny read fogline/v1/north/peers/#\n").unwrap();
    let export = ["export", "mosquitto", "--tokens", &folder, "--to", &folder];
    let refused = run(&site, &[&export[..], &["--rules", &rules]].concat(), "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("lane-1: Mosquitto denies reading and writing together"));
    assert_eq!(fs::read_to_string(site.path("acl")).unwrap(), "old");
    fs::write(site.path("lane-1.token"), "two words\n").unwrap();
    let refused = run(&site, &export, "");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("no token") && !text(&refused.stderr).contains("two words"));
}
