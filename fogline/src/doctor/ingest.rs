//! What an ingester needs of its machine, its brokers and its database.

use super::finding::{Findings, Progress};
use super::{broker, certificates, database, disk, limits, served};
use fogline_ingest::settings::IngestConfig;
use fogline_protocol::ids::Name;
use fogline_protocol::realm::Realm;
use fogline_protocol::topic::{peer_filters, up_filters};

/// Open files of an ingester: its store, brokers, and those who look at its pages and events.
const FILES: u64 = 1_024;
/// An agent of this name is nobody's: what is said to it is heard by no one.
const NOBODY: &str = "doctor-asks";

/// Looks at all of it. `may_login` is false where nothing may be said in the ingester's name.
pub(super) fn check(findings: &mut Findings, progress: &Progress, config: &IngestConfig, may_login: bool) {
    progress.say("looking at the disk");
    disk::check(findings, &config.data_dir, None, 0);
    limits::open_files(findings, FILES);
    certificates::of_link(findings, &config.security);
    let running = served::check(findings, &config.http);
    if let Some(influx) = &config.influxdb {
        progress.say("asking the database");
        database::check(findings, influx);
    }
    for at in &config.brokers {
        let stream = broker::reach(findings, progress, at, &config.security);
        let (Some(stream), false, true) = (stream, running, may_login) else { continue };
        let Some(mut mqtt) = broker::login(findings, at, stream, config.name.as_str(), &config.security) else {
            continue;
        };
        let filters: Vec<String> = up_filters(&config.realm).into_iter().chain(peer_filters(&config.realm)).collect();
        if broker::may_read(findings, at, &mut mqtt, &filters) {
            for region in regions(&config.realm) {
                let topic = format!("fogline/v1/{region}/{NOBODY}/down/notice");
                // A broker that refuses ends the connection: nothing is learnt of the others on it.
                if !broker::may_write(findings, at, &mut mqtt, &topic, Vec::new()) {
                    break;
                }
            }
        }
        mqtt.leave();
    }
    if running || !may_login {
        let why = if running { "it runs, and its name is in use" } else { "--no-login" };
        findings.skip("login and rights", format!("not looked at: {why}"));
    }
}

/// The regions that it takes by name, or one that stands for all.
fn regions(realm: &Realm) -> Vec<&str> {
    match realm {
        Realm::Regions(regions) => regions.iter().map(Name::as_str).collect(),
        Realm::Share(_) | Realm::Everywhere => vec!["local"],
    }
}
