//! Who may decide: operators, and their names are kept.

use fogline_tests::real::{Broker, IngesterRecipe, Kind, Recipe, until};
use std::path::Path;

/// A token of this role, in a file.
fn token(folder: &Path, name: &str, role: &str) {
    let tokens = folder.join("tokens");
    let recipe = Recipe::ours("fogline").args(["token", "add", name, "--role", role, "--tokens"]).arg(tokens);
    let (status, text) = recipe.run();
    let token = text.split_whitespace().find(|word| word.starts_with("fogline_")).unwrap_or_else(|| panic!("{text}"));
    assert!(status.success());
    std::fs::write(folder.join(name), token).unwrap();
}

#[test]
fn a_viewer_looks_and_an_operator_decides() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::under_test(), folder.path()) else { return };
    token(folder.path(), "anna", "operator");
    token(folder.path(), "viktor", "viewer");
    let ingester = IngesterRecipe::new("ingest-1", &[&broker], &folder.path().join("ingest"))
        .args(["--http-tokens"])
        .args([folder.path().join("tokens")])
        .start_guarded();
    let types = |who: &str, line: &str| {
        let (status, text) = Recipe::ours("fogline")
            .args(line.split(' '))
            .args(["--api", &format!("http://{}", ingester.http()), "--token-file"])
            .arg(folder.path().join(who))
            .run();
        (status.success(), text)
    };
    until("it leads", || {
        let (set, text) = types("anna", "limit set 80 --region north --for 5m --wait 0s");
        assert!(set || text.contains("no ingester leads yet"), "{text}");
        set.then_some(())
    });
    for line in [
        "limit set 80 --region north --for 5m",
        "limit clear --region north",
        "agent config set --region north sampling=1s",
    ] {
        let (done, text) = types("viktor", line);
        assert!(!done && text.contains("needs the role operator"), "{line}: {text}");
    }
    let (listed, text) = types("viktor", "limit list");
    assert!(listed && text.contains("anna"), "{text}");
}
