//! Who the tests are at a broker that wants to know: a CA, tokens, and the rights that `fogline-broker user export` writes.

use super::certificates::Certificates;
use super::program::Recipe;
use super::services::service;
use std::path::{Path, PathBuf};

/// Name, role and regions of all agents, ingesters and tools of the tests that may run on another broker.
const CROWD: [(&str, &str, &str); 20] = [
    ("ingest-1", "ingest", "*"),
    ("ingest-2", "ingest", "*"),
    ("ingest-3", "ingest", "*"),
    ("lane-1", "agent", "north"),
    ("lane-2", "agent", "north"),
    ("lane-3", "agent", "north"),
    ("lane-north", "agent", "north"),
    ("lane-a7", "agent", "a7"),
    ("garages", "agent", "north"),
    ("desk", "agent", "north"),
    ("houses", "agent", "north"),
    ("roof", "agent", "north"),
    ("mast", "agent", "north"),
    // The nodes and sensors of a city, and who looks at them.
    ("a-1", "agent", "city"),
    ("b-1", "agent", "city"),
    ("c-1", "agent", "city"),
    ("d-1", "agent", "city"),
    ("sensors", "agent", "city"),
    ("watch", "operator", "-"),
    ("stranger", "agent", "north"),
];

/// The folder `crowd` with a CA, users, and tokens. Tokens are kept nowhere else, and several brokers may share one crowd.
#[derive(Debug, Clone)]
pub(super) struct Crowd {
    folder: PathBuf,
}

impl Crowd {
    /// Makes it in this folder, which is there.
    #[must_use]
    pub(super) fn make(folder: &Path) -> Self {
        let crowd = Self { folder: folder.join("crowd") };
        std::fs::create_dir(&crowd.folder).unwrap();
        drop(Certificates::make(&crowd.folder.join("tls")));
        std::fs::create_dir(crowd.tokens()).unwrap();
        // Of a user an export needs the name, the rights, and the token: no secret is checked here.
        let line = |(name, role, regions): &(&str, &str, &str)| format!("{name} {role} {regions} -\n");
        std::fs::write(crowd.folder.join("users"), CROWD.iter().map(line).collect::<String>()).unwrap();
        for (name, ..) in CROWD {
            std::fs::write(crowd.token(name), format!("token-of-{name}\n")).unwrap();
        }
        crowd
    }

    /// Writes their rights for another broker into a folder.
    pub(super) fn export(&self, broker: &str, folder: &Path) {
        let export = Recipe::ours("fogline-broker").args(["user", "export", broker, "--users"]);
        export.arg(self.folder.join("users")).arg("--tokens").arg(self.tokens()).arg("--to").arg(folder).succeed();
    }

    /// The flags by which a client trusts the broker, and shows that it is who it is.
    #[must_use]
    pub(super) fn login(&self, name: &str) -> [String; 4] {
        assert!(CROWD.iter().any(|user| user.0 == name), "{name} is not among the users of tests/src/real/crowd.rs");
        let text = |path: PathBuf| path.display().to_string();
        let (ca, token) = (text(self.file("ca.pem")), text(self.token(name)));
        ["--broker-ca".to_owned(), ca, "--password-file".to_owned(), token]
    }

    /// The flags by which one of Mosquitto's own tools does.
    pub(super) fn login_of_tool(&self, name: &str) -> [String; 6] {
        let [_, ca, _, token] = self.login(name);
        let token = std::fs::read_to_string(token).unwrap().trim_end().to_owned();
        ["--cafile".to_owned(), ca, "-u".to_owned(), name.to_owned(), "-P".to_owned(), token]
    }

    /// A file of the CA.
    #[must_use]
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join("tls").join(name)
    }

    fn tokens(&self) -> PathBuf {
        self.folder.join("tokens")
    }

    fn token(&self, name: &str) -> PathBuf {
        self.tokens().join(format!("{name}.token"))
    }
}

/// Mosquitto with `mosquitto-compat/mosquitto-secure.conf`, its TLS on this port. None where it is not installed and need not be.
pub(super) fn guarded_mosquitto(crowd: &Crowd, port: u16, plain: u16, folder: &Path) -> Option<Recipe> {
    let (program, hash) = (service("mosquitto")?, service("mosquitto_passwd")?);
    crowd.export("mosquitto", folder);
    Recipe::new(hash).arg("-U").arg(folder.join("passwords")).succeed();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mosquitto-compat/mosquitto-secure.conf");
    let mut conf = std::fs::read_to_string(shipped).unwrap();
    for (old, new) in [
        ("\nlistener 1883 127.0.0.1\n", format!("\nlistener {plain} 127.0.0.1\n")),
        ("\nlistener 8883\n", format!("\nlistener {port} 127.0.0.1\n")),
        ("certfile tls/server.pem", format!("certfile {}", crowd.file("server.pem").display())),
        ("keyfile tls/server-key.pem", format!("keyfile {}", crowd.file("server-key.pem").display())),
    ] {
        assert!(conf.contains(old), "mosquitto-secure.conf has no {old}");
        conf = conf.replace(old, &new);
    }
    let path = folder.join("mosquitto.conf");
    // Started by root it would become a user who may not read the files.
    std::fs::write(&path, conf + "user root\n").unwrap();
    Some(Recipe::new(program).arg("-c").arg(path).folder(folder).ready_when(" running"))
}
