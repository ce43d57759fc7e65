//! InfluxDB, or what speaks its language: reachable, and what the token may do.

use super::finding::Findings;
use fogline_ingest::settings::InfluxSettings;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Client, RequestBuilder, Url};
use serde_json::Value;
use std::time::Duration;

/// For each answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// So much is shown of an answer.
const SHOWN_MAX_CHARS: usize = 200;
/// An agent may have been away for so long: readings that are older than the bucket keeps are refused.
const RETENTION_MIN_S: u64 = 30 * 86_400;

/// Looks at it. Nothing is written.
pub(super) fn check(findings: &mut Findings, influx: &InfluxSettings) {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match built {
        Ok(runtime) => runtime.block_on(look(findings, influx)),
        Err(error) => findings.fail("database", error.to_string(), "look at the limits of processes and files"),
    }
}

/// Status and text of an answer.
type Answer = Result<(u16, String), reqwest::Error>;

struct Database<'a> {
    client: Client,
    base: Url,
    influx: &'a InfluxSettings,
}

impl Database<'_> {
    fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        self.send(self.client.get(self.url(path, query))).await
    }

    async fn send(&self, request: RequestBuilder) -> Answer {
        let token = HeaderValue::from_str(&format!("Token {}", self.influx.token));
        let request = match token {
            Ok(mut token) if !self.influx.token.is_empty() => {
                token.set_sensitive(true);
                request.header(AUTHORIZATION, token)
            }
            _ => request,
        };
        let response = request.send().await?;
        let status = response.status().as_u16();
        let text = response.text().await?;
        Ok((status, text.trim().to_owned()))
    }
}

async fn look(findings: &mut Findings, influx: &InfluxSettings) {
    let check = "database";
    let client = Client::builder().timeout(PATIENCE).no_proxy().redirect(reqwest::redirect::Policy::none()).build();
    let (Ok(client), Ok(base)) = (client, Url::parse(&influx.url)) else {
        return findings.fail(check, "this is no address", "give --influxdb-url http://HOST:8086");
    };
    let database = Database { client, base, influx };
    match database.get("/ping", &[]).await {
        Ok((status @ (200 | 204), _)) => findings.ok(check, format!("{} answers {status}", influx.url)),
        Ok((status, text)) => {
            findings.warn(
                check,
                format!("{} answers {status} {}", influx.url, shown(&text)),
                "is it InfluxDB? --influxdb-url",
            );
        }
        Err(error) => {
            let error = error.without_url();
            return findings.fail(check, format!("{}: {error}", influx.url), "start it, or correct --influxdb-url");
        }
    }
    may_write(findings, &database).await;
    may_query(findings, &database).await;
    retention(findings, &database).await;
}

/// A write of nothing: whoever may not write is refused before that is noticed.
async fn may_write(findings: &mut Findings, database: &Database<'_>) {
    let InfluxSettings { org, bucket, .. } = database.influx;
    let url = database.url("/api/v2/write", &[("org", org), ("bucket", bucket), ("precision", "ns")]);
    let answer = database.send(database.client.post(url).body("\n")).await;
    judge_write(findings, bucket, &answer);
}

fn judge_write(findings: &mut Findings, bucket: &str, answer: &Answer) {
    let check = "database, may write";
    match answer {
        Ok((200 | 204 | 400, _)) => findings.ok(check, bucket),
        Ok((status @ (401 | 403), text)) => findings.fail(
            check,
            format!("refused with {status}: {}", shown(text)),
            "give a token that may write into the bucket: --influxdb-token-file",
        ),
        Ok((404, text)) => findings.fail(
            check,
            format!("no such bucket or organisation: {}", shown(text)),
            "make it, or correct --influxdb-bucket and --influxdb-org",
        ),
        Ok((status, text)) => {
            findings.fail(check, format!("{status}: {}", shown(text)), "look into the database's log")
        }
        Err(error) => findings.fail(check, error.to_string(), "look into the database's log"),
    }
}

/// Only audit and dashboards ask; the ingester does not.
async fn may_query(findings: &mut Findings, database: &Database<'_>) {
    let check = "database, may query";
    let query = [("db", database.influx.bucket.as_str()), ("q", "SHOW MEASUREMENTS LIMIT 1")];
    match database.get("/query", &query).await {
        Ok((200, _)) => findings.ok(check, "InfluxQL"),
        Ok((status, text)) => findings.warn(
            check,
            format!("{status}: {}", shown(&text)),
            "the ingester does not need it; fogline audit and Grafana need a token that may read",
        ),
        Err(error) => findings.warn(check, error.without_url().to_string(), "look into the database's log"),
    }
}

async fn retention(findings: &mut Findings, database: &Database<'_>) {
    let check = "database, retention";
    let InfluxSettings { org, bucket, .. } = database.influx;
    let v2 = database.get("/api/v2/buckets", &[("org", org), ("name", bucket)]).await;
    let seconds = match v2 {
        Ok((200, text)) => of_buckets(&text),
        _ => {
            let query = format!("SHOW RETENTION POLICIES ON \"{}\"", bucket.replace('"', ""));
            let v1 = database.get("/query", &[("db", bucket), ("q", &query)]).await;
            v1.ok().and_then(|(_, text)| of_policies(&text))
        }
    };
    judge_retention(findings, check, seconds);
}

/// The seconds of the first bucket; 0: for ever.
fn of_buckets(text: &str) -> Option<u64> {
    let value: Value = serde_json::from_str(text).ok()?;
    let bucket = value.get("buckets")?.as_array()?.first()?.clone();
    let rule = bucket.get("retentionRules").and_then(|rules| rules.as_array()?.first()?.get("everySeconds")?.as_u64());
    Some(rule.unwrap_or(0))
}

/// The seconds of the default policy, of a text as `168h0m0s`; 0: for ever.
fn of_policies(text: &str) -> Option<u64> {
    let value: Value = serde_json::from_str(text).ok()?;
    let rows = value.pointer("/results/0/series/0/values")?.as_array()?.clone();
    let is_default = |row: &&Value| row.as_array().and_then(|row| row.last()).and_then(Value::as_bool) == Some(true);
    let row = rows.iter().find(is_default)?;
    let hours = row.get(1)?.as_str()?.split('h').next()?.parse::<u64>().ok();
    Some(hours.map_or(0, |hours| hours * 3600))
}

fn judge_retention(findings: &mut Findings, check: &str, seconds: Option<u64>) {
    match seconds {
        None => findings.skip(check, "the database does not say (the token may not see buckets)"),
        Some(0) => findings.ok(check, "for ever"),
        Some(seconds) if seconds < RETENTION_MIN_S => findings.warn(
            check,
            format!("{} days", seconds / 86_400),
            "readings of an agent that was away for longer are refused, and an audit sees less: keep 30 days or more",
        ),
        Some(seconds) => findings.ok(check, format!("{} days", seconds / 86_400)),
    }
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;

    fn found(check: &str, look: impl FnOnce(&mut Findings)) -> Outcome {
        let mut findings = Findings::default();
        look(&mut findings);
        findings.of(check).outcome
    }

    #[test]
    fn what_a_write_of_nothing_says() {
        let judged = |status: u16| {
            found("database, may write", |findings| judge_write(findings, "b", &Ok((status, "why".to_owned()))))
        };
        assert_eq!(
            [204, 400, 401, 403, 404, 500].map(judged),
            [Outcome::Ok, Outcome::Ok, Outcome::Fail, Outcome::Fail, Outcome::Fail, Outcome::Fail,]
        );
    }

    #[test]
    fn retentions_are_read_from_both_kinds_of_answers() {
        let buckets = r#"{"buckets":[{"name":"b","retentionRules":[{"type":"expire","everySeconds":604800}]}]}"#;
        assert_eq!(of_buckets(buckets), Some(604_800));
        assert_eq!(of_buckets(r#"{"buckets":[{"name":"b","retentionRules":[]}]}"#), Some(0));
        assert_eq!(of_buckets(r#"{"buckets":[]}"#), None);
        let policies = r#"{"results":[{"series":[{"columns":["name","duration","x","y","default"],"values":[["w","168h0m0s","1h",1,false],["autogen","0s","168h0m0s",1,true]]}]}]}"#;
        assert_eq!(of_policies(policies), Some(0));
        assert_eq!(of_policies(&policies.replace("\"0s\"", "\"720h0m0s\"")), Some(2_592_000));
        let judged = |seconds| found("r", |findings| judge_retention(findings, "r", seconds));
        assert_eq!(
            [None, Some(0), Some(86_400), Some(RETENTION_MIN_S)].map(judged),
            [Outcome::Skip, Outcome::Ok, Outcome::Warn, Outcome::Ok]
        );
    }
}
