//! A browser without a window.

use super::ports::free_port;
use super::program::{Program, Recipe};
use super::services::service;
use super::wait::until;
use super::webdriver::command;
use base64::Engine as _;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// Nothing of it is to be seen, to be kept, or to go into a network.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
];

/// Keys that are no characters, as WebDriver has them.
pub const TAB: &str = "\u{E004}";
/// Enter.
pub const ENTER: &str = "\u{E007}";

/// Chromium, driven by its driver. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: SocketAddr,
    session: String,
    // After the session has ended, the driver is killed.
    _program: Program,
}

impl Browser {
    /// Starts one that knows nothing, with its files in `folder`. None where it is not installed and need not be.
    #[must_use]
    pub fn start(folder: &Path) -> Option<Self> {
        let (chromium, driver) = (service("chromium")?, service("chromedriver")?);
        let port = free_port();
        let recipe = Recipe::new(driver).arg(format!("--port={port}")).ready_when("started successfully on port");
        let program = Program::start(recipe);
        let driver = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let profile = format!("--user-data-dir={}", folder.join("browser").display());
        let args: Vec<_> = FLAGS.into_iter().chain([profile.as_str()]).collect();
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"binary": chromium, "args": args},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }}});
        let session = command(driver, "POST", "/session", Some(&wanted)).expect("the browser starts");
        let session = session["sessionId"].as_str().expect("a session has an id").to_owned();
        let browser = Self { driver, session, _program: program };
        browser.open("about:blank");
        // Its own first page is none of ours.
        drop((browser.requests(), browser.console()));
        Some(browser)
    }

    fn say(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        command(self.driver, method, &format!("/session/{}{path}", self.session), body).unwrap()
    }

    /// Goes to an address, and waits until the page is there.
    pub fn open(&self, url: &str) {
        self.say("POST", "/url", Some(&json!({ "url": url })));
    }

    /// Runs a script in the page, and gives what it returns.
    #[must_use]
    pub fn run(&self, script: &str) -> Value {
        self.say("POST", "/execute/sync", Some(&json!({ "script": script, "args": [] })))
    }

    /// Runs a script in the page for what it does.
    pub fn act(&self, script: &str) {
        drop(self.run(script));
    }

    /// The text of the first element that a selector finds and that is shown; none without one.
    #[must_use]
    pub fn text(&self, selector: &str) -> Option<String> {
        let selector = json!(selector);
        let script = format!(
            "const found = [...document.querySelectorAll({selector})].find((one) => one.checkVisibility()); \
             return found ? found.textContent : null"
        );
        self.run(&script).as_str().map(str::to_owned)
    }

    /// Waits until that text is `wanted`, and gives it.
    pub fn until_text(&self, what: &str, selector: &str, wanted: impl Fn(&str) -> bool) -> String {
        until(&format!("{what}, in {selector}"), || self.text(selector).filter(|text| wanted(text)))
    }

    /// Presses keys, one after the other, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let strokes: Vec<_> = keys
            .iter()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": strokes}]});
        self.say("POST", "/actions", Some(&actions));
    }

    /// Says something in Chromium's own protocol.
    fn develop(&self, command: &str, params: &Value) -> Value {
        self.say("POST", "/goog/cdp/execute", Some(&json!({ "cmd": command, "params": params })))
    }

    /// Makes the screen so many pixels large, and the person's wish `light` or `dark`.
    pub fn look(&self, (width, height): (u32, u32), scheme: &str) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.develop("Emulation.setDeviceMetricsOverride", &screen);
        let wish = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.develop("Emulation.setEmulatedMedia", &wish);
    }

    /// Writes a picture of the screen, PNG.
    pub fn picture(&self, file: &Path) {
        let picture = self.say("GET", "/screenshot", None);
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture.as_str().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// What the console has said since it was asked last.
    #[must_use]
    pub fn console(&self) -> Vec<String> {
        let entries = self.log("browser");
        entries.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }

    /// The addresses that were asked for since this was called last.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let entries = self.log("performance");
        let messages =
            entries.iter().map(|entry| -> Value { serde_json::from_str(entry["message"].as_str().unwrap()).unwrap() });
        messages
            .filter(|message| message["message"]["method"] == "Network.requestWillBeSent")
            .map(|message| message["message"]["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        self.say("POST", "/se/log", Some(&json!({ "type": kind }))).as_array().unwrap().clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends Chromium; a driver that is killed would leave it behind.
        command(self.driver, "DELETE", &format!("/session/{}", self.session), None).ok();
    }
}
