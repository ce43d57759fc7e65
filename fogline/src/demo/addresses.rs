//! Where everything is, for a person and for a program.

use super::agents::COUNT;
use std::net::SocketAddr;

/// Where everything is. What there is of each site is in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// As clients are given them.
    pub(crate) brokers: Vec<String>,
    /// The commands that show the messages.
    pub(crate) watches: Vec<String>,
    /// The folder of the certificates, if it is secure.
    pub(crate) certificates: Option<String>,
    /// Of the ingesters.
    pub(crate) http: Vec<SocketAddr>,
    pub(crate) data_dir: String,
    pub(crate) plugs: bool,
}

impl Addresses {
    /// For a person.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.http.iter().map(|http| format!("control    http://{http}/")).collect();
        if let Some(certificates) = &self.certificates {
            lines.push(format!(
                "secure     TLS on {}, certificates on both sides, access rules in force; files in {certificates} until the end",
                self.brokers.join(" and ")
            ));
        }
        lines.extend(self.watches.iter().map(|watch| format!("messages   {watch}")));
        lines.extend(self.http.iter().map(|http| format!("ingester   http://{http}/api/v1/agents, /metrics, /readyz")));
        lines.push(format!("data       {0}, log in {0}/demo.log", self.data_dir));
        if self.plugs {
            lines.push(self.plugs_line());
        }
        lines
    }

    fn plugs_line(&self) -> String {
        let plugs = if self.brokers.len() > 1 {
            "b1, b2 (brokers), i1, i2 (ingesters), s1, s2 (sites)"
        } else {
            "b (broker), i (ingester)"
        };
        format!(
            "plugs      {plugs} or 1 to {COUNT} (agents) and Enter stops it, in capitals kills it, again starts it; Ctrl-C ends"
        )
    }

    /// For a program.
    pub(crate) fn json(&self) -> String {
        let Self { brokers, watches, certificates, http, data_dir, .. } = self;
        let ingesters: Vec<String> = http.iter().map(|http| format!("http://{http}")).collect();
        let control_room = ingesters.first().map(|url| format!("{url}/"));
        serde_json::json!({
            "event": "started", "broker": brokers.first(), "brokers": brokers, "secure": certificates.is_some(),
            "certificates": certificates, "control_room": control_room, "http": ingesters.first(), "ingesters": ingesters, "watch": watches.first(),
            "data_dir": data_dir,
        })
        .to_string()
    }
}
