//! A server and a client that shake hands on loopback.

use crate::authority::{Authority, Issued, put};
use fogline_door::tls::{ClientCertificates, ServerTls, TlsConfig, common_name};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, SupportedProtocolVersion};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

/// The files of a server.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
    pub(crate) authority: Authority,
    pub(crate) server: Issued,
}

impl Files {
    pub(crate) fn new() -> Self {
        let authority = Authority::new("test CA");
        let server = authority.issue("server", 1);
        let files = Self { folder: tempfile::tempdir().unwrap(), authority, server };
        files.put("server.pem", &files.server.certificate.pem());
        files.put("server.key", &files.server.key.serialize_pem());
        files.put("ca.pem", &files.authority.pem());
        files
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        put(self.folder.path(), name, text);
    }

    pub(crate) fn config(&self, client_certificates: ClientCertificates) -> TlsConfig {
        let path = |name: &str| self.folder.path().join(name);
        let client_ca = Some(path("ca.pem"));
        TlsConfig { client_ca, client_certificates, ..TlsConfig::new(path("server.pem"), path("server.key")) }
    }

    /// The same with `crl.pem`.
    pub(crate) fn config_with_list(&self, client_certificates: ClientCertificates) -> TlsConfig {
        TlsConfig { crl: Some(self.folder.path().join("crl.pem")), ..self.config(client_certificates) }
    }

    /// A client that trusts the server, with a certificate or none.
    pub(crate) fn client(&self, own: Option<&Issued>) -> Client {
        self.client_of(rustls::DEFAULT_VERSIONS, own)
    }

    /// The same that speaks these versions only.
    pub(crate) fn client_of(&self, versions: &[&'static SupportedProtocolVersion], own: Option<&Issued>) -> Client {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(self.authority.roots());
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![own.certificate.der().clone()], key).unwrap()
            }
        };
        Client(TlsConnector::from(Arc::new(config)))
    }
}

/// A client; one that connects again tries to resume its session.
pub(crate) struct Client(TlsConnector);

/// A connection that both sides took.
#[derive(Debug)]
pub(crate) struct Met {
    /// Whom the server takes the client for.
    pub(crate) client: Option<String>,
    /// The certificate that the client saw.
    pub(crate) server: CertificateDer<'static>,
    pub(crate) version: rustls::ProtocolVersion,
}

/// One connection, with a byte each way: with TLS 1.3 a client hears of its refusal only when it reads.
pub(crate) async fn meet(server: &ServerTls, client: &Client) -> Result<Met, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = server.acceptor();
    let accepted = tokio::spawn(async move {
        let (stream, _) = listener.accept().await?;
        let mut stream = acceptor.accept(stream).await?;
        let byte = stream.read_u8().await?;
        stream.write_u8(byte).await?;
        stream.shutdown().await?;
        std::io::Result::Ok(common_name(stream.get_ref().1))
    });
    let asked = async {
        let stream = TcpStream::connect(address).await?;
        let mut stream = client.0.connect("127.0.0.1".try_into().unwrap(), stream).await?;
        stream.write_u8(1).await?;
        stream.read_u8().await?;
        let (_, session) = stream.get_ref();
        let server = session.peer_certificates().unwrap()[0].clone().into_owned();
        std::io::Result::Ok((server, session.protocol_version().unwrap()))
    };
    let asked = asked.await;
    let client = accepted.await.unwrap().map_err(|error| error.to_string())?;
    let (server, version) = asked.map_err(|error| format!("only the client: {error}"))?;
    Ok(Met { client, server, version })
}
