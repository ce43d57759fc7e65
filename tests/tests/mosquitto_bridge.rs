//! Mosquitto on the edge, bridged to our broker over TLS with `mosquitto-compat/bridge.conf`: an agent behind it delivers, obeys,
//! and is seen to come and go; whatever of the way is killed, nothing is lost.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use fogline_tests::real::{
    Agent, AgentRecipe, Audit, Broker, Certificates, Ingester, IngesterRecipe, Program, Recipe, Watcher, free_port,
    get, service, until,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Our broker with TLS and users, an ingester at it, and Mosquitto that is bridged to it.
struct Site {
    ingester: Ingester,
    edge: Broker,
    broker: Broker,
    folder: TempDir,
}

fn compat(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../mosquitto-compat").join(file)
}

fn add_user(folder: &Path, name: &str, role: &str, region: &str) -> String {
    let add = Recipe::ours("fogline-broker").args(["user", "add", name, "--role", role, "--region", region, "--users"]);
    let token = folder.join(format!("{name}.token"));
    let (status, output) = add.arg(folder.join("users")).arg("--token-file").arg(&token).run();
    assert!(status.success(), "{output}");
    token.display().to_string()
}

/// Ours on two ports: plain for the ingester, TLS for the bridge.
fn broker(folder: &Path, certificates: &Certificates, plain: u16, tls: u16) -> Broker {
    let recipe = Recipe::ours("fogline-broker")
        .args(["--listen", &format!("127.0.0.1:{plain}"), "--tls-listen", &format!("127.0.0.1:{tls}")])
        .arg("--tls-cert")
        .arg(certificates.path("server.pem"))
        .arg("--tls-key")
        .arg(certificates.path("server-key.pem"))
        .arg("--users")
        .arg(folder.join("users"))
        .arg("--rules")
        .arg(compat("bridge.rules"))
        .ready_when("fogline-broker ready on");
    Broker::of(Program::start(recipe), plain)
}

/// The shipped file with the addresses and secrets of this test.
fn bridge(program: &Path, folder: &Path, certificates: &Certificates, token: &str, listen: u16, tls: u16) -> Program {
    let mut text = std::fs::read_to_string(compat("bridge.conf")).unwrap();
    let secret = std::fs::read_to_string(token).unwrap();
    for (old, new) in [
        ("listener 1883 ", format!("listener {listen} ")),
        ("broker.example.org:8883", format!("127.0.0.1:{tls}")),
        ("tls/ca.pem", certificates.path("ca.pem").display().to_string()),
        ("remote_password TOKEN", format!("remote_password {}", secret.trim())),
    ] {
        assert!(text.contains(old), "bridge.conf has no {old}");
        text = text.replace(old, &new);
    }
    let conf = folder.join("bridge.conf");
    // Started by root it would become a user who may not read the certificates.
    std::fs::write(&conf, text + "user root\n").unwrap();
    Program::start(Recipe::new(program).arg("-c").arg(conf).folder(folder).ready_when(" running"))
}

impl Site {
    fn start() -> Option<Self> {
        let program = service("mosquitto")?;
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(&folder.path().join("tls"));
        let token = add_user(folder.path(), "bridge-north", "agent", "north");
        let hub = add_user(folder.path(), "ingest-1", "ingest", "*");
        let (plain, tls, listen) = (free_port(), free_port(), free_port());
        let broker = broker(folder.path(), &certificates, plain, tls);
        let recipe = IngesterRecipe::new("ingest-1", &[&broker], &folder.path().join("ingest"));
        let ingester = recipe.args(["--password-file", &hub]).start();
        let edge = Broker::of(bridge(&program, folder.path(), &certificates, &token, listen, tls), listen);
        Some(Self { ingester, edge, broker, folder })
    }

    fn agent(&self) -> Agent {
        AgentRecipe::new(&self.edge, "lane-1", &self.folder.path().join("lane-1")).watches_a_road("20").start()
    }

    fn until_stored(&self) {
        let database = self.ingester.database();
        let before = database.stored("lane-1");
        until("readings are stored", || (database.stored("lane-1") > before).then_some(()));
    }

    /// Waits until the ingester says of the agent that it is there, or is not.
    fn until_online(&self, online: bool) {
        until(&format!("the agent is seen online: {online}"), || {
            let (_, page) = get(self.ingester.http(), "/api/v1/agents")?;
            page.replace(' ', "").contains(&format!("\"online\":{online}")).then_some(())
        });
    }
}

#[test]
fn what_is_behind_a_bridge_is_as_if_it_were_at_the_broker() {
    let Some(mut site) = Site::start() else { return };
    let mut agent = site.agent();
    let limit = agent.until_limited();
    assert!((60.0..=130.0).contains(&limit), "{limit} km/h");
    site.until_online(true);

    // Its last will passes the bridge.
    agent.program.kill();
    site.until_online(false);
    agent.program.restart();
    site.until_online(true);

    site.broker.bounce();
    site.until_stored();
    site.edge.bounce();
    site.until_stored();

    assert!(agent.program.terminate().success());
    let account = Audit::of(&site.ingester).and(&agent).passes();
    assert!(account.total.stored > 0 && account.total.dropped == 0, "{account}");
}

/// What others say at the edge stays there: it is no business of the bridge.
#[test]
fn only_its_region_is_bridged() {
    let Some(site) = Site::start() else { return };
    let Some(watcher) = Watcher::start(&site.edge, "fogline/v1/#") else { return };
    let _agent = site.agent();
    site.until_stored();
    let elsewhere = Recipe::ours("fogline-agent")
        .args(["run", "--region", "south", "--name", "lane-2", "--broker", &site.edge.address()])
        .args(["--source", "simulate", "--kind", "road", "--data-dir"])
        .arg(site.folder.path().join("lane-2"));
    let _other = Program::start(elsewhere);
    // Nobody answers it.
    drop(watcher.message("fogline/v1/south/lane-2/up/hello", "\"streams\""));
    site.until_stored();
    let (_, page) = get(site.ingester.http(), "/api/v1/agents").unwrap();
    assert!(page.contains("lane-1") && !page.contains("lane-2"), "{page}");
}
