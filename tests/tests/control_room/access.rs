//! A control room behind tokens.

use crate::stage::{CONNECTION, Stage};
use fogline_tests::real::{ENTER, Recipe};
use std::path::Path;

/// Makes a token, and gives it.
fn token(file: &Path, name: &str, role: &str) -> String {
    let (status, output) =
        Recipe::ours("fogline").args(["token", "add", name, "--role", role, "--tokens"]).arg(file).run();
    assert!(status.success(), "{output}");
    output.lines().last().unwrap().split_whitespace().last().unwrap().to_owned()
}

#[test]
fn a_token_is_asked_for_and_kept_in_the_tab_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    let viewer = token(&file, "wall", "viewer");
    let Some(stage) = Stage::guarded(&file) else { return };
    let browser = &stage.browser;

    browser.open(&stage.url("fleet"));
    browser.until_text("a token is asked for", CONNECTION, |text| text.contains("A token is needed"));
    assert_eq!(browser.run("return document.activeElement.id"), "token", "one can type it at once");
    stage.keep_picture("token");
    browser.press(&["w", "r", "o", "n", "g", ENTER]);
    browser.until_text("a wrong one is not taken", ".unlock", |text| text.contains("not known"));
    let keys: Vec<String> = viewer.chars().map(String::from).chain([ENTER.to_owned()]).collect();
    browser.press(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    browser.until_text("a right one is", CONNECTION, |text| text == "Live");

    assert_eq!(browser.run("return sessionStorage.length"), 1);
    assert_eq!(browser.run("return localStorage.length + document.cookie.length"), 0);
    assert!(!browser.requests().iter().any(|url| url.contains(&viewer)), "it is in no address");
    let shown = browser.run("return document.documentElement.outerHTML");
    assert!(!shown.as_str().unwrap().contains(&viewer), "nor on the page");
    browser.act("document.getElementById('forget').click()");
    browser.until_text("it is forgotten", CONNECTION, |text| text.contains("A token is needed"));
    assert_eq!(browser.run("return sessionStorage.length"), 0);
    stage.assert_quiet(&["401"]);
}
