//! `fogline demo --secure`.

use super::support::Program;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// On a machine that does much else at the same time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A demo that runs, and where its broker and its certificates are.
struct Demo {
    program: Program,
    _data: tempfile::TempDir,
    port: u16,
    certificates: PathBuf,
    first: Value,
}

impl Demo {
    async fn start(seconds: &str) -> Self {
        let data = tempfile::tempdir().unwrap();
        let folder = data.path().to_str().unwrap();
        let words = ["--secure", "--for", seconds, "--rate", "20", "--json", "--data-dir", folder];
        let mut program = Program::demo(&words).await;
        let first = program.json().await;
        let port = first["broker"].as_str().unwrap().strip_prefix("mqtts://127.0.0.1:").unwrap().parse().unwrap();
        let certificates = first["certificates"].as_str().unwrap().into();
        Self { program, _data: data, port, certificates, first }
    }

    /// Waits for the first second in which readings were stored.
    async fn stores(&mut self) -> Value {
        loop {
            let line = self.program.json().await;
            assert_eq!(line["event"], "second", "{line}");
            if line["stored"].as_u64().unwrap() > 0 {
                return line;
            }
        }
    }

    /// A connection of who has the certificate `of`, such as `agents/lane-1`.
    fn connect(&self, of: Option<&str>, host: &str) -> Client {
        Client(tls(&self.certificates, of, host, self.port))
    }
}

fn tls(dir: &Path, of: Option<&str>, host: &str, port: u16) -> StreamOwned<ClientConnection, TcpStream> {
    let chain =
        |path: PathBuf| -> Vec<_> { CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect() };
    let mut roots = RootCertStore::empty();
    chain(dir.join("ca.pem")).into_iter().for_each(|certificate| roots.add(certificate).unwrap());
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let config = match of {
        Some(name) => {
            let key = PrivateKeyDer::from_pem_file(dir.join(format!("{name}.key.pem"))).unwrap();
            config.with_client_auth_cert(chain(dir.join(format!("{name}.pem"))), key).unwrap()
        }
        None => config.with_no_client_auth(),
    };
    let connection = ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned()).unwrap()).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    StreamOwned::new(connection, socket)
}

/// An MQTT 3.1.1 client that knows four packets, all of them short.
struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    fn send(&mut self, first: u8, body: &[u8]) -> io::Result<()> {
        let length = u8::try_from(body.len()).unwrap();
        assert!(length < 0x80);
        self.0.write_all(&[&[first, length], body].concat())
    }

    /// The next packet: its first byte, and what follows its length.
    fn next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut byte = [0];
        self.0.read_exact(&mut byte)?;
        let first = byte[0];
        let (mut length, mut shift) = (0, 0);
        loop {
            self.0.read_exact(&mut byte)?;
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body)?;
        Ok((first, body))
    }

    /// The code of CONNACK.
    fn greet(&mut self, id: &str) -> io::Result<u8> {
        self.send(0x10, &[b"\0\x04MQTT\x04\x02\0\x3c", text(id).as_slice()].concat())?;
        let (first, body) = self.next()?;
        assert_eq!(first, 0x20);
        Ok(body[1])
    }

    /// The code of SUBACK.
    fn subscribe(&mut self, filter: &str) -> u8 {
        self.send(0x82, &[b"\0\x01", text(filter).as_slice(), b"\0"].concat()).unwrap();
        loop {
            let (first, body) = self.next().unwrap();
            if first == 0x90 {
                return body[2];
            }
        }
    }

    /// The topic of the next message.
    fn topic(&mut self) -> String {
        let (first, body) = self.next().unwrap();
        assert_eq!(first >> 4, 3);
        let length = usize::from(u16::from_be_bytes([body[0], body[1]]));
        String::from_utf8(body[2..2 + length].to_vec()).unwrap()
    }
}

fn text(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

#[tokio::test]
async fn it_stores_over_tls_and_leaves_no_certificates_behind() {
    let mut demo = Demo::start("4").await;
    assert_eq!(demo.first["secure"], true);
    let files =
        ["ca.pem", "operators/operator.pem", "operators/operator.key.pem"].map(|file| demo.certificates.join(file));
    let watch = demo.first["watch"].as_str().unwrap();
    for file in &files {
        assert!(file.exists() && watch.contains(file.to_str().unwrap()), "{watch}");
    }
    demo.stores().await;
    let (lines, status) = demo.program.end().await;
    assert_eq!(status.code(), Some(0));
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let all_have_stored = last["agents"]
        .as_array()
        .unwrap()
        .iter()
        .all(|agent| agent["kind"] == "power" || agent["stored"].as_u64() > Some(0));
    assert!(last["event"] == "ended" && all_have_stored, "{last}");
    assert!(!demo.certificates.exists());
}

#[tokio::test]
async fn without_a_certificate_nobody_gets_anywhere_and_with_one_nobody_reads_for_another() {
    let mut demo = Demo::start("60").await;
    demo.stores().await;
    for host in ["localhost", "127.0.0.1"] {
        assert!(demo.connect(None, host).greet("lane-1").is_err(), "no certificate");
    }
    assert!(
        demo.connect(Some("agents/lane-1"), "other.example").greet("lane-1").is_err(),
        "not the host of the broker"
    );
    // Not authorized (3.1.1, 3.2.2.3).
    assert_eq!(demo.connect(Some("agents/lane-1"), "localhost").greet("lane-2").unwrap(), 5);
    // Beside the agent of the demo, whose place it takes.
    let mut agent = demo.connect(Some("agents/lane-1"), "127.0.0.1");
    assert_eq!(agent.greet("lane-1").unwrap(), 0);
    for (filter, code) in [
        ("fogline/v1/north/lane-2/down/#", 0x80),
        ("fogline/v1/north/lane-2/up/#", 0x80),
        ("fogline/v1/+/+/down/#", 0x80),
        ("#", 0x80),
        ("fogline/v1/north/lane-1/down/#", 0),
    ] {
        assert_eq!(agent.subscribe(filter), code, "{filter}");
    }
    drop(agent);
    let mut operator = demo.connect(Some("operators/operator"), "localhost");
    assert_eq!((operator.greet("any-id").unwrap(), operator.subscribe("fogline/v1/#")), (0, 0));
    assert!(operator.topic().starts_with("fogline/v1/"));
    demo.program.signal(rustix::process::Signal::INT);
    let (_, status) = demo.program.end().await;
    assert_eq!(status.code(), Some(0));
    assert!(!demo.certificates.exists());
}
