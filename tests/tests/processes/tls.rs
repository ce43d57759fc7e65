//! Agents and an ingester through Mosquitto with TLS, certificates on both sides, and rules that go by them.

use fogline_tests::real::{AgentRecipe, Audit, Broker, Certificates, Ingester, until};
use tempfile::TempDir;

struct SecureSite {
    ingester: Ingester,
    broker: Broker,
    certificates: Certificates,
    folder: TempDir,
}

impl SecureSite {
    /// None where Mosquitto is not installed and need not be. `prepare` is done to the certificates before.
    fn start(prepare: impl FnOnce(&Certificates, &TempDir)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(&folder.path().join("tls"));
        prepare(&certificates, &folder);
        let broker = Broker::start_secure(&certificates, folder.path())?;
        let (trust, shown) = (certificates.trust(), certificates.flags("ingesters", "ingest-1"));
        let flags: Vec<&str> = trust.iter().chain(&shown).map(String::as_str).collect();
        let ingester = Ingester::start_with(&broker, &folder.path().join("ingest"), &flags);
        Some(Self { ingester, broker, certificates, folder })
    }

    fn agent(&self, name: &str) -> AgentRecipe {
        let recipe = AgentRecipe::new(&self.broker, name, &self.folder.path().join(name));
        recipe.watches_a_road("20").args(self.certificates.trust())
    }
}

#[test]
fn readings_go_up_and_limits_come_down_over_tls() {
    let Some(mut site) = SecureSite::start(|_, _| ()) else { return };
    let flags = site.certificates.flags("agents", "lane-1");
    let agent = site.agent("lane-1").args(flags).start();
    let limit = agent.until_limited();
    assert!((60.0..=130.0).contains(&limit), "{limit} km/h");

    let database = site.ingester.database();
    let before = database.stored("lane-1");
    site.broker.bounce();
    until("readings are stored again", || Some(database.stored("lane-1")).filter(|stored| *stored > before));
    let audited = Audit::of(&site.ingester).and(&agent).passes();
    assert!(audited.total.stored > 0, "{audited}");
}

#[test]
fn who_shows_no_certificate_or_a_revoked_one_is_told_so() {
    let mut revoked = None;
    let site = SecureSite::start(|certificates, folder| {
        revoked = Some(certificates.revoke_agent("lane-2", &folder.path().join("copies")));
    });
    let Some(site) = site else { return };
    for (name, flags, reason) in [
        ("lane-2", revoked.unwrap().to_vec(), "our certificate is revoked"),
        ("lane-3", Vec::new(), "the broker wants a client certificate"),
    ] {
        let agent = site.agent(name).args(flags).start();
        let line = agent.program.output().line_where(reason, |line| line.contains(reason));
        assert!(line.is_some(), "{name} ended");
        assert_eq!(site.ingester.database().stored(name), 0);
    }
}
