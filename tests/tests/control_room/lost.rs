//! A server that goes away, and comes back.

use crate::stage::{CONNECTION, Stage};

#[test]
fn a_lost_server_is_told_of_and_found_again() {
    let Some(mut stage) = Stage::with_a_road() else { return };
    stage.open("fleet");
    let shown = |text: &str| text.contains("lane-1");
    stage.browser.until_text("the agent is listed", "#view-fleet tbody", shown);

    stage.ingester.program.kill();
    let words =
        stage.browser.until_text("the loss is told of", CONNECTION, |text| text.contains("No connection since"));
    assert!(words.contains("trying again") && words.contains("figures are as of then"), "{words}");
    assert_eq!(stage.browser.run("return document.querySelector('#connection').getAttribute('aria-live')"), "polite");
    assert!(stage.browser.text("#view-fleet tbody").is_some_and(|text| shown(&text)), "what was known is still shown");
    stage.keep_picture("lost");
    // Views are looked at without a server, too.
    stage.browser.open(&stage.url("road"));
    stage.browser.until_text("the other view is there", "#view-road h1", |text| text == "Road");

    stage.ingester.restart();
    stage.browser.until_text("the connection is live again", CONNECTION, |text| text == "Live");
    stage.browser.until_text("the limit is shown again", "#view-road .signs", |text| text.contains("lane-1"));
    stage.assert_quiet(&["net::ERR_", "the script for charts did not come"]);
}

#[test]
fn a_server_that_says_nothing_is_lost_too() {
    let Some(stage) = Stage::with_a_road() else { return };
    stage.open("fleet");
    // The connection stays, and nothing comes.
    stage.ingester.program.pause();
    stage.browser.until_text("the loss is told of", CONNECTION, |text| text.contains("No connection since"));
    stage.ingester.program.resume();
    stage.browser.until_text("the connection is live again", CONNECTION, |text| text == "Live");
}
