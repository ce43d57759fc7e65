//! A real InfluxDB 1.x, which answers the InfluxQL that 2.x and 3.x answer too.

use super::ports::free_port;
use super::program::{Program, Recipe};
use super::services::service;
use super::translator::Translator;
use super::wait::{PATIENCE, until};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use tempfile::TempDir;

const DATABASE: &str = "fogline";

/// The server with an empty database. What it has answered with 204 is on its disk.
#[derive(Debug)]
pub struct Influxd {
    /// The process.
    pub program: Program,
    api: Api,
    // Last, so that the process is gone when it is removed.
    _folder: TempDir,
}

/// The server as its clients see it.
#[derive(Debug, Clone, Copy)]
pub struct Api {
    port: u16,
}

impl Influxd {
    /// `None` where it is not installed and need not be.
    #[must_use]
    pub fn start() -> Option<Self> {
        let (program, api, folder) = (service("influxd")?, Api { port: free_port() }, tempfile::tempdir().unwrap());
        let config = folder.path().join("influxdb.conf");
        std::fs::write(&config, configuration(folder.path(), api.port, free_port())).unwrap();
        let program = Program::start(Recipe::new(program).args(["run", "-config"]).arg(config));
        let server = Self { program, api, _folder: folder };
        server.wait_until_useful();
        assert_eq!(api.query(&format!("CREATE DATABASE {DATABASE}"))["results"][0].get("error"), None);
        Some(server)
    }

    /// Kills it and starts it again.
    pub fn bounce(&mut self) {
        self.program.kill();
        self.program.restart();
        self.wait_until_useful();
    }

    /// Where it answers.
    #[must_use]
    pub const fn api(&self) -> Api {
        self.api
    }

    /// What lets an ingester write into it.
    #[must_use]
    pub fn translator(&self) -> Translator {
        Translator::start(self.api.port)
    }

    fn wait_until_useful(&self) {
        until("InfluxDB answers", || self.api.request("GET", "/ping", "").ok().filter(|(status, _)| *status == 204));
    }
}

impl Api {
    /// Its address.
    #[must_use]
    pub fn url(self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Writes points given as line protocol, times in nanoseconds.
    pub fn write(self, lines: &str) {
        let (status, answer) = self.request("POST", &format!("/write?db={DATABASE}&precision=ns"), lines).unwrap();
        assert_eq!(status, 204, "{answer}");
    }

    /// The answer to an InfluxQL query, times in milliseconds as Grafana asks for them.
    #[must_use]
    pub fn query(self, query: &str) -> Value {
        self.query_in("ms", query)
    }

    /// The answer to an InfluxQL query, times in this unit.
    #[must_use]
    pub fn query_in(self, unit: &str, query: &str) -> Value {
        let form = format!("q={}", percent_encoded(query));
        let (status, answer) = self.request("POST", &format!("/query?db={DATABASE}&epoch={unit}"), &form).unwrap();
        assert_eq!(status, 200, "{query}\n{answer}");
        serde_json::from_str(&answer).unwrap()
    }

    /// HTTP/1.0, so that the answer ends with the connection and needs no decoding.
    fn request(self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        let form = "Content-Type: application/x-www-form-urlencoded";
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: localhost\r\n{form}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::InvalidData)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(std::io::ErrorKind::InvalidData)?, body.to_owned()))
    }
}

fn configuration(folder: &Path, port: u16, rpc_port: u16) -> String {
    let dir = folder.display();
    format!(
        r#"reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{dir}/meta"
[data]
  dir = "{dir}/data"
  wal-dir = "{dir}/wal"
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
"#
    )
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
